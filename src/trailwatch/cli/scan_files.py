"""The files of a scan in batches that are judged together, in little memory: most of each path is as before."""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from isal import isal_zlib

from trailwatch.sources.files import STDIN, LogFile

BATCH_BYTES = 1 << 19
BATCH_FILES = 64


class FileBatches(Sequence[list[LogFile]]):
    """Batches of files, in their order.

    Args:
        files: ordered by path.
    """

    def __init__(self, files: Iterable[LogFile]) -> None:
        self.files = 0
        """How many files there are."""
        self.sizes: list[int] = []
        """Bytes of input in each batch."""
        self.own: list[int] = []
        """Numbers of the batches with standard input, which only the first process can read."""
        self._packed: list[bytes] = []
        for batch in _divided(files):
            if any(file.path == STDIN for file in batch):
                self.own.append(len(self._packed))
            self.files += len(batch)
            self.sizes.append(sum(file.size for file in batch))
            # not as JSON or the like: the name of a file may be no valid text
            self._packed.append(isal_zlib.compress(marshal.dumps([tuple(file) for file in batch]), 1))

    def __len__(self) -> int:
        return len(self._packed)

    @overload
    def __getitem__(self, at: int) -> list[LogFile]: ...
    @overload
    def __getitem__(self, at: slice) -> list[list[LogFile]]: ...
    def __getitem__(self, at: int | slice) -> list[LogFile] | list[list[LogFile]]:
        return _unpacked(self._packed[at]) if isinstance(at, int) else [_unpacked(one) for one in self._packed[at]]

    def each(self) -> Iterator[LogFile]:
        """Every file."""
        for batch in self:
            yield from batch


def _unpacked(packed: bytes) -> list[LogFile]:
    return [LogFile(*values) for values in marshal.loads(isal_zlib.decompress(packed))]  # noqa: S302 packed here


def _divided(files: Iterable[LogFile]) -> Iterator[list[LogFile]]:
    batch: list[LogFile] = []
    room = BATCH_BYTES
    for file in files:
        if batch and (file.size > room or len(batch) >= BATCH_FILES):
            yield batch
            batch, room = [], BATCH_BYTES
        batch.append(file)
        room -= file.size
    if batch:
        yield batch
