"""Signals of a scan on disk until everything is read: only then all links are known that tell who began what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trailwatch.cli.scan_bodies import Bodies
from trailwatch.detect.pages import Page, read_page
from trailwatch.detect.sightings import Place, Stretch, widen
from trailwatch.model.match import Written


class SignalSpool:
    """A file of pages that are written one after the other and read as often as wanted.

    Args:
        path: the file; it must not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._bodies = Bodies(path.open("x+b"))
        self.heard: dict[Place, Stretch] = {}
        """Rules with a memory and accounts, with the first and the last time of what they heard of."""

    def close(self) -> None:
        self._bodies.close()

    def add(self, page: Written) -> None:
        """Keeps a page."""
        self._bodies.add(page.body)
        for rule_id, account, *stretch in page.heard:
            widen(self.heard, (rule_id, account), *stretch)

    def pages(self) -> Iterator[Page]:
        """All that were kept, in order."""
        return map(read_page, self._bodies.each())
