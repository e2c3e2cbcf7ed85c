"""The archive: appends that survive a crash, and the ways to read them back.

Each file holds JSON lines, one raw record a line, because lines concatenate: an append is one more gzip member, and
what the file holds stays one container that every part of trailwatch reads.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from trailwatch.archive.layout import HOUR_SECONDS, Hour, hour_of, hours
from trailwatch.archive.member import end_of_members, pack
from trailwatch.decode.containers import split
from trailwatch.decode.window import within
from trailwatch.errors import StoreError
from trailwatch.model.match import Reject
from trailwatch.ports import Delivery

_FILE_MODE = 0o600
_FOLDER_MODE = 0o700


class Archive:
    """A folder of polled records.

    Args:
        root: the folder; made, with mode 0700, by the first append.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.torn = 0
        """How many appends that a crash had cut off were removed before appending again."""

    def append(self, account: str, region: str, records: Sequence[tuple[int, bytes]]) -> None:
        """Puts records on the disk; they are there, flushed, when it returns.

        Args:
            account: whose events these are.
            region: where they were read.
            records: event time in seconds since 1970, and the raw record, one JSON object.

        Raises:
            StoreError: they cannot be written; none of a file's records is kept then.
        """
        lines: dict[Hour, list[bytes]] = {}
        for time, record in records:
            lines.setdefault(hour_of(self.root, account, region, time), []).append(_one_line(record))
        for hour in sorted(lines):
            self._append(hour.path, pack(b"".join(lines[hour])))

    def find(self, event_id: str) -> bytes | None:
        """The raw record with this `eventID`, the newest files first; None where there is none."""
        quoted = b'"' + event_id.encode("utf-8", "replace") + b'"'
        for hour in sorted(hours(self.root), reverse=True):
            for raw in self._read(hour).records:
                record = bytes(raw)
                if quoted in record and _identity(record) == event_id:
                    return record
        return None

    def read(
        self,
        since: int | None = None,
        until: int | None = None,
        account: str | None = None,
        region: str | None = None,
    ) -> Iterator[Delivery]:
        """One delivery for each hour's file that can hold such events, oldest first.

        Args:
            since: first second wanted, since 1970; None for no bound.
            until: first second not wanted; None for no bound.
            account: only this account's.
            region: only this region's.
        """
        for hour in sorted(hours(self.root)):
            if (
                (since is None or hour.start + HOUR_SECONDS > since)
                and (until is None or hour.start < until)
                and account in {None, hour.account}
                and region in {None, hour.region}
            ):
                delivery = self._read(hour)
                yield delivery if since is None and until is None else within(delivery, since, until)

    def _read(self, hour: Hour) -> Delivery:
        origin = str(hour.path)
        try:
            parts = split(hour.path.read_bytes(), origin)
        except OSError as error:
            reason = f"{origin}: cannot be read: {error.strerror}; check its rights"
            return Delivery(origin, (), (), rejects=(Reject(origin, -1, reason, b""),))
        left_out = tuple(sorted(parts.left_out.items()))
        return Delivery(origin, parts.records, parts.positions, parts.rejects, left_out, parts.mended)

    def _append(self, path: Path, member: bytes) -> None:
        try:
            self._make_folder(path.parent)
            made = not path.exists()
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, _FILE_MODE)
            with os.fdopen(descriptor, "r+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # two cycles never run at once; people's own programs might
                size = os.fstat(file.fileno()).st_size
                end = end_of_members(file, size)
                if end < size:
                    file.truncate(end)
                    self.torn += 1
                try:
                    _write_all(file.fileno(), member, end)
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(end)  # half of an append would only be removed later
                    raise
            if made:
                _flush_folder(path.parent)
        except OSError as error:
            raise StoreError(
                str(path), f"cannot be written: {error.strerror or error}", "free some space, or check the rights"
            ) from error

    def _make_folder(self, folder: Path) -> None:
        missing: list[Path] = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for new in reversed(missing):
            new.mkdir(mode=_FOLDER_MODE, exist_ok=True)
            _flush_folder(new.parent)


class _Head(msgspec.Struct):
    id: str = msgspec.field(name="eventID", default="")


_HEAD = msgspec.json.Decoder(_Head)


def _identity(record: bytes) -> str:
    try:
        return _HEAD.decode(record).id
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""


def _one_line(record: bytes) -> bytes:
    """The record on a line of its own; line feeds in JSON stand only between tokens, where a blank does as well."""
    return record.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"


def _write_all(descriptor: int, content: bytes, at: int) -> None:
    while content:
        written = os.pwrite(descriptor, content, at)
        content, at = content[written:], at + written


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
