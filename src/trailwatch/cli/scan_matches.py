"""Matches of a scan, out of memory until everything is read: their records are most of what a scan would keep."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import msgspec

from trailwatch.cli.scan_bodies import Bodies
from trailwatch.model.match import Found, Match
from trailwatch.model.rule import RuleInfo

IN_MEMORY_BYTES = 1 << 18
"""So much is kept without a file."""
MANY = 1000
"""So many matches take memory that is felt."""
_FIELDS = Match.__struct_fields__
_UNLIKE = frozenset({"rule", "time", "event_id", "alert_id", "reason", "position", "record", "context", "event_ids"})
_ALIKE = tuple(at for at, name in enumerate(_FIELDS) if name not in _UNLIKE)
"""Fields whose texts come again and again."""


class MatchSpool:
    """Takes matches piece by piece and gives them back together, each text that comes again only once.

    Use as a context manager; the file has no name, so nobody finds it and nothing is left behind.
    """

    def __init__(self) -> None:
        file = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES, prefix="trailwatch-scan-")  # noqa: SIM115 closed with this
        self._bodies = Bodies(file)
        self._rules: dict[RuleInfo, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bodies.close()

    def take(self, found: Found) -> None:
        """Keeps the matches, which leave `found`."""
        if found.matches:
            self._bodies.add(_ENCODE([self._row(match) for match in found.matches]))
            self._count += len(found.matches)
            found.matches = []

    def all(self) -> list[Match]:
        """Everything that was taken, in that order."""
        rules, texts = list(self._rules), dict[Any, Any]()
        return [_match(values, rules, texts) for values in self._rows()]

    def _row(self, match: Match) -> tuple[Any, ...]:
        rule, *values = msgspec.structs.astuple(match)
        return (self._rules.setdefault(rule, len(self._rules)), *values)

    def _rows(self) -> Iterator[list[Any]]:
        decode = _decoder().decode
        for body in self._bodies.each():
            yield from map(list, decode(body))


def _match(values: list[Any], rules: list[RuleInfo], texts: dict[Any, Any]) -> Match:
    values[0] = rules[values[0]]
    for at in _ALIKE:
        values[at] = texts.setdefault(values[at], values[at])
    return Match(*values)


_ENCODE = msgspec.msgpack.Encoder().encode


@functools.cache
def _decoder() -> Any:
    """Reads rows: the values of a match in the order of its fields, for its rule a number."""
    types = [int if field.name == "rule" else field.type for field in msgspec.structs.fields(Match)]
    return msgspec.msgpack.Decoder(list[tuple[tuple(types)]])  # type: ignore[misc]  # made of the fields
