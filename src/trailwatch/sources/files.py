"""Log files, folders of them and standard input, as deliveries: one for each file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

from trailwatch.decode.containers import Unpacked, split_text, unpack
from trailwatch.decode.inflate import LIMIT_BYTES
from trailwatch.decode.unfold import Split
from trailwatch.errors import UsageError
from trailwatch.model.match import Reject
from trailwatch.ports import Delivery

STDIN = "-"
"""The path that stands for standard input."""
LOG_SUFFIXES = frozenset({"", ".json", ".jsonl", ".ndjson", ".log"})
"""What files in a folder are called, `.gz` at the end or not; a file that is named itself may be called anything."""


class LogFile(NamedTuple):
    """A file to read, or one that is passed over, with the reason."""

    path: str
    size: int
    left_out: str = ""
    """Why it is passed over; empty when it is not."""
    problem: str = ""
    """Why it cannot be read; empty when nothing is known against it."""


def find_files(paths: Iterable[str]) -> list[LogFile]:
    """Every file at the paths, folders walked, ordered by path; each file once, however often it is reached.

    A folder that cannot be listed is an entry with a problem.

    Raises:
        UsageError: a path does not exist.
    """
    seen: set[tuple[int, int]] = set()
    found: dict[str, LogFile] = {}
    for path in paths:
        for identity, file in _at(path, seen):
            found.setdefault(identity, file)
    return sorted(found.values())


def read_file(file: LogFile, stdin: BinaryIO | None = None, limit_bytes: int = LIMIT_BYTES) -> Delivery:
    """The file's records; a file that cannot be read is one reject."""
    content = unpack_file(file, stdin, limit_bytes)
    return content if isinstance(content, Delivery) else delivery_of(split_text(content), file.path)


def unpack_file(file: LogFile, stdin: BinaryIO | None = None, limit_bytes: int = LIMIT_BYTES) -> Unpacked | Delivery:
    """The file's text, or a delivery without records that says why there is none."""
    if file.left_out:
        return Delivery(file.path, (), (), left_out=((file.left_out, 1),))
    if file.problem:
        return _unreadable(file.path, file.problem)
    try:
        body = _content(file.path, stdin, limit_bytes)
    except OSError as error:
        return _unreadable(file.path, str(error.strerror or error))
    return unpack(body, file.path, limit_bytes)


def deliveries(
    paths: Iterable[str], stdin: BinaryIO | None = None, limit_bytes: int = LIMIT_BYTES
) -> Iterator[Delivery]:
    """One delivery for each file at the paths, ordered by path.

    Raises:
        UsageError: a path does not exist.
    """
    for file in find_files(paths):
        yield read_file(file, stdin, limit_bytes)


def delivery_of(parts: Split, origin: str) -> Delivery:
    return Delivery(
        origin=origin,
        records=parts.records,
        positions=parts.positions,
        rejects=parts.rejects,
        left_out=tuple(sorted(parts.left_out.items())),
        mended=parts.mended,
    )


def _unreadable(path: str, why: str) -> Delivery:
    return Delivery(
        path, (), (), rejects=(Reject(path, -1, f"{path}: cannot be read: {why}; check its rights", b""),)
    )


def _content(path: str, stdin: BinaryIO | None, limit_bytes: int) -> bytes:
    # one byte more than allowed, so that the reader of the body sees that it is too long
    if path == STDIN:
        if stdin is None:
            raise OSError("standard input is closed")
        return stdin.read(limit_bytes + 1)
    with open(path, "rb") as file:  # noqa: PTH123 a Path keeps every name that it ever saw
        return file.read(limit_bytes + 1) if os.fstat(file.fileno()).st_size > limit_bytes else file.read()


_Found = tuple[str, LogFile]
"""A file with its path without links, by which it is known however it is reached."""


def _at(path: str, seen: set[tuple[int, int]]) -> Iterator[_Found]:
    if path == STDIN:
        yield STDIN, LogFile(STDIN, 0)
        return
    try:
        status = os.stat(path)  # noqa: PTH116 a path is kept as it was written
    except OSError as error:
        raise UsageError(path, f"cannot be read: {error.strerror}", "check the path") from error
    if stat.S_ISDIR(status.st_mode):
        yield from _in_folder(path, seen)
    else:
        yield os.path.realpath(path), LogFile(path, status.st_size)


def _in_folder(folder: str, seen: set[tuple[int, int]]) -> Iterator[_Found]:
    """Files below a folder; links are followed, and a folder that was seen is not entered again."""
    pending = [(os.path.realpath(folder), folder)]
    while pending:
        real, current = pending.pop()
        try:
            status = os.stat(current)  # noqa: PTH116 a path is kept as it was written
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(current) as listing:
                entries: Sequence[os.DirEntry[str]] = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            yield real, LogFile(current, 0, problem=str(error.strerror))
            continue
        for entry in entries:
            path = entry.path
            # only a link can lead elsewhere: to ask of every file is most of the time that listing takes
            identity = os.path.realpath(path) if entry.is_symlink() else os.path.join(real, entry.name)  # noqa: PTH118
            if identity == path:
                identity = path  # one text instead of two
            if entry.is_dir():
                pending.append((identity, path))
            else:
                yield identity, _entry(entry)


def _entry(entry: os.DirEntry[str]) -> LogFile:
    if not entry.is_file():
        return LogFile(entry.path, 0, "not a regular file")
    name = entry.name.lower().removesuffix(".gz")
    if name.startswith(".") or _suffix(name) not in LOG_SUFFIXES:
        return LogFile(entry.path, 0, "other file")
    return LogFile(entry.path, entry.stat().st_size)


def _suffix(name: str) -> str:
    """The last dot of a name and what follows it, as `pathlib` tells it; empty for nothing."""
    dot = name.rfind(".")
    return name[dot:] if 0 < dot < len(name) - 1 else ""
