"""How long the archive remembers: hours that are too old leave, counted; nothing else in the folder is touched."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from trailwatch.archive.layout import HOUR_SECONDS, hour_in
from trailwatch.errors import StoreError


class Removed(NamedTuple):
    """What left the archive."""

    files: int = 0
    bytes: int = 0


def prune(root: Path, before: int) -> Removed:
    """Removes every hour that ended by then, and folders that are empty after it.

    Args:
        root: the archive's folder; one that is not there has nothing to remove.
        before: seconds since 1970.

    Raises:
        StoreError: a file cannot be removed.
    """
    files = size = 0
    for folder in _days(root, datetime.fromtimestamp(before, UTC)):
        for path in sorted(folder.iterdir()):
            hour = hour_in(path)
            if hour is None or hour.start + HOUR_SECONDS > before:
                continue
            try:
                taken = path.stat().st_size
                path.unlink()
            except OSError as error:
                raise StoreError(str(path), f"cannot be removed: {error.strerror}", "check its rights") from error
            files, size = files + 1, size + taken
        _remove_empty(folder, root)
    return Removed(files, size)


def _days(root: Path, last: datetime) -> Iterator[Path]:
    """Folders of days up to that one; only those of such years and months are looked into."""
    wanted = f"{last:%Y}", f"{last:%Y/%m}", f"{last:%Y/%m/%d}"
    for region in sorted(root.glob("AWSLogs/*/CloudTrail/*")):
        for year in _upto(region, wanted[0], region):
            for month in _upto(year, wanted[1], region):
                yield from _upto(month, wanted[2], region)


def _upto(folder: Path, wanted: str, region: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [one for one in sorted(folder.iterdir()) if one.is_dir() and one.relative_to(region).as_posix() <= wanted]


def _remove_empty(folder: Path, root: Path) -> None:
    with contextlib.suppress(OSError):  # one that holds something stays
        while folder != root:
            folder.rmdir()
            folder = folder.parent
