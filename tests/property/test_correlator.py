"""However signals come, what correlations conclude is that of a plain evaluator over the whole set of them."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from trailwatch.cli.scan_state import ScanState
from trailwatch.cli.scan_suppressions import ScanSuppressions
from trailwatch.detect.correlate import LATENESS_SECONDS, Point, holds_at, is_monotone
from trailwatch.detect.correlator import CROWD, Correlator, Crowd
from trailwatch.detect.sieve import Sieve
from trailwatch.model.identity import alert_id
from trailwatch.model.match import Found
from trailwatch.model.rule import Dedup, RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.model.signal import Brief, Signal
from trailwatch.rules.rule import AndTerm, Correlation, CorrelationLimit, NotTerm, OrTerm, RuleSet, RuleTerm
from trailwatch.store.database import Database
from trailwatch.store.store import Store

START = 1_760_000_400 - 1800
"""Half an hour before a full one, so that signals lie on both sides of where the store cuts them."""
PERIOD = 300
LONGEST = 3600
USERS = ("dora", "ivo")
VALUES = ("1", "2", "3.5", "x")
SPAN = 600


def correlation(name, kind, rules, *, limit=None, expression=None, group_by=("user",), span=SPAN, alerting=True):
    info = RuleInfo(name, name, name, Severity.HIGH, f"{name}.yml:1", dedup=Dedup((), PERIOD), alerting=alerting)
    return Correlation(
        info=info,
        type=kind,
        rules=rules,
        timespan_seconds=span,
        group_by=group_by,
        limit=limit,
        expression=expression,
    )


AT_ONCE = (
    correlation("burst", "event_count", ("a", "b"), limit=CorrelationLimit("gte", 3)),
    correlation("spread", "value_count", ("a",), limit=CorrelationLimit("gt", 1, ("region",))),
    correlation("volume", "value_sum", ("b",), limit=CorrelationLimit("gte", 4, ("bytes",))),
    correlation("chain", "temporal_ordered", ("a", "b", "c")),
    correlation("together", "temporal", ("a", "b", "c")),
    correlation("two_of_three", "temporal", ("a", "b", "c"), limit=CorrelationLimit("gte", 2)),
    correlation("feeder", "event_count", ("c",), limit=CorrelationLimit("gte", 2), alerting=False),
    correlation("again", "event_count", ("burst", "feeder"), limit=CorrelationLimit("gte", 3), span=2 * SPAN),
    correlation("both", "temporal", ("chain", "again"), group_by=()),
    correlation("hidden", "event_count", ("a",), limit=CorrelationLimit("gte", 2), alerting=False),
    correlation("found_out", "temporal_ordered", ("hidden", "c"), span=SPAN // 2),
    correlation(
        "prepared",
        "temporal",
        ("hidden", "b", "c"),
        expression=AndTerm((RuleTerm("hidden"), OrTerm((RuleTerm("b"), RuleTerm("c"))))),
        span=2 * SPAN,
    ),
    correlation("everything", "temporal", ("prepared", "together"), group_by=(), span=SPAN // 2),
)
SETTLED = (
    correlation("alone", "temporal", ("a", "b"), expression=AndTerm((RuleTerm("a"), NotTerm(RuleTerm("b"))))),
    correlation("few", "event_count", ("a", "c"), limit=CorrelationLimit("lte", 2)),
    correlation("middle", "value_median", ("b",), limit=CorrelationLimit("gte", 2, ("bytes",))),
    correlation("quiet_twice", "event_count", ("alone",), limit=CorrelationLimit("gte", 2), span=3 * SPAN),
    correlation(
        "never_alone",
        "temporal",
        ("a", "alone"),
        expression=AndTerm((RuleTerm("a"), NotTerm(RuleTerm("alone")))),
    ),
)
OVER_BOTH = (
    correlation(
        "undisturbed",
        "temporal",
        ("hidden", "b", "c"),
        expression=AndTerm((RuleTerm("b"), RuleTerm("hidden"), NotTerm(RuleTerm("c")))),
        span=SPAN // 2,
    ),
)
EVERY = (*AT_ONCE, *SETTLED, *OVER_BOTH)
BY_ID = {one.info.id: one for one in EVERY}

Happening = tuple[int, int, str, str, str]
"""Number, time after the start, rule, user, value."""


def dense(seed: int) -> list[tuple[int, str, str, str]]:
    """Many happenings around the place where the store cuts, more than small examples have by chance."""
    chance = random.Random(seed)
    return [
        (chance.choice([chance.randint(0, LONGEST), chance.randint(1400, 2200)]), *pick)
        for pick in zip(
            chance.choices("abc", k=24), chance.choices(USERS, k=24), chance.choices(VALUES, k=24), strict=True
        )
    ]


happenings = st.one_of(
    st.lists(
        st.tuples(st.integers(0, LONGEST), st.sampled_from("abc"), st.sampled_from(USERS), st.sampled_from(VALUES)),
        max_size=12,
    ),
    st.integers(0, 2**32).map(dense),
).map(lambda found: [(number, *one) for number, one in enumerate(found)])


def signals_of(happening: Happening, correlations) -> list[Signal]:
    number, after, base, user, value = happening
    brief = Brief(f"e{number}", START + after, "1", "eu", "s", "N", user, user, "", "", "", "")
    return [
        Signal(
            one.info.id,
            base,
            (user,) if one.group_by else (),
            START + after,
            brief,
            value if one.limit is not None and one.limit.fields else "",
        )
        for one in correlations
        if base in one.rules
    ]


def plainly(found, correlations) -> dict[str, set[str]]:
    """Event ids by alert id, from the definition: every window over the whole set; who completed it is marked."""
    last: dict[str, dict[tuple[tuple[str, ...], int], set[tuple[int, str]]]] = {}
    moments: dict[str, dict[tuple[str, ...], list[int]]] = {}
    events: dict[str, dict[tuple[str, ...], list[tuple[int, str, frozenset[str]]]]] = {}
    alerts: dict[str, set[str]] = {}
    for one in correlations:
        mine = events[one.info.id] = {}
        latest = last[one.info.id] = {}
        points: dict[tuple[str, ...], list[Point]] = {}
        for happening in found:
            for signal in signals_of(happening, [one]):
                points.setdefault(signal.key, []).append(Point(signal.time, signal.base_id, signal.value, 1))
                event_id = signal.brief.event_id
                mine.setdefault(signal.key, []).append((signal.time, signal.base_id, frozenset({event_id})))
                if signal.base_id not in absent_from(one):
                    latest.setdefault((signal.key, signal.time), set()).add((signal.base_id, event_id))
        for lower in (BY_ID[name] for name in one.rules if name in BY_ID):
            for key, held in moments[lower.info.id].items():
                above = key if one.group_by else ()
                for moment in held:
                    points.setdefault(above, []).append(Point(moment, lower.info.id, "", 1))
                    below = evidence(lower, events[lower.info.id][key], moment)
                    mine.setdefault(above, []).append((moment, lower.info.id, below))
                    if lower.info.id not in absent_from(one):
                        latest.setdefault((above, moment), set()).update(last[lower.info.id][key, moment])
        moments[one.info.id] = {key: holds_at(one, seen) for key, seen in points.items()}
        if one.info.alerting:
            alerts |= concluded(one, moments[one.info.id], mine, latest)
    return alerts


def concluded(one, moments, events, latest) -> dict[str, set[str]]:
    leaves, alerts = leaves_of(one), {}
    completers: dict[str, tuple[int, tuple[int, str]]] = {}
    for key, moment in ((key, moment) for key, held in moments.items() for moment in held):
        ident = alert_id(one.info.id, key, moment, PERIOD)
        alerts.setdefault(ident, set()).update(evidence(one, events[key], moment))
        who = moment, min((leaves.index(base), event_id) for base, event_id in latest[key, moment])
        completers[ident] = min(who, completers.get(ident, who))
    return {ident: {*ids, f"by {completers[ident][1][1]}"} for ident, ids in alerts.items()}


def leaves_of(one) -> list[str]:
    """The rules over single events, the last named first."""
    found = [leaf for name in one.rules for leaf in (reversed(leaves_of(BY_ID[name])) if name in BY_ID else [name])]
    return list(dict.fromkeys(reversed(found)))


def absent_from(one) -> set[str]:
    return {"b"} if one.info.id == "alone" else {"alone"} if one.info.id == "never_alone" else set()


def evidence(one, seen, moment) -> frozenset[str]:
    absent = absent_from(one)
    inside = [
        ids for time, base, ids in seen if moment - one.timespan_seconds < time <= moment and base not in absent
    ]
    return frozenset().union(*inside)


class Gathered(dict):
    """Event ids by alert id, as a store keeps them, with a mark for who completed it."""

    def __init__(self):
        self._heads = {}

    def take(self, firings):
        for firing in firings:
            ids = self.setdefault(firing.alert_id, set())
            ids.update(member.event_id for member in firing.members)
            before = self._heads.get(firing.alert_id, firing.head)
            self._heads[firing.alert_id] = head = min(before, firing.head)
            assert firing.head.event_id == firing.completer.event_id
            ids -= {f"by {before.event_id}"}
            ids |= {f"by {head.event_id}"}


def in_batches(found, sizes):
    sizes = list(sizes) or [1]
    at = 0
    while found[at:]:
        size = sizes[at % len(sizes)]
        yield found[at : at + size]
        at += size


@settings(deadline=None, max_examples=100)
@given(found=happenings, data=st.data())
def test_order_batches_repeats_and_restarts_change_nothing_that_is_judged_at_once(found, data):
    expected = plainly(found, AT_ONCE)
    shuffled = data.draw(st.permutations(found))
    repeated = shuffled + data.draw(st.lists(st.sampled_from(found or [None]), max_size=5 if found else 0))
    sizes = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=5))
    restarts = data.draw(st.sets(st.integers(0, 10)))
    crowd = data.draw(st.sampled_from([CROWD, Crowd(0, 64), Crowd(2, 1), Crowd(3, 4)]))
    alerts = Gathered()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Database(Path(folder) / "state.sqlite3", lasting=False))
        correlator = Correlator(AT_ONCE, store.signals, crowd)
        for number, batch in enumerate(in_batches(repeated, sizes)):
            if number in restarts:
                store.close()
                store = Store(Database(Path(folder) / "state.sqlite3", lasting=False))
                correlator = Correlator(AT_ONCE, store.signals, crowd)
            coming = [one for happening in batch for one in signals_of(happening, AT_ONCE)]
            firings, late = correlator.add(coming, lambda _info, ident: ident in alerts)
            alerts.take(firings)
            assert late == 0
        store.close()

    assert alerts == expected


@settings(deadline=None, max_examples=100)
@given(found=happenings, data=st.data())
def test_lateness_within_the_bound_changes_nothing_that_has_to_settle(found, data):
    expected = plainly(found, SETTLED)
    delays = data.draw(st.lists(st.integers(0, LATENESS_SECONDS), min_size=len(found), max_size=len(found)))
    coming = [
        one for _, one in sorted(zip((one[1] + d for one, d in zip(found, delays, strict=True)), found, strict=True))
    ]
    arrivals = sorted(one[1] + d for one, d in zip(found, delays, strict=True))
    sizes = data.draw(st.lists(st.integers(1, 8), min_size=1, max_size=4))
    alerts = Gathered()
    with Store(Database(":memory:")) as store:
        at = 0
        for batch in in_batches(coming, sizes):
            correlator = Correlator(SETTLED, store.signals)
            firings, late = correlator.add([one for happening in batch for one in signals_of(happening, SETTLED)])
            alerts.take(firings)
            assert late == 0
            at += len(batch)
            # all that arrives until then has come; the next one may be as late as can be in the second after
            reached = arrivals[at] - 1 if at < len(arrivals) else arrivals[-1]
            alerts.take(correlator.judge(START + reached)[0])
        correlator = Correlator(SETTLED, store.signals)
        for _ in range(4):
            alerts.take(correlator.judge(START + 10**6)[0])

    assert alerts == expected


@settings(deadline=None, max_examples=40)
@given(found=happenings, data=st.data())
def test_a_scan_concludes_the_same_from_any_split(found, data):
    shuffled = data.draw(st.permutations(found))
    sizes = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=5))
    with Store(Database(":memory:")) as store:
        correlator = Correlator(EVERY, store.signals)
        for batch in in_batches(shuffled, sizes):
            assert correlator.keep([one for happening in batch for one in signals_of(happening, EVERY)]) == 0
        firings = correlator.everything()
    alerts = Gathered()
    alerts.take(firings)

    assert len({firing.alert_id for firing in firings}) == len(firings)
    assert alerts == plainly(found, EVERY)


def test_the_correlations_here_are_of_both_kinds():
    assert all(is_monotone(one) for one in AT_ONCE)
    assert {one.info.id for one in SETTLED if is_monotone(one)} == {"quiet_twice"}


DISTURBED_LATE = [
    (0, 250, "b", "dora", "1"),
    *[(at, 300 + at, "a", "dora", "1") for at in (1, 2)],
    (3, 601, "c", "dora", "1"),
]
"""In three stretches one after the other, of which the last one disturbs what holds in the second."""


@settings(deadline=None, max_examples=100)
@example(found=DISTURBED_LATE, sizes=[], twice=False)
@given(found=happenings, sizes=st.lists(st.integers(1, 9)), twice=st.booleans())
def test_a_scan_concludes_the_same_though_it_keeps_only_what_can_make_something_hold(found, sizes, twice):
    with ScanState(RuleSet(correlations=EVERY)) as state:
        for batch in [*in_batches(found, sizes), *([found[:5]] if twice else [])]:
            state.take(Found(signals=[signal for one in batch for signal in signals_of(one, EVERY)]))
        _, alerts = state.conclude(ScanSuppressions())

    told = {one.id: one.event_count for one in alerts}
    assert told == {ident: len(ids) - 1 for ident, ids in plainly(found, EVERY).items()}  # one is who completed it


def passing(sieve: Sieve, signals: Sequence[Signal]) -> set[int]:
    """The numbers of the signals that pass, after all were counted."""
    for one in signals:
        sieve.count(one.rule_id, one.base_id, sieve.keyed([one.key], [one.time]), [one.value])
    return {
        number for number, one in enumerate(signals) if sieve.passing(one.rule_id, sieve.keyed([one.key], [one.time]))
    }


@given(found=happenings, places=st.integers(0, 20))
def test_a_sieve_that_is_full_lets_everything_pass(found, places):
    signals = [signal for one in found for signal in signals_of(one, EVERY)]
    roomy, small = passing(Sieve(EVERY), signals), passing(Sieve(EVERY, places), signals)

    assert roomy <= small
    if places == 0:
        assert len(small) == len(signals)


@given(found=happenings, sizes=st.lists(st.integers(1, 9), min_size=1))
def test_a_sieve_counts_signals_one_by_one_as_it_does_together(found, sizes):
    signals = [signal for one in found for signal in signals_of(one, EVERY)]
    at_once = Sieve(EVERY)
    together: dict[tuple[str, str], list[Signal]] = {}
    for one in signals:
        together.setdefault((one.rule_id, one.base_id), []).append(one)
    for (rule_id, base_id), several in together.items():
        for some in in_batches(several, sizes):
            keyed = at_once.keyed([one.key for one in some], [one.time for one in some])
            at_once.count(rule_id, base_id, keyed, [one.value for one in some])

    one_by_one = Sieve(EVERY)
    expected = passing(one_by_one, signals)
    found_at_once = {
        number
        for number, one in enumerate(signals)
        if at_once.passing(one.rule_id, at_once.keyed([one.key], [one.time]))
    }
    assert found_at_once == expected
    assert all(at_once.may_pass(signals[number].rule_id) for number in expected)


def test_the_sieve_holds_back_what_lacks_another_rule_or_a_lower_correlation():
    one_rule = [signal for number in range(9) for signal in signals_of((number, number, "c", "dora", "1"), EVERY)]
    held_back = {one.info.id for one in BY_ID.values()} - {
        one_rule[number].rule_id for number in passing(Sieve(EVERY), one_rule)
    }

    assert {"together", "chain", "prepared", "undisturbed", "found_out"} <= held_back
