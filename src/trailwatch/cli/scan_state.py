"""What stateful rules say of a scan: the same evaluator as in a cycle, over a store that is thrown away."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from trailwatch.cli.scan_incidents import ScanLineage
from trailwatch.cli.scan_spool import Piece, Row, SignalSpool
from trailwatch.cli.scan_suppressions import ScanSuppressions
from trailwatch.detect.actor_keys import ActorKeys
from trailwatch.detect.correlator import Correlator, Firing
from trailwatch.detect.firings import alert_of, match_of, titles_of
from trailwatch.detect.sieve import Sieve
from trailwatch.model.alert import Alert
from trailwatch.model.match import Found, Match
from trailwatch.model.signal import Link, Signal
from trailwatch.rules.rule import RuleSet
from trailwatch.store.database import Database
from trailwatch.store.store import Store

LINKS_KNOWN = 50_000
"""So many links are remembered as kept already; callers tell theirs in every file."""

ActorAt = Callable[[str, int], str]


class ScanState:
    """Takes what was found piece by piece; the pieces and their order make no difference.

    Args:
        rules: the rules of the scan.
    """

    def __init__(self, rules: RuleSet) -> None:
        self._correlations = rules.correlations
        self._titles = titles_of(rules)
        self._actor_keys = ActorKeys(rules.correlations)
        self._linked: set[Link] = set()
        self._where: dict[tuple[int, int], tuple[int, ...]] = {}
        """Where the actor stands in the keys of signals, by the numbers of their two rules."""
        self._folder = tempfile.TemporaryDirectory(prefix="trailwatch-scan-")
        folder = Path(self._folder.name)
        try:
            self._spool = SignalSpool(folder / "signals", (one.info.id for one in rules.correlations))
            self._store = Store(Database(folder / "state.sqlite3", lasting=False))
        except BaseException:
            self._folder.cleanup()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.close()
        self._spool.close()
        self._folder.cleanup()

    def take(self, found: Found) -> None:
        """Keeps the signals and links, which leave `found`."""
        links = [link for link in found.links if link not in self._linked]
        if links:
            if len(self._linked) > LINKS_KNOWN:
                self._linked.clear()
            self._linked.update(links)
            self._store.lineage.add(links, 0)
        self._spool.add(found.signals)
        found.links, found.signals = [], []

    def lineage(self) -> ScanLineage:
        """Who began what; asked for after everything was taken."""
        return ScanLineage(self._store.lineage.parents)

    def conclude(self, suppressions: ScanSuppressions) -> tuple[list[Match], list[Alert]]:
        """Matches and alerts of all correlations, by time; called once, after everything was taken."""
        actor_at = self.lineage().actor_at
        correlator = Correlator(self._correlations, self._store.signals)
        with self._store.transaction():
            for some in self._sifted(actor_at):
                correlator.keep(some)
            firings: list[Firing] = suppressions.of_firings(correlator.everything(), actor_at)
        alerts = [suppressions.noted(alert_of(one, self._titles)) for one in firings]
        return [match_of(one, self._titles) for one in firings], alerts

    def _sifted(self, actor_at: ActorAt) -> Iterator[list[Signal]]:
        """The signals, under their actors, that can make a correlation hold."""
        names, sieve = self._spool.names, Sieve(self._correlations)
        places = [
            array(
                "L",
                [
                    sieve.count(names[rule], names[base], key, piece.acted[event][1], value)
                    for (rule, base, event, _, value), key in self._keyed(piece, piece.rows, actor_at)
                ],
            )
            for piece in self._spool.pieces()
        ]
        for piece, numbers in zip(self._spool.pieces(), places, strict=True):
            rows = [row for row, number in zip(piece.rows, numbers, strict=True) if sieve.may_pass(number)]
            left = [
                (row, key)
                for row, key in self._keyed(piece, rows, actor_at)
                if sieve.passes(names[row[0]], key, piece.acted[row[2]][1])
            ]
            briefs = piece.events() if left else []
            yield [
                Signal(names[rule], names[base], key, briefs[event].time, briefs[event], value)
                for (rule, base, event, _, value), key in left
            ]

    def _keyed(self, piece: Piece, rows: Sequence[Row], actor_at: ActorAt) -> list[tuple[Row, tuple[str, ...]]]:
        """Each of these rows with its key, in which the actor stands where it belongs."""
        names, where = self._spool.names, self._where
        actors: dict[int, str] = {}
        found: list[tuple[Row, tuple[str, ...]]] = []
        for row in rows:
            rule, base, event, key, _ = row
            places = where.get((rule, base))
            if places is None:
                places = where[rule, base] = self._actor_keys.places(names[rule], names[base])
            if places:
                if event not in actors:
                    actors[event] = actor_at(*piece.acted[event])
                if len(key) == 1:
                    key = (actors[event],)
                else:
                    key = tuple([actors[event] if at in places else text for at, text in enumerate(key)])
            found.append((row, key))
        return found
