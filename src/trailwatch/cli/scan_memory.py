"""Rules with a memory over a whole input: they are asked when everything is known."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from trailwatch.detect.facts import with_facts
from trailwatch.detect.first_seen import Memory
from trailwatch.detect.novelty import NewOnly
from trailwatch.detect.sightings import Noted, SightingsInMemory
from trailwatch.detect.travel import Journeys
from trailwatch.model.match import Found, Match
from trailwatch.model.sighting import DAY
from trailwatch.model.signal import Brief, Signal
from trailwatch.ports import AddressBook
from trailwatch.rules.rule import RuleSet
from trailwatch.store.baseline_file import Baseline

Records = Callable[[Sequence[Match]], list[Match]]
_Key = tuple[str, str, tuple[str, ...], str, int, str]


class ScanMemory:
    """Takes what was found piece by piece; the pieces and their order make no difference.

    Args:
        rules: the rules of the scan.
        baseline: what was learned before; None for nothing.
        learn_until: what is before this time is learned in silence.
        book: what stands around records.
        learning: whether `state` and `seen_only_from` are asked for in the end; otherwise only what may speak is
            looked at.
    """

    def __init__(
        self,
        rules: RuleSet,
        baseline: Baseline | None = None,
        learn_until: int | None = None,
        book: AddressBook | None = None,
        *,
        learning: bool = False,
    ) -> None:
        self._book = book
        self._learning = learning
        self._rules = rules.first_seen
        self._ids = {rule.info.id for rule in rules.first_seen}
        self._learn_until = learn_until
        self._signals: dict[_Key, Signal] = {}
        self._callers: dict[int, set[tuple[str, str, str]]] = {}
        self.state = SightingsInMemory()
        """What was learned; complete after `conclude` of one that is learning."""
        self._memory = Memory(self._rules, self.state, learn_until=learn_until)
        self._new_only = NewOnly(rules)
        self._asking: list[Signal] = []
        if baseline is not None:
            baseline.teach(self.state)

    def take(self, found: Found) -> None:
        """Keeps the signals that rules with a memory want, one for each combination of values and day.

        Those of correlations over such rules leave `found`, until it is known what is new.
        """
        if self._new_only:
            asking, found.signals = self._new_only.divided(found.signals)
            self._asking += asking
        for signal in found.signals if self._ids else ():
            if signal.rule_id not in self._ids:
                continue
            stretch = signal.time if signal.value else signal.time // DAY  # of a journey every moment counts
            who = signal.brief.identity or signal.brief.principal
            key = (signal.rule_id, signal.brief.account, signal.key, who, stretch, signal.value)
            kept = self._signals.get(key)
            if kept is None or (signal.time, signal.brief.event_id) < (kept.time, kept.brief.event_id):
                self._signals[key] = signal

    def conclude(
        self, actor_at: Callable[[str, int], str], records: Records = list, noted: Noted | None = None
    ) -> list[Match]:
        """What rules with a memory say, by time; called once, after everything was taken.

        Args:
            actor_at: the key of the actor behind an identity at a time.
            records: gives matches without a record theirs.
            noted: what was noted instead of told; to one that is learning everything is told.
        """

        def actor_of(brief: Brief) -> str:
            return actor_at(brief.identity or brief.principal, brief.time)

        signals, self._signals = list(self._signals.values()), {}
        memory = self._memory
        if self._learning:
            for signal in signals:
                brief = signal.brief
                for number in memory.numbers(signal, actor_of):
                    self._callers.setdefault(number, set()).add((brief.account, brief.principal, brief.source_ip))
        journeys = Journeys(self._rules, self.state)
        heard = signals if self._learning else memory.speaking(signals, noted)
        new = [*memory.take(heard, actor_of), *journeys.take(signals, actor_of)]
        found = with_facts(records(new), lambda: self._book)
        return sorted(found, key=lambda match: (match.time, match.rule.id, match.alert_id, match.event_id))

    def new_signals(self, actor_at: Callable[[str, int], str]) -> list[Signal]:
        """The signals for correlations over rules with a memory; asked for after `conclude`."""
        asking, self._asking = self._asking, []
        return self._new_only.answered(
            asking, self._memory, lambda brief: actor_at(brief.identity or brief.principal, brief.time)
        )

    def seen_only_from(self, callers: Collection[tuple[str, str, str]]) -> set[int]:
        """Numbers of the combinations that nobody but these has; each is (account, principal, source address)."""
        these = frozenset(callers)
        return {number for number, seen in self._callers.items() if seen <= these}
