"""Compiled rules on disk: plain data as JSON, named by a hash of everything it was made from."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from trailwatch.rules.rule import Correlation, Problem, Rule
from trailwatch.version import __version__

FORMAT = 7
"""Goes up whenever a cached rule would be read differently."""
_KEPT = 8


class CachedRules(msgspec.Struct):
    """What reading rule files gave, before profiles and choices of the caller."""

    rules: list[Rule] = []
    scripted: dict[str, Rule] = {}
    """By file name, the rules of Python files without their functions, which are imported again at each start."""
    correlations: list[Correlation] = []
    problems: list[Problem] = []
    skipped: dict[str, int] = {}


def digest_of(parts: Iterable[bytes]) -> str:
    """A hash over the parts and the version of this program."""
    digest = hashlib.sha256(f"{FORMAT}:{__version__}".encode())
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:40]


def load(folder: Path, digest: str) -> CachedRules | None:
    """What was kept under the digest; None when nothing was, or what is there cannot be read."""
    content = load_bytes(folder, "rules", digest)
    try:
        return None if content is None else msgspec.json.decode(content, type=CachedRules)
    except (msgspec.MsgspecError, RecursionError):
        return None


def keep(folder: Path, digest: str, rules: CachedRules) -> None:
    """Writes the rules in one step; a folder that cannot be written only costs time at the next start."""
    keep_bytes(folder, "rules", digest, msgspec.json.encode(rules))


def load_bytes(folder: Path, kind: str, digest: str) -> bytes | None:
    """What was kept under the kind and digest, if anything."""
    try:
        return (folder / f"{kind}-{digest}.json").read_bytes()
    except OSError:
        return None


def keep_bytes(folder: Path, kind: str, digest: str, content: bytes) -> None:
    """Writes it in one step, and removes what of this kind was used least recently."""
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=f"{kind}-", suffix=".tmp", delete=False) as file:
            file.write(content)
        Path(file.name).replace(folder / f"{kind}-{digest}.json")
        kept = sorted(folder.glob(f"{kind}-*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in kept[_KEPT:]:
            path.unlink(missing_ok=True)
