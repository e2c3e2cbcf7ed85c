"""A memory speaks only of kinds of events whose history was read: changes, or reads that are looked up by name."""

import pytest

from trailwatch.detect.first_seen import Memory
from trailwatch.detect.sightings import SightingsInMemory
from trailwatch.model.coverage import Interval, LookupKey
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.model.sighting import CHANGES, DAY, EVERYTHING
from trailwatch.model.signal import Brief, Signal
from trailwatch.ports import CoverageGain
from trailwatch.rules.predicate import And, Const, Field, Op, Or
from trailwatch.rules.rule import FirstSeen, Rule
from trailwatch.sources.poll_plan import plan_of
from trailwatch.sources.shown import Shown, shown_of
from trailwatch.store.database import Database
from trailwatch.store.known import known_since
from trailwatch.store.store import Store

INFO = RuleInfo("new", "new", "New", Severity.LOW, "here:1")
RULE = Rule(INFO, Const(value=True), first_seen=FirstSeen(("address",), 3 * DAY))
TODAY = 20_000 * DAY + 100


def event(name, *, read, record=True, days_ago=0):
    brief = Brief("e1", TODAY - days_ago * DAY, "1", "eu", "s", name, "dora", "dora", "", "192.0.2.1", "", "")
    raw = b'{"readOnly": true}' if read else b'{"readOnly": false}'
    return Signal("new", "new", ("192.0.2.1",), brief.time, brief, "", raw if record else b"")


def told(state, signal):
    return len(Memory([RULE], state, whole=False).take([signal]))


def test_what_was_not_read_for_long_enough_is_never_called_new():
    state = SightingsInMemory()
    state.learn("1", TODAY - 30 * DAY, CHANGES)

    assert told(state, event("GetSecretValue", read=True)) == 0
    state.learn("1", TODAY - 3 * DAY, "EventName=GetSecretValue")
    assert told(SightingsInMemory(), event("PutObject", read=False)) == 0


@pytest.mark.parametrize("record", [True, False], ids=["record", "name alone"])
def test_a_read_is_called_new_once_its_name_was_looked_up_for_as_long(record):
    state = SightingsInMemory()
    state.learn("1", TODAY - 4 * DAY, "EventName=GetSecretValue")

    assert told(state, event("GetSecretValue", read=True, record=record)) == 1


@pytest.mark.parametrize("record", [True, False], ids=["record", "name alone"])
def test_a_change_is_called_new_where_changes_were_read(record):
    state = SightingsInMemory()
    state.learn("1", TODAY - 4 * DAY, CHANGES)

    assert told(state, event("CreateUser", read=False, record=record)) == 1


def test_where_everything_was_read_every_event_may_be_new():
    state = SightingsInMemory()
    state.learn("1", TODAY - 4 * DAY, EVERYTHING)

    assert told(state, event("GetUser", read=True)) == 1


def test_what_cycles_see_does_not_count_as_all_that_happened():
    state = SightingsInMemory()
    Memory([RULE], state, whole=False).take([event("CreateUser", read=False, days_ago=20)])

    assert state.learned() == {}


def field(path, *values):
    return Field(path, Op.EQ, values)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (And((field("readOnly", "false"), field("eventSource", "x"))), Shown((CHANGES,), ())),
        (field("eventName", "CreateUser"), Shown((CHANGES,), ())),
        (field("eventName", "GetSecretValue"), Shown(("EventName=GetSecretValue",), ())),
        (
            Or((field("eventName", "GetSecretValue"), field("eventName", "CreateUser"))),
            Shown((CHANGES, "EventName=GetSecretValue"), ()),
        ),
        (field("eventSource", "s3.amazonaws.com"), Shown((CHANGES,), ("other reads",))),
        (field("eventName", "GetObject"), Shown((), ("GetObject (data event)",))),
    ],
)
def test_which_look_ups_show_what_a_rule_matches(condition, expected):
    rule = Rule(INFO, condition, first_seen=RULE.first_seen)

    assert shown_of(rule, plan_of([rule]), all_events=False) == expected


def test_a_name_that_is_worth_too_little_to_be_looked_up_is_named():
    rule = Rule(RuleInfo("new", "new", "New", Severity.INFORMATIONAL, "here:1"), field("eventName", "GetUser"))

    assert shown_of(rule, plan_of([rule]), all_events=False) == Shown((), ("GetUser",))
    assert shown_of(rule, plan_of([rule]), all_events=True) == Shown((EVERYTHING,), ())


def test_coverage_says_since_when_each_look_up_was_read_without_a_day_missing():
    def gain(lookup, begin, end, region="eu"):
        return CoverageGain(LookupKey("1", region, lookup), Interval(begin, end))

    with Store(Database(":memory:")) as store:
        store.coverage.add(
            [
                gain("ReadOnly=false", 0, 10 * DAY),
                gain("history ReadOnly=false", 12 * DAY, 20 * DAY),
                gain("ReadOnly=false", 20 * DAY + 100, 30 * DAY),
                gain("EventName=AssumeRole", 29 * DAY, 30 * DAY),
                gain("EventName=AssumeRole", 28 * DAY, 30 * DAY, "us"),
                gain("findings", 0, 30 * DAY),
            ]
        )

        assert known_since(store.database) == {
            ("1", "ReadOnly=false"): 12 * DAY,
            ("1", "EventName=AssumeRole"): 28 * DAY,
        }
