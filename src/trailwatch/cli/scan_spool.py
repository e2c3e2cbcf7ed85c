"""Signals of a scan on disk until everything is read: only then all links are known that tell who began what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from trailwatch.model.signal import Brief, Signal

Row = tuple[int, int, int, tuple[str, ...], str]
"""A signal: number of the rule that eats it, of the rule that matched, of its event in the piece; key and value."""


class Piece(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The signals of some files."""

    rows: list[Row]
    acted: list[tuple[str, int]]
    """For each event the identity from which lineage goes back, and the time."""
    briefs: msgspec.Raw
    """Of all events; decoded where somebody wants them."""

    def events(self) -> list[Brief]:
        found: list[Brief] = _BRIEFS(self.briefs)
        return found


class SignalSpool:
    """A file of pieces that are written one after the other and read as often as wanted.

    Args:
        path: the file; it must not be there yet.
        wanted: rules whose signals are kept.
    """

    def __init__(self, path: Path, wanted: Iterable[str]) -> None:
        self._file = path.open("x+b")
        self._wanted = frozenset(wanted)
        self._numbers: dict[str, int] = {}
        self.names: list[str] = []
        """Ids of rules by the numbers that stand in rows."""

    def close(self) -> None:
        self._file.close()

    def add(self, signals: Iterable[Signal]) -> None:
        """Keeps these; events whose signals follow one another are kept once."""
        rows, acted, briefs = [], [], []
        brief: Brief | None = None
        for one in signals:
            if one.rule_id not in self._wanted:
                continue
            if one.brief is not brief:
                brief = one.brief
                acted.append((brief.identity or brief.principal, brief.time))
                briefs.append(brief)
            rows.append((self._number(one.rule_id), self._number(one.base_id), len(briefs) - 1, one.key, one.value))
        if rows:
            body = _ENCODE((rows, acted, briefs))
            self._file.write(len(body).to_bytes(8, "big"))
            self._file.write(body)

    def pieces(self) -> Iterator[Piece]:
        """All that was kept, in order."""
        self._file.seek(0)
        while header := self._file.read(8):
            yield _PIECE(self._file.read(int.from_bytes(header, "big")))

    def _number(self, rule_id: str) -> int:
        number = self._numbers.get(rule_id)
        if number is None:
            number = self._numbers[rule_id] = len(self.names)
            self.names.append(rule_id)
        return number


_ENCODE = msgspec.msgpack.Encoder().encode
_PIECE: Any = msgspec.msgpack.Decoder(Piece).decode
_BRIEFS: Any = msgspec.msgpack.Decoder(list[Brief]).decode
