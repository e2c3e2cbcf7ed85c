"""Compiled rules on disk: plain data as JSON, named by a hash of everything it was made from."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from trailwatch.rules.rule import Correlation, Example, Problem, Rule, Story
from trailwatch.version import __version__

FORMAT = 10
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


class _Examples(msgspec.Struct):
    """What only people and tests read of rules, in the order of the rules."""

    rules: list[tuple[Example, ...]]
    scripted: list[tuple[Example, ...]]
    correlations: list[tuple[Story, ...]]


def load(folder: Path, digest: str, *, examples: bool = True) -> CachedRules | None:
    """What was kept under the digest; None when nothing was, or what is there cannot be read.

    Args:
        folder: where it was kept.
        digest: from `digest_of`.
        examples: whether examples are wanted too; they are the larger part.
    """
    content, more = load_bytes(folder, "rules", digest), load_bytes(folder, "examples", digest) if examples else b""
    if content is None or more is None:
        return None
    try:
        rules = msgspec.json.decode(content, type=CachedRules)
        return _with_examples(rules, msgspec.json.decode(more, type=_Examples)) if examples else rules
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None


def keep(folder: Path, digest: str, rules: CachedRules) -> None:
    """Writes the rules in one step; a folder that cannot be written only costs time at the next start."""
    examples = _Examples(
        [rule.examples for rule in rules.rules],
        [rule.examples for rule in rules.scripted.values()],
        [one.stories for one in rules.correlations],
    )
    bare = _with_examples(
        rules,
        _Examples([()] * len(examples.rules), [()] * len(examples.scripted), [()] * len(examples.correlations)),
    )
    keep_bytes(folder, "examples", digest, msgspec.json.encode(examples))
    keep_bytes(folder, "rules", digest, msgspec.json.encode(bare))


def _with_examples(rules: CachedRules, examples: _Examples) -> CachedRules:
    """The rules with these examples; ValueError where their numbers differ."""
    replace = msgspec.structs.replace
    scripted = zip(rules.scripted.items(), examples.scripted, strict=True)
    return replace(
        rules,
        rules=[replace(one, examples=found) for one, found in zip(rules.rules, examples.rules, strict=True)],
        scripted={name: replace(one, examples=found) for (name, one), found in scripted},
        correlations=[
            replace(one, stories=found) for one, found in zip(rules.correlations, examples.correlations, strict=True)
        ],
    )


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
