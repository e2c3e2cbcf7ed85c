"""The suppressions of a scan: what they hid is left out, counted and told at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trailwatch.model.suppressed import Suppressed, lapsed_alert

if TYPE_CHECKING:
    from trailwatch.config.schema import Config
    from trailwatch.detect.correlator import Firing
    from trailwatch.detect.suppress import Names, Suppressor
    from trailwatch.model.alert import Alert
    from trailwatch.model.match import Match
    from trailwatch.rules.rule import Problem


class ScanSuppressions:
    """What the suppressions of one scan do.

    Args:
        suppressor: None where there is nothing to ask.
        problems: what is wrong with files that hide nothing.
    """

    def __init__(self, suppressor: Suppressor | None = None, problems: Sequence[Problem] = ()) -> None:
        self._suppressor = suppressor
        self._notes: dict[str, str] = {}
        self.problems = problems
        self.hidden: list[Suppressed] = []
        self.lapsed = 0

    def of_matches(self, matches: list[Match], names: Names | None = None) -> list[Match]:
        """Those that go on; `names` says who began an event."""
        if self._suppressor is None:
            return matches
        sifted = self._suppressor.sift(matches, names)
        self.hidden += sifted.hidden
        self.lapsed += sifted.lapsed
        return sifted.kept

    def of_firings(self, firings: list[Firing], names: Names | None = None) -> list[Firing]:
        """The same for correlations."""
        if self._suppressor is None:
            return firings
        sifted = self._suppressor.sift_firings(firings, names)
        self.hidden += sifted.hidden
        self.lapsed += len(sifted.lapsed)
        self._notes |= sifted.lapsed
        return sifted.kept

    def noted(self, alert: Alert) -> Alert:
        """The alert of a correlation, with what is to be said of a suppression that has expired."""
        note = self._notes.get(alert.id)
        return alert if note is None else lapsed_alert(alert, note)

    def complaints(self) -> Iterator[str]:
        """What a person must know: files that hide nothing, and how much each of the others hid."""
        from trailwatch.model.inert import for_terminal

        for problem in self.problems:
            yield for_terminal(f"{'error' if problem.error else 'warning'}: {problem.origin}: {problem.text}")
        alerts: dict[str, set[str]] = {}
        for one in self.hidden:
            alerts.setdefault(one.suppression, set()).add(one.alert_id)
        for name, events in sorted(Counter(one.suppression for one in self.hidden).items()):
            told = f"{counted(events, 'match', 'matches')}, {counted(len(alerts[name]), 'alert', 'alerts')}"
            yield for_terminal(f"suppressed: {name}: {told}")
        if self.lapsed:
            yield f"suppressed: nothing of {self.lapsed:,} more, because a suppression has expired; see their context"


def counted(number: int, one: str, many: str) -> str:
    """`1 match` or `1,000 matches`."""
    return f"{number:,} {one if number == 1 else many}"


def scan_suppressions(
    config: Config, environment: Mapping[str, str], places: Sequence[Path], *, unsuppressed: bool
) -> ScanSuppressions:
    """The suppressions that a scan was asked for: those in `places`, or where none is named the configured ones."""
    from trailwatch import wiring
    from trailwatch.errors import UsageError

    if unsuppressed:
        if places:
            raise UsageError("--no-suppressions", "--suppressions names some", "give one of the two")
        return ScanSuppressions()
    if not places and not wiring.suppression_places(config):
        return ScanSuppressions()
    found = wiring.load_suppressions(config, environment, places or None)
    suppressor = wiring.suppressor_of(config, found.suppressions)
    return ScanSuppressions(suppressor or None, (*found.problems, *suppressor.problems))
