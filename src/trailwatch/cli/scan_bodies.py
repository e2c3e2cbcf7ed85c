"""Bytes of a scan in a file, piece after piece, until everything is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

_HEADER_BYTES = 8


class Bodies:
    """Pieces that are written one after the other and read as often as wanted.

    Args:
        file: empty, for writing and reading; this has it alone, and closes it.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def close(self) -> None:
        self._file.close()

    def add(self, body: bytes) -> None:
        """Keeps a piece; called before the first is read."""
        self._file.write(len(body).to_bytes(_HEADER_BYTES, "big"))
        self._file.write(body)

    def each(self) -> Iterator[bytes]:
        """Every piece, in order."""
        self._file.seek(0)
        while header := self._file.read(_HEADER_BYTES):
            yield self._file.read(int.from_bytes(header, "big"))
