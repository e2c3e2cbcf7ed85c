"""What rules with a memory say is a pure function of the set of events: a slow evaluator over all of it is asked."""

import functools
import itertools

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from trailwatch.cli.scan_memory import ScanMemory
from trailwatch.detect.first_seen import Memory
from trailwatch.detect.sightings import SightingsInMemory
from trailwatch.detect.travel import Journeys, distance_km
from trailwatch.model.identity import alert_id
from trailwatch.model.match import Found
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.model.sighting import DAY, Remembered, Sightings, on
from trailwatch.model.signal import Brief, Signal, Stay
from trailwatch.rules.predicate import Const
from trailwatch.rules.rule import FirstSeen, Rule, RuleSet, Travel
from trailwatch.store.database import Database
from trailwatch.store.first_seen import FirstSeen as Store

START = 20_000
INFO = RuleInfo("new", "new", "New", Severity.LOW, "here:1")
KINDS = {
    "plain": FirstSeen(("actor", "address"), 3 * DAY),
    "known": FirstSeen(("actor", "address"), 3 * DAY, known=("actor",), days=2),
    "dormant": FirstSeen(("address",), 2 * DAY, dormant=True),
    "hours": FirstSeen(("actor", "hour"), 3 * DAY, known=("actor",), around=2),
    "a day": FirstSeen(("address",), DAY),
}
PLACES = {"51.51,-0.13": (51.51, -0.13), "48.86,2.35": (48.86, 2.35), "-33.87,151.21": (-33.87, 151.21)}


def rule(kind):
    return Rule(INFO, Const(value=True), first_seen=KINDS[kind])


TRAVEL = Rule(INFO, Const(value=True), travel=Travel(("actor",)))


def brief(number, time, account):
    return Brief(f"e{number}", time, account, "us-east-1", "s", "n", "dora", "dora", "", f"ip{number}", "", "")


def signal(number, time, account, key, value=""):
    return Signal("new", "new", key, time, brief(number, time, account), value, b"{}")


def signals_of(kind, events):
    found = []
    for number, (hours, account, actor, address, _) in enumerate(events):
        last = f"{hours % 24:02}" if kind == "hours" else address
        key = (actor, last) if len(KINDS[kind].fields) == 2 else (last,)
        found.append(signal(number, START * DAY + hours * 3600 + number % 60, account, key))
    return found


def oracle(kind, signals):
    """Straight from the page: every event against every other."""
    wanted, told = KINDS[kind], set()
    length = wanted.history_seconds // DAY
    for one in signals:
        day, account = one.time // DAY, one.brief.account
        history = range(day - 1 - length, day - 1)
        mine = [other for other in signals if other.brief.account == account]
        if min(other.time for other in mine) // DAY > history[0]:
            continue
        near = [other for other in mine if same(wanted, one.key, other.key)]
        if any(other.time // DAY in history for other in near):
            continue
        if wanted.dormant and not any(other.time // DAY < history[0] for other in near):
            continue
        active = {other.time // DAY for other in mine if other.key[:-1] == one.key[:-1]}
        if wanted.known and len(active & set(history)) < wanted.days:
            continue
        told.add(alert_id("new", (account, *one.key), one.time, wanted.history_seconds))
    return told


def same(wanted, one, other):
    if not wanted.around:
        return one == other
    apart = abs(int(one[-1]) - int(other[-1]))
    return one[:-1] == other[:-1] and min(apart, 24 - apart) <= wanted.around


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 24 * 14),
        st.sampled_from(["111122223333", "444455556666"]),
        st.sampled_from(["dora", "emil"]),
        st.sampled_from("abc"),
        st.integers(0, 24 * 3600),
    ),
    max_size=25,
)
"""Hour, account, actor, address, and how late it comes in seconds."""
CUTS = st.lists(st.integers(0, 25), max_size=4)


def batches(signals, events, cuts):
    """The signals as they arrive, each at most a day late, in batches."""
    arriving = sorted(zip(signals, events, strict=True), key=lambda pair: (pair[0].time + pair[1][4], pair[1]))
    ordered = [one for one, _ in arriving]
    edges = [0, *sorted(cuts), len(ordered)]
    return [ordered[begin:end] for begin, end in itertools.pairwise(edges)]


@given(st.sampled_from(sorted(KINDS)), EVENTS, CUTS, st.booleans())
@settings(max_examples=150, deadline=None)
def test_lateness_batches_repetition_and_restarts_never_change_the_alerts(
    tmp_path_factory, kind, events, cuts, twice
):
    signals = signals_of(kind, events)
    path = tmp_path_factory.mktemp("state") / "state.sqlite3"
    told = set()
    for batch in batches(signals, events, cuts):
        with Database(path) as database:  # each batch is a process of its own
            memory = Memory([rule(kind)], Store(database))
            told |= {match.alert_id for match in memory.take(batch)}
            if twice:
                told |= {match.alert_id for match in memory.take(batch)}

    assert told == oracle(kind, signals)


@given(st.sampled_from(sorted(KINDS)), EVENTS, st.randoms(use_true_random=False), CUTS)
@settings(max_examples=150, deadline=None)
def test_a_scan_says_the_same_in_any_order_of_its_files(kind, events, chance, cuts):
    signals = signals_of(kind, events)
    scan = ScanMemory(RuleSet(first_seen=(rule(kind),)))
    shuffled = chance.sample(signals, len(signals))
    edges = [0, *sorted(cuts), len(shuffled)]
    for begin, end in itertools.pairwise(edges):
        scan.take(Found(signals=shuffled[begin:end]))

    assert {match.alert_id for match in scan.conclude(lambda _identity, _time: "dora")} == oracle(
        kind, [renamed(kind, one) for one in signals]
    )


@given(st.lists(st.tuples(st.sampled_from(sorted(KINDS)), EVENTS), max_size=4), st.integers(0, 9))
@settings(max_examples=150, deadline=None)
def test_a_scan_that_looks_only_at_what_may_speak_says_what_one_says_that_learns_everything(several, known_days):
    rules = tuple(
        msgspec.structs.replace(rule(kind), info=msgspec.structs.replace(INFO, id=kind)) for kind in sorted(KINDS)
    )
    signals = [
        msgspec.structs.replace(one, rule_id=kind, base_id=kind)
        for kind, events in several
        for one in signals_of(kind, events)
    ]
    scans = [ScanMemory(RuleSet(first_seen=rules), learning=learning) for learning in (False, True)]
    for scan in scans:
        scan.state.learn("111122223333", (START - known_days) * DAY)
        scan.take(Found(signals=signals))

    some, everything = (scan.conclude(lambda identity, _time: identity) for scan in scans)

    assert some == everything


def test_a_memory_keeps_the_combinations_that_were_seen_last_whatever_the_pace_of_cycles():
    for minutes in (1, 5, 60):
        with Database(":memory:") as database:
            store = Store(database)
            rows = {
                number: Remembered(f"rule{number % 3}", "1", (str(number),), on(START + number))
                for number in range(12)
            }
            store.see(rows)
            for cycle in range(61):
                store.prune((START - 30) * DAY + 60 * minutes * cycle, 0, most=2)

            assert sorted(int(row.values[0]) for row in store.everything()) == list(range(6, 12))


def renamed(kind, one):
    """With the actor whom the scan names."""
    if "actor" not in KINDS[kind].fields:
        return one
    return Signal(one.rule_id, one.base_id, ("dora", *one.key[1:]), one.time, one.brief)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from(sorted(PLACES)), st.sampled_from("ab")), max_size=12),
    st.randoms(use_true_random=False),
    st.integers(1, 4),
)
@settings(max_examples=100, deadline=None)
def test_who_travels_too_fast_is_a_matter_of_all_places_and_not_of_their_order(stays, chance, size):
    found = [signal(n, START * DAY + hour * 3600, "1", (who,), place) for n, (hour, place, who) in enumerate(stays)]
    expected = {
        alert_id("new", ("1", *later.key), later.time, DAY)
        for earlier in found
        for later in found
        if earlier.key == later.key and earlier.time <= later.time and too_fast(earlier, later)
    }
    shuffled = chance.sample(found, len(found))
    with Database(":memory:") as database:
        journeys = Journeys([TRAVEL], Store(database))
        pieces = [shuffled[at : at + size] for at in range(0, len(shuffled), size)]
        told = {match.alert_id for piece in pieces for match in journeys.take(piece)}
    at_once = {match.alert_id for match in Journeys([TRAVEL], SightingsInMemory()).take(found)}

    assert told == at_once == expected


def too_fast(earlier, later):
    one, other = (Stay(0, s.time, *PLACES[s.value], s.brief) for s in (earlier, later))
    kilometres, seconds = distance_km(one, other), later.time - earlier.time
    return kilometres >= 500 and seconds < DAY and kilometres > 900 * seconds / 3600


def on_days(days):
    return functools.reduce(Sightings.joined, map(on, days))


DAYS = st.sets(st.integers(START, START + 50), min_size=1, max_size=8)


@given(DAYS, DAYS, DAYS)
def test_days_are_joined_in_any_order_to_the_same(a, b, c):
    first, second, third = on_days(a), on_days(b), on_days(c)

    assert first.joined(second).joined(third) == third.joined(first).joined(second).joined(first)
    assert [day for day in range(START - 1, START + 52) if first.joined(second).has(day)] == sorted(a | b)


@given(DAYS, st.integers(START, START + 50), st.integers(0, 20))
def test_days_are_counted_as_a_set_would(days, begin, length):
    assert on_days(days).count(begin, begin + length) == len([d for d in days if begin <= d <= begin + length])


@given(DAYS, st.integers(START, START + 50))
def test_later_days_are_moved_back(days, day):
    moved = on_days(days).until(day)

    assert [d for d in range(START - 1, START + 52) if moved.has(d)] == sorted({min(d, day) for d in days})


def test_what_is_long_ago_is_forgotten_but_for_its_beginning():
    found = on(START).joined(on(START + 500))

    assert found == Sightings(START, START + 500, 1)
