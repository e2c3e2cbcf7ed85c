"""The suppressions of a service: read when there is the first match, and again when a file has changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from trailwatch import wiring
from trailwatch.config.schema import Config

if TYPE_CHECKING:
    from pathlib import Path

    from trailwatch.detect.correlator import Firing
    from trailwatch.detect.suppress import Names, SiftedFirings, SiftedMatches, Suppressor
    from trailwatch.model.match import Match
    from trailwatch.model.rule import RuleInfo

_Stamp = tuple[tuple[str, int, int], ...]


class FolderSifter:
    """What `trailwatch.pipeline.Pipeline` asks; without a file it costs one look at the folder.

    Args:
        config: names the folders.
        environment: the process's variables.
    """

    def __init__(self, config: Config, environment: Mapping[str, str]) -> None:
        self._config = config
        self._environment = environment
        self._stamp: _Stamp | None = None
        self._suppressor: Suppressor | None = None
        self._complaints: list[str] = []

    def asks(self, rule: RuleInfo) -> bool:
        """Whether there is a suppression that speaks of this rule."""
        return self._current().asks(rule)

    def sift(self, matches: Iterable[Match], names: Names | None = None) -> SiftedMatches:
        """The matches that go on, and those that are hidden."""
        return self._current().sift(matches, names)

    def sift_firings(self, firings: Iterable[Firing], names: Names | None = None) -> SiftedFirings:
        """The same for what correlations concluded."""
        return self._current().sift_firings(firings, names)

    def complaints(self) -> list[str]:
        """What a summary says of suppressions that could not be used; empty before they were needed."""
        return self._complaints

    def _current(self) -> Suppressor:
        stamp = tuple(self._files())
        if self._suppressor is None or stamp != self._stamp:
            found = wiring.load_suppressions(self._config, self._environment)
            self._suppressor = wiring.suppressor_of(self._config, found.suppressions)
            broken = sum(problem.error for problem in (*found.problems, *self._suppressor.problems))
            told = f"{broken} suppression(s) not used, see `trailwatch suppressions check`"
            self._complaints = [told] if broken else []
            self._stamp = stamp
        return self._suppressor

    def _files(self) -> Iterator[tuple[str, int, int]]:
        for place in wiring.suppression_places(self._config):
            try:
                for path in [place, *sorted(place.iterdir())] if place.is_dir() else [place]:
                    yield _stamp_of(path)
            except OSError:
                yield str(place), -1, -1  # loading says why


def _stamp_of(path: Path) -> tuple[str, int, int]:
    found = path.stat()
    return str(path), found.st_mtime_ns, found.st_size
