"""What is stored is a function of the set of events, whatever way they came."""

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trailwatch.detect.triage import group
from trailwatch.model.alert import EVIDENCE_KEPT
from trailwatch.model.severity import Severity
from trailwatch.pipeline import Pipeline
from trailwatch.store.alerts import AlertFilter
from trailwatch.store.database import Database
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock

from .parts import START, NameEngine, delivery, record

ENGINE = NameEngine(StopLogging=Severity.HIGH, CreateUser=Severity.LOW)
NAMES = ("StopLogging", "CreateUser", "ListBuckets")

events = st.lists(
    st.tuples(st.integers(0, 7200), st.sampled_from(NAMES), st.sampled_from(("alice", "bob"))),
    min_size=1,
    max_size=60,
)


def records_of(drawn):
    return [
        record(number, at=START + offset, name=name, principal=principal)
        for number, (offset, name, principal) in enumerate(drawn)
    ]


def stored(deliveries):
    with Store(Database(":memory:")) as store:
        pipeline = Pipeline(ENGINE, store, None, FixedClock.at(START), {})
        tallies = [pipeline.process(one).tally for one in deliveries]
        alerts = sorted(store.alerts.search(AlertFilter(limit=10_000)), key=lambda a: (a.first_time, a.id))
    # an incident keeps the id under which it was opened: only which alerts belong together is the same
    first = {alert.incident: alert.id for alert in reversed(alerts)}
    return tallies, [msgspec.structs.replace(alert, incident=first[alert.incident]) for alert in alerts]


@settings(max_examples=60, deadline=None)
@given(drawn=events, data=st.data(), polled=st.booleans())
def test_order_splits_and_repeats_change_nothing(drawn, data, polled):
    records = records_of(drawn)
    _, expected = stored([delivery(records, polled=polled)])

    again = data.draw(st.lists(st.sampled_from(records), max_size=30))
    shuffled = data.draw(st.permutations([*records, *again]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=6)))
    pieces = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
    tallies, found = stored([delivery(piece, polled=polled) for piece in pieces])

    assert found == expected
    assert all(tally.reconciles() for tally in tallies)
    assert sum(tally.records for tally in tallies) == len(shuffled)


@settings(max_examples=40, deadline=None)
@given(drawn=events)
def test_what_is_stored_is_what_scan_would_group(drawn):
    records = records_of(drawn)
    _, found = stored([delivery([one]) for one in records])

    grouped = group(ENGINE.evaluate(delivery(records)).matches)

    assert [(a.id, a.title, a.principal, a.first_time, a.last_time, a.event_count, a.evidence) for a in found] == [
        (a.id, a.title, a.principal, a.first_time, a.last_time, a.event_count, a.evidence) for a in grouped
    ]


def test_the_same_delivery_twice_is_counted_as_seen_before():
    records = [record(n) for n in range(30)]
    tallies, alerts = stored([delivery(records), delivery(records)])

    assert (tallies[1].records, tallies[1].events, tallies[1].left_out["seen before"]) == (30, 0, 30)
    assert [alert.event_count for alert in alerts] == [30]


def test_files_are_not_remembered_as_seen_and_still_count_each_event_once():
    records = [record(n) for n in range(5)]
    tallies, alerts = stored([delivery(records, polled=False), delivery(records, polled=False)])

    assert [tally.matched for tally in tallies] == [5, 5]
    assert [alert.event_count for alert in alerts] == [5]


def test_an_event_that_comes_late_becomes_the_first_one():
    late = record(1, at=START + 5, sourceIPAddress="198.51.100.9")
    _, [alert] = stored([delivery([record(2, at=START + 900)]), delivery([late])])

    assert (alert.first_time, alert.last_time) == (START + 5, START + 900)
    assert [one.source_ip for one in alert.evidence] == ["198.51.100.9", "192.0.2.7"]


def test_evidence_is_the_first_events_and_the_count_is_all_of_them():
    records = [record(n) for n in range(100)]
    _, [alert] = stored([delivery(records[50:]), delivery(records[:50])])

    assert alert.event_count == 100
    assert [one.time for one in alert.evidence] == [START + n for n in range(EVIDENCE_KEPT)]


def test_a_record_without_an_event_id_is_known_by_its_bytes():
    nameless = record(1, eventID=None)
    tallies, [alert] = stored([delivery([nameless]), delivery([nameless, record(2, eventID=None)])])

    assert tallies[1].left_out["seen before"] == 1
    assert alert.event_count == 2
    assert alert.evidence[0].event_id.startswith("sha256:")


@pytest.mark.parametrize("order", list(itertools.permutations((Severity.LOW, Severity.CRITICAL, Severity.MEDIUM))))
def test_an_alert_is_as_severe_as_its_worst_event_in_whatever_order_they_come(order):
    rated = {Severity.LOW: 1, Severity.CRITICAL: 2, Severity.MEDIUM: 3}
    matches = [
        match
        for severity in order
        for match in NameEngine(StopLogging=severity).evaluate(delivery([record(rated[severity])])).matches
    ]

    assert [alert.severity for alert in group(matches)] == [Severity.CRITICAL]
    with Store(Database(":memory:")) as store:
        for match in matches:
            store.alerts.merge(group([match]), START)
        [stored_alert] = store.alerts.search(AlertFilter())
    assert (stored_alert.severity, stored_alert.event_count) == (Severity.CRITICAL, 3)
