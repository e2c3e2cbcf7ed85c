"""One delivery's way through: seen before? -> match -> archive -> correlate and keep -> acknowledge.

A crash at any line loses nothing: what was not committed is delivered again, because its coverage was not gained and
it was not acknowledged. The archive is written before the commit, so a crash between the two leaves records there
that come once more; its readers count those as duplicates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Protocol

import msgspec

from trailwatch.announcing import Announcer
from trailwatch.decode.polled import Polled, polled_of, without
from trailwatch.detect.actor_keys import ActorKeys
from trailwatch.detect.attribution import Attribution
from trailwatch.detect.correlator import Correlator, Firing
from trailwatch.detect.facts import with_facts
from trailwatch.detect.firings import alert_of, titles_of
from trailwatch.detect.firings import events_of as correlated_events
from trailwatch.detect.first_seen import Memory
from trailwatch.detect.late_memory import ActorsInMemory
from trailwatch.detect.novelty import NewOnly
from trailwatch.detect.routing import Routing
from trailwatch.detect.telling import messages_of
from trailwatch.detect.travel import Journeys
from trailwatch.detect.triage import events_of, group
from trailwatch.model.alert import Alert
from trailwatch.model.identity import trial_alert_id
from trailwatch.model.match import Found, Match, Tally
from trailwatch.model.message import Message
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.model.signal import Brief, Signal
from trailwatch.model.suppressed import lapsed_alert
from trailwatch.ports import AddressBook, Clock, Delivery
from trailwatch.rules.rule import RuleSet
from trailwatch.store.store import Store

if TYPE_CHECKING:
    from trailwatch.detect.suppress import Names, SiftedFirings, SiftedMatches

SEEN_BEFORE = "seen before"
CANARY = "canary"
CANARY_MARK = b"trailwatch-canary-"
"""Stands in every record that may be a canary's; what decides is in `trailwatch.detect.canary`."""
OWN_RESPONSE = "own response"
NOT_READ = "not read"
"""In an alert's context: places that could not be read when an absence was judged."""


class Evaluator(Protocol):
    """Stage 1, such as `trailwatch.detect.engine.Engine`."""

    def evaluate(self, delivery: Delivery) -> Found:
        """Everything that the rules say about the delivery; a pure function."""


class Keeper(Protocol):
    """Where polled records are kept, such as `trailwatch.archive.Archive`."""

    def append(self, account: str, region: str, records: Sequence[tuple[int, bytes]]) -> object:
        """The records (event time, raw JSON) are on the disk when this comes back."""


class Sifter(Protocol):
    """Stage 3's first step, such as `trailwatch.detect.suppress.Suppressor`."""

    def asks(self, rule: RuleInfo) -> bool:
        """Whether there is something that speaks of this rule."""

    def sift(self, matches: Iterable[Match], names: Names | None = None) -> SiftedMatches:
        """The matches that go on, and those that are hidden."""

    def sift_firings(self, firings: Iterable[Firing], names: Names | None = None) -> SiftedFirings:
        """The same for what correlations concluded."""


class Pipeline:
    """What every delivery goes through, and what is told of it.

    Args:
        engine: stage 1.
        store: where everything is kept.
        archive: where polled records go; None keeps none.
        clock: what time it is.
        routes: for each notifier by name, the least severity that is sent there.
        rules: what the engine runs, with the correlations over it.
        sifter: what keeps matches from becoming alerts; asked only where there are some.
        book: gives what stands around records; asked only where an alert shows something of it.
        announcer: decides what is told and when; without it everything at once, as `routes` say.
    """

    def __init__(
        self,
        engine: Evaluator,
        store: Store,
        archive: Keeper | None,
        clock: Clock,
        routes: Mapping[str, Severity],
        rules: RuleSet | None = None,
        sifter: Sifter | None = None,
        book: Callable[[], AddressBook | None] = lambda: None,
        *,
        announcer: Announcer | None = None,
    ) -> None:
        self._engine = engine
        self._store = store
        self._archive = archive
        self._clock = clock
        self._announcer = announcer or Announcer(store, Routing.by_level(routes))
        rules = rules or RuleSet()
        self._correlator = Correlator(rules.correlations, store.signals)
        self._memory = Memory(rules.first_seen, store.first_seen, whole=False)
        self._journeys = Journeys(rules.first_seen, store.first_seen)
        self._actor_keys = ActorKeys(rules.correlations)
        self._new_only = NewOnly(rules)
        self._actors_in_memory = ActorsInMemory(rules)
        self._titles = titles_of(rules)
        self._attribution = Attribution(store.lineage, store.incidents)
        self._sifter = sifter
        self._on_trial: frozenset[str] = frozenset()
        self._book = book

    def process(self, delivery: Delivery) -> Found:
        """What was found in the delivery, once it is committed and acknowledged.

        Polled events (`delivery.archive`) that an earlier delivery brought are left out as "seen before".

        Raises:
            StoreError: the state file cannot be written; nothing of the delivery was kept.
        """
        polled = polled_of(delivery) if delivery.archive else []
        fresh = list(compress(polled, self._store.seen.fresh([one.key for one in polled])))
        canaries, own = self._canaries(delivery, fresh), self._own_calls(delivery, fresh)
        known = {one.at for one in polled} - {one.at for one in fresh}
        found = self._engine.evaluate(without(delivery, known | canaries.keys() | own.keys()))
        found.tally.records += len(known) + len(canaries) + len(own)
        found.tally.left_out += Counter({SEEN_BEFORE: len(known), CANARY: len(canaries), OWN_RESPONSE: len(own)})
        self._keep(delivery, fresh)
        self._commit(delivery, found, fresh, canaries.values(), own.values())
        if delivery.ack is not None:
            delivery.ack()
        return found

    def put_on_trial(self, rule_ids: frozenset[str]) -> None:
        """From now on alerts of these rules, and of no others, are kept apart and nobody is told of them."""
        self._on_trial = rule_ids

    def _apart(self, firing: Firing) -> Firing:
        if firing.correlation.info.id not in self._on_trial:
            return firing
        return firing._replace(alert_id=trial_alert_id(firing.alert_id))

    def _marked(self, alerts: list[Alert]) -> list[Alert]:
        if not self._on_trial:
            return alerts
        return [msgspec.structs.replace(one, staged=one.rule.id in self._on_trial) for one in alerts]

    @property
    def waits(self) -> bool:
        """Whether there is something that `judge` could judge."""
        return self._correlator.waits

    def judge(self, watermark: int, unread: Sequence[str] = (), tally: Tally | None = None) -> int:
        """Judges what correlations say of moments that are settled; how many alerts there are to it.

        Args:
            watermark: the time up to which everything readable was read, in seconds since 1970.
            unread: places that cannot be read, which a person must know to judge an absence.
            tally: gets what was suppressed and what was put off.
        """
        if not self._correlator.waits:
            return 0
        now, concluded, judged = int(self._clock.now().timestamp()), 0, 1
        while judged:
            with self._store.transaction():
                self._attribution.learn((), now)
                firings, judged = self._correlator.judge(watermark)
                self._conclude(firings, now, tally or Tally(), {NOT_READ: ", ".join(unread)} if unread else {})
            concluded += len(firings)
        return concluded

    def _conclude(
        self, firings: Sequence[Firing], now: int, tally: Tally, context: Mapping[str, str] | None = None
    ) -> None:
        lapsed: Mapping[str, str] = {}
        if self._on_trial:
            firings = [self._apart(one) for one in firings]
        if self._sifter is not None and firings:
            firings, hidden, lapsed = self._sifter.sift_firings(firings, self._actor_at(now))
            self._store.suppressed.add(hidden, now)
            tally.suppressed += len(hidden)
            tally.lapsed += len(lapsed)
        alerts = [alert_of(firing, self._titles) for firing in firings]
        if context:
            alerts = [msgspec.structs.replace(one, context={**one.context, **context}) for one in alerts]
        alerts = [lapsed_alert(one, lapsed[one.id]) if one.id in lapsed else one for one in alerts]
        alerts = self._marked(alerts)
        self._store.alerts.merge(alerts, now, {one.alert_id: correlated_events(one) for one in firings})
        tally.put_off += self._attribution.settle([one.id for one in alerts], (), now)

    def _remember(self, delivery: Delivery, found: Found, turned: Collection[str], now: int) -> None:
        """Adds what rules with a memory say to the matches, and to the signals of those that read them.

        What they remember of somebody whose actor a link tells only now, they hear again as the actor's.
        """
        names = self._actor_at(now)

        def actor_of(brief: Brief) -> str:
            return names(brief.identity or brief.principal, brief.time)

        for gain in delivery.gains:
            self._store.first_seen.learn(gain.key.account, gain.interval.start, gain.key.lookup)
        heard = [*self._turned_memories(turned, actor_of), *found.signals]
        for rules in (self._memory, self._journeys):
            found.matches += with_facts(rules.take(heard, actor_of), self._book)
        for signals, daily in zip(self._actors_in_memory.divided(heard), (True, False), strict=True):
            self._store.actor_signals.add(signals, [actor_of(one.brief) for one in signals], daily=daily)
        if self._new_only:
            asking, _ = self._new_only.divided(heard)
            _, others = self._new_only.divided(found.signals)
            found.signals = [*others, *self._new_only.answered(asking, self._memory, actor_of)]

    def _turned_memories(self, turned: Collection[str], actor_of: Callable[[Brief], str]) -> list[Signal]:
        """What memories took as somebody else's."""
        if not turned or not self._actors_in_memory:
            return []
        return [
            signal
            for signal, before in self._store.actor_signals.of(turned)
            if self._actors_in_memory.names(signal) and actor_of(signal.brief) != before
        ]

    def _sift(self, found: Found, now: int) -> None:
        """Takes what is suppressed out of the matches; kept in the transaction that would have kept the alerts."""
        if self._on_trial:
            found.matches = [
                msgspec.structs.replace(one, alert_id=trial_alert_id(one.alert_id))
                if one.rule.id in self._on_trial
                else one
                for one in found.matches
            ]
        if self._sifter is None or not found.matches:
            return
        sifted = self._sifter.sift(found.matches, self._actor_at(now))
        found.matches = sifted.kept
        found.tally.suppressed += len(sifted.hidden)
        found.tally.lapsed += sifted.lapsed
        self._store.suppressed.add(sifted.hidden, now)

    def _of_actors(self, found: Found, turned: Collection[str], now: int) -> list[Signal]:
        """The delivery's signals under their actors; and older ones whose actor a link tells only now.

        Those are no longer counted under whom they were, and an alert that they alone made is dropped while nobody
        was told of it.
        """
        keys, actor_at = self._actor_keys, self._actor_at(now)
        if not keys:
            return found.signals
        naming, others = keys.divided(found.signals)
        actors = [actor_at(one.brief.identity or one.brief.principal, one.brief.time) for one in naming]
        old: list[Signal] = []
        for signal, before in self._store.actor_signals.of(turned):
            actor = actor_at(signal.brief.identity or signal.brief.principal, signal.brief.time)
            if actor != before and keys.divided([signal])[0] and not self._actors_in_memory.names(signal):
                naming.append(signal)
                actors.append(actor)
                old += [keys.under(signal, before)] if before else []
        self._store.alerts.drop_untold(self._correlator.withdraw(old))
        self._store.actor_signals.add(naming, actors)
        return [*others, *(keys.under(one, actor) for one, actor in zip(naming, actors, strict=True))]

    def _kept_whole(self, rule: RuleInfo, alert_id: str) -> bool:
        """Whether an alert is there with all its events: what a suppression hid of it may have to come back."""
        if self._sifter is not None and self._sifter.asks(rule):
            return False
        return self._store.alerts.has(trial_alert_id(alert_id) if rule.id in self._on_trial else alert_id)

    def _actor_at(self, now: int) -> Names:
        return lambda identity, time: self._attribution.actor(identity, time, now).key

    def announce(self, now: int) -> list[Message]:
        """Puts what is to be told by now into the outbox; what comes back has every new alert, by incident.

        Who gets what, and what waits for an update or a digest, is decided in `trailwatch.announcing`. After a
        crash the next cycle tells what was left untold.

        Args:
            now: seconds since 1970.
        """
        with self._store.transaction():
            self._store.handling.wake(now)
            alerts = self._store.alerts.untold()
            self._announcer.announce(alerts, now)
        return messages_of(alerts, now, apart=True)

    def _keep(self, delivery: Delivery, fresh: Sequence[Polled]) -> None:
        if self._archive is None:
            return
        by_place: dict[tuple[str, str], list[tuple[int, bytes]]] = {}
        for one in {one.key: one for one in fresh}.values():
            account, time, _ = one.key
            by_place.setdefault((account, one.region), []).append((time, bytes(delivery.records[one.at])))
        for (account, region), records in sorted(by_place.items()):
            self._archive.append(account, region, records)

    def _canaries(self, delivery: Delivery, fresh: Sequence[Polled]) -> dict[int, str]:
        """Where events of calls stand that trailwatch made to see whether they come back, with their markers."""
        suspects = [one.at for one in fresh if CANARY_MARK in bytes(delivery.records[one.at])]
        if not suspects:
            return {}
        from trailwatch.detect.canary import markers_at

        expected = self._store.canaries.expected()
        return markers_at({at: bytes(delivery.records[at]) for at in suspects}, expected)

    def _own_calls(self, delivery: Delivery, fresh: Sequence[Polled]) -> dict[int, str]:
        """Where events of calls stand that responses made, with AWS's ids of the requests."""
        awaited = self._store.responses.awaited() if fresh else {}
        suspects = {one.at: bytes(delivery.records[one.at]) for one in fresh if one.request in awaited}
        if not suspects:
            return {}
        from trailwatch.respond.own_calls import requests_at

        return requests_at(suspects, awaited)

    def _commit(
        self, delivery: Delivery, found: Found, fresh: Sequence[Polled], canaries: Iterable[str], own: Iterable[str]
    ) -> None:
        now = int(self._clock.now().timestamp())
        with self._store.transaction():
            for marker in canaries:
                self._store.canaries.returned(marker, now)
            self._store.responses.returned(own, now)
            self._store.seen.add([one.key for one in fresh])
            turned = self._attribution.learn(found.links, now)
            self._remember(delivery, found, turned, now)
            self._sift(found, now)
            alerts = self._marked(group(found.matches))
            self._store.alerts.merge(alerts, now, events_of(found.matches))
            found.tally.put_off += self._attribution.settle([one.id for one in alerts], turned, now)
            firings, found.tally.late = self._correlator.add(self._of_actors(found, turned, now), self._kept_whole)
            self._conclude(firings, now, found.tally)
            self._store.rejects.add(found.rejects, now)
            self._store.rejects.add_failures(found.failures, now)
            self._store.coverage.add(delivery.gains)
