"""What stateful rules say of a scan: the same evaluator as in a cycle, over a store that is thrown away."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from trailwatch.cli.scan_heard import heard_on
from trailwatch.cli.scan_incidents import ScanLineage
from trailwatch.cli.scan_sifting import sifted
from trailwatch.cli.scan_spool import SignalSpool
from trailwatch.cli.scan_suppressions import ScanSuppressions
from trailwatch.detect.actor_keys import ActorKeys
from trailwatch.detect.correlator import Correlator, Firing
from trailwatch.detect.firings import alert_of, match_of, titles_of
from trailwatch.detect.pages import Note, page_of, page_of_signals
from trailwatch.detect.sieve import Sieve
from trailwatch.model.alert import Alert
from trailwatch.model.match import Found, Match
from trailwatch.model.signal import Signal
from trailwatch.rules.rule import RuleSet
from trailwatch.store.database import Database
from trailwatch.store.store import Store

ON_ONE_PAGE = 4096
"""Events that are noted together; many more would take memory, and of few the texts are not looked at at once."""


class ScanState:
    """Takes what was found piece by piece; the pieces and their order make no difference.

    Args:
        rules: the rules of the scan.
    """

    def __init__(self, rules: RuleSet) -> None:
        self._correlations = rules.correlations
        self._titles = titles_of(rules)
        self._actor_keys = ActorKeys(rules.correlations)
        self._signals: list[Signal] = []
        self._notes: list[Note] = []
        self._noted = 0
        """So many rows are in the notes."""
        self.unkeyed = 0
        """How often a correlation found no value for its key in what was noted; complete after `conclude`."""
        self._wanted = {one.info.id for one in rules.correlations}
        self._at_once = ExitStack()
        self._folder = tempfile.TemporaryDirectory(prefix="trailwatch-scan-")
        folder = Path(self._folder.name)
        try:
            self._spool = SignalSpool(folder / "signals")
            self._store = Store(Database(folder / "state.sqlite3", lasting=False))
        except BaseException:
            self._folder.cleanup()
            raise

    def __enter__(self) -> Self:
        # one transaction from first to last: nothing of it has to outlive the scan, and each costs
        self._at_once.enter_context(self._store.transaction())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._at_once.close()
        self._store.close()
        self._spool.close()
        self._folder.cleanup()

    def take(self, found: Found) -> None:
        """Keeps the signals, notes and links, which leave `found`."""
        if found.links:
            self._store.lineage.keep(found.links, 0)
        self._signals += [one for one in found.signals if one.rule_id in self._wanted]
        for page in found.pages:
            self._spool.add(page)
        self._notes += found.notes
        self._noted += sum(len(note.rows) for note in found.notes)
        if self._noted + len(self._signals) >= ON_ONE_PAGE:
            self._turn_page()
        found.links, found.signals, found.notes, found.pages = [], [], [], []

    def _turn_page(self) -> None:
        page, unkeyed = page_of(self._notes)
        if page is not None:
            self._spool.add(page)
        if self._signals:
            self._spool.add(page_of_signals(self._signals, self._actor_keys.places))
        self.unkeyed += unkeyed
        self._notes, self._noted, self._signals = [], 0, []

    def heard(self) -> Mapping[tuple[str, str], tuple[int, int]]:
        """Rules with a memory and accounts, with the first and the last time of what was noted for them."""
        self._turn_page()
        return self._spool.heard

    def heard_signals(self, wanted: Collection[tuple[str, str]]) -> Iterator[Signal]:
        """What was noted for these rules with a memory and these accounts."""
        return heard_on(self._spool.pages(), wanted)

    def lineage(self) -> ScanLineage:
        """Who began what; asked for after everything was taken."""
        return ScanLineage(self._store.lineage.parents)

    def conclude(self, suppressions: ScanSuppressions) -> tuple[list[Match], list[Alert]]:
        """Matches and alerts of all correlations, by time; called once, after everything was taken."""
        self._turn_page()
        lineage = self.lineage()
        correlator = Correlator(self._correlations, self._store.signals)
        with self._store.transaction():
            for some in sifted(self._spool.pages, Sieve(self._correlations), lineage):
                correlator.keep(some)
            firings: list[Firing] = suppressions.of_firings(correlator.everything(), lineage.actor_at)
        alerts = [suppressions.noted(alert_of(one, self._titles)) for one in firings]
        return [match_of(one, self._titles) for one in firings], alerts
