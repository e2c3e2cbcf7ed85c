"""What stateful rules say of a scan: the same evaluator as in a cycle, over a store that is thrown away."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from trailwatch.cli.scan_incidents import ScanLineage
from trailwatch.cli.scan_suppressions import ScanSuppressions
from trailwatch.detect.actor_keys import ActorKeys
from trailwatch.detect.correlator import Correlator, Firing
from trailwatch.detect.firings import alert_of, match_of, titles_of
from trailwatch.model.alert import Alert
from trailwatch.model.match import Found, Match
from trailwatch.model.signal import Signal
from trailwatch.rules.rule import RuleSet
from trailwatch.store.database import Database
from trailwatch.store.store import Store

PIECE = 10_000


class ScanState:
    """Takes what was found piece by piece; the pieces and their order make no difference.

    Args:
        rules: the rules of the scan.
    """

    def __init__(self, rules: RuleSet) -> None:
        self._titles = titles_of(rules)
        self._folder = tempfile.TemporaryDirectory(prefix="trailwatch-scan-")
        try:
            self._store = Store(Database(Path(self._folder.name) / "state.sqlite3", lasting=False))
        except BaseException:
            self._folder.cleanup()
            raise
        self._correlator = Correlator(rules.correlations, self._store.signals)
        self._actor_keys = ActorKeys(rules.correlations)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.close()
        self._folder.cleanup()

    def take(self, found: Found) -> None:
        """Keeps the signals and links, which leave `found`."""
        if found.links:
            self._store.lineage.add(found.links, 0)
            found.links = []
        if found.signals:
            # who began what is known when all links are
            naming, others = self._actor_keys.divided(found.signals)
            with self._store.transaction():
                self._correlator.keep(others)
                self._store.actor_signals.add(naming)
            found.signals = []

    def lineage(self) -> ScanLineage:
        """Who began what; asked for after everything was taken."""
        return ScanLineage(self._store.lineage.parents)

    def conclude(self, suppressions: ScanSuppressions) -> tuple[list[Match], list[Alert]]:
        """Matches and alerts of all correlations, by time; called once, after everything was taken."""
        actor_at = self.lineage().actor_at
        with self._store.transaction():
            for some in _pieces(self._store.actor_signals.everything()):
                self._correlator.keep(self._actor_keys.keyed(some, actor_at))
            firings: list[Firing] = suppressions.of_firings(self._correlator.everything(), actor_at)
        alerts = [suppressions.noted(alert_of(one, self._titles)) for one in firings]
        return [match_of(one, self._titles) for one in firings], alerts


def _pieces(signals: Iterator[Signal]) -> Iterator[list[Signal]]:
    while some := list(itertools.islice(signals, PIECE)):
        yield some
