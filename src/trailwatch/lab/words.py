"""Faults and durations as the command line spells them."""

from __future__ import annotations

import re

from trailwatch.errors import UsageError
from trailwatch.lab.faults import Aim, Deny, Die, Fault, Late, Latency, ServerError, Throttle
from trailwatch.lab.regions import ENABLED, NOT_OPTED_IN

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_KINDS = ("throttle", "error", "latency", "deny", "late", "cut", "dead")


def read_duration(word: str) -> float:
    """Seconds of a word like `90s`, `50ms` or `2m`; a bare number is seconds.

    Raises:
        UsageError: it is no duration.
    """
    match = _DURATION.fullmatch(word)
    if not match:
        raise UsageError("duration", f"expected something like 90s, 50ms or 2m, got {word!r}")
    return float(match[1]) * _UNITS[match[2] or "s"]


def read_fault(word: str) -> Fault:
    """The fault of a word like `throttle=0.2`, `deny=eu-west-1` or `cut=7`.

    Raises:
        UsageError: it is no fault; the text says which there are.
    """
    kind, _, value = word.partition("=")
    if kind == "throttle":
        return Throttle(_share(word, value))
    if kind == "error":
        return ServerError(_share(word, value))
    if kind == "latency":
        return Latency(read_duration(value))
    if kind == "deny" and value:
        is_region = value in ENABLED or value in NOT_OPTED_IN
        return Deny(Aim(region=value) if is_region else Aim(operation=value))
    if kind == "late":
        share, _, delay = value.partition(":")
        return Late(_share(word, share), read_duration(delay))
    if kind in {"cut", "dead"} and value.isdecimal() and int(value) > 0:
        return Die(int(value), forever=kind == "dead")
    raise UsageError("--fault", f"cannot read {word!r}", f"the kinds are {', '.join(_KINDS)}, as in throttle=0.2")


def _share(word: str, value: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError("--fault", f"expected a share from 0 to 1 in {word!r}, got {value!r}")
    return share
