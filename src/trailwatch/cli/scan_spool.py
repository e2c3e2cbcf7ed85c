"""Signals of a scan on disk until everything is read: only then all links are known that tell who began what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trailwatch.detect.pages import Page, read_page
from trailwatch.model.match import Written


class SignalSpool:
    """A file of pages that are written one after the other and read as often as wanted.

    Args:
        path: the file; it must not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("x+b")
        self.heard: dict[tuple[str, str], tuple[int, int]] = {}
        """Rules with a memory and accounts, with the first and the last time of what they heard of."""

    def close(self) -> None:
        self._file.close()

    def add(self, page: Written) -> None:
        """Keeps a page."""
        self._file.write(len(page.body).to_bytes(8, "big"))
        self._file.write(page.body)
        for rule_id, account, first, last in page.heard:
            before = self.heard.get((rule_id, account), (first, last))
            self.heard[rule_id, account] = min(first, before[0]), max(last, before[1])

    def pages(self) -> Iterator[Page]:
        """All that were kept, in order."""
        self._file.seek(0)
        while header := self._file.read(8):
            yield read_page(self._file.read(int.from_bytes(header, "big")))
