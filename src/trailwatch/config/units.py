"""Durations and sizes as people write them."""

from __future__ import annotations

import re

_DURATION = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SIZE = {"": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def parse_duration(text: str) -> float:
    """Seconds in `90`, `90s`, `15m`, `1.5h`, `30d` or `2w`; `ValueError` with what is expected otherwise."""
    return _parse(text, _DURATION, "a duration such as 90s, 15m, 6h or 30d")


def parse_size(text: str) -> int:
    """Bytes in `4096`, `64MiB` or `10kB`; `ValueError` with what is expected otherwise."""
    return int(_parse(text, _SIZE, "a size such as 4096, 64MiB or 10kB"))


def format_duration(seconds: float) -> str:
    """The shortest exact form: `90s`, `15m`, `6h`, `30d`."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % _DURATION[unit] == 0:
            return f"{seconds / _DURATION[unit]:g}{unit}"
    return f"{seconds:g}s"


def _parse(text: str, units: dict[str, float] | dict[str, int], expected: str) -> float:
    found = _NUMBER.fullmatch(text)
    if found is None or found.group(2).lower() not in units:
        raise ValueError(f"expected {expected}, got {text!r}")
    return float(found.group(1)) * units[found.group(2).lower()]
