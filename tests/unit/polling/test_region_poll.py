"""Which windows one cycle reads in a region, and in which order."""

import itertools

import msgspec
import pytest

from trailwatch.errors import SourceError
from trailwatch.model.coverage import Interval, IntervalSet, LookupKey
from trailwatch.sources.region_poll import RegionPoll
from trailwatch.sources.slices import Limits, Purpose, Task
from trailwatch.store.coverage import Lookup, SessionLookup
from trailwatch.testing import FixedClock

from .parts import ScriptedCloudTrail, refusal, rows

MINUTE, HOUR = 60, 3600
LIMITS = Limits(lookback=5 * MINUTE, overlap=15 * MINUTE, sweep=24 * HOUR, history=90 * 24 * HOUR, pace=0.55)
POLLED = LookupKey("a", "r", "ReadOnly=false")


class Scene:
    """A region at one moment: `now`, what was covered, and what happened."""

    def __init__(self, *, covered=(), since=None, events=(), density=None, budget=50.0, seconds=0.5):
        self.clock = FixedClock()
        self.now = int(self.clock.now().timestamp())
        self.client = ScriptedCloudTrail(
            self.clock, events(self.now) if callable(events) else events, seconds=seconds
        )
        self.lookup = Lookup(
            key=POLLED,
            since=self.now - 20 * MINUTE if since is None else self.now - since,
            asked=self.now - 60,
            events_per_second=density,
            covered=IntervalSet(Interval(self.now - start, self.now - end) for start, end in covered),
        )
        self.budget = budget

    def read(self, limits=LIMITS, stopped=lambda: False, **task):
        return list(self.poll(limits, stopped, **task).slices())

    def poll(self, limits=LIMITS, stopped=lambda: False, **task):
        whole = Task(account="a", region="r", now=self.now, polled=self.lookup, **task)
        deadline = self.clock.monotonic() + self.budget
        return RegionPoll(self.client, whole, limits, self.clock, deadline, stopped)

    def said(self, slices):
        return [
            (one.purpose.value, self.now - one.window.start, self.now - one.window.end, one.complete)
            for one in slices
        ]


def busy(since, every):
    return lambda now: rows(now - since, now, every=every)


def test_a_quiet_region_is_one_request_over_lookback_and_overlap():
    scene = Scene(covered=[(20 * MINUTE, MINUTE)])

    assert scene.said(scene.read()) == [("newest", 16 * MINUTE, 0, True)]
    assert len(scene.client.asked) == 1


def test_the_first_run_ever_reads_lookback_and_overlap_and_nothing_before():
    scene = Scene()

    assert scene.said(scene.read()) == [("newest", 20 * MINUTE, 0, True)]


def test_after_a_short_pause_in_a_quiet_region_one_request_reads_all_of_it():
    scene = Scene(covered=[(5 * HOUR, 3 * HOUR)], since=5 * HOUR, density=0.001)

    assert scene.said(scene.read()) == [("newest", 3 * HOUR + 15 * MINUTE, 0, True)]


def test_after_an_outage_in_a_busy_region_the_newest_minutes_come_first_then_gaps_oldest_first():
    scene = Scene(
        covered=[(5 * HOUR, 3 * HOUR)], since=5 * HOUR, density=0.2, events=busy(5 * HOUR, 5.0), seconds=0.55
    )

    slices = scene.read()

    said = scene.said(slices)
    assert said[0] == ("newest", 5 * MINUTE, 0, True)
    assert slices[0].unsettled == Interval(scene.now - 3 * HOUR - 15 * MINUTE, scene.now - 3 * HOUR)
    gaps = said[1:]
    assert {purpose for purpose, *_ in gaps} == {"gap"}
    assert gaps[0][1] == 3 * HOUR + 15 * MINUTE, "what was read just before the outage may have been incomplete"
    assert [later[1] for later in gaps[1:]] == [before[2] for before in gaps[:-1]]
    assert gaps[-1][2] == 5 * MINUTE
    assert all(one.pages <= 20 for one in slices)


def test_a_slice_that_does_not_fit_is_given_but_not_as_covered_and_the_next_is_at_most_half():
    scene = Scene(
        covered=[(5 * HOUR, 3 * HOUR)],
        since=5 * HOUR,
        events=lambda now: [*rows(now - 3 * HOUR, now - 2 * HOUR, every=0.5), *rows(now - HOUR, now, every=20.0)],
        density=0.1,
    )

    said = scene.said(scene.read())

    tried = [(start - end, complete) for purpose, start, end, complete in said if purpose == "gap"]
    assert not all(complete for _, complete in tried)
    for (length, complete), (following, _) in itertools.pairwise(tried):
        if not complete:
            assert following <= length / 2


def test_a_window_that_is_hopeless_is_given_up_after_one_page():
    scene = Scene(covered=[(90 * HOUR, 80 * HOUR)], since=90 * HOUR, events=busy(80 * HOUR, 10.0))

    slices = scene.read()

    assert (slices[0].complete, slices[0].pages) == (False, 1)
    assert any(one.complete and one.purpose is Purpose.NEWEST for one in slices)


def test_nothing_is_begun_after_the_deadline():
    scene = Scene(
        covered=[(50 * HOUR, 40 * HOUR)], since=50 * HOUR, events=busy(50 * HOUR, 10.0), budget=50.0, density=0.1
    )
    began = scene.clock.monotonic()

    scene.read()

    assert 45 <= scene.clock.monotonic() - began <= 51


def test_when_asked_to_stop_the_slice_under_way_is_finished_and_none_is_begun():
    scene = Scene(covered=[(5 * HOUR, 3 * HOUR)], since=5 * HOUR, density=0.2, events=busy(5 * HOUR, 5.0))
    asked = []
    poll = scene.poll(stopped=lambda: bool(asked))
    slices = poll.slices()
    first = next(slices)
    asked.append(True)

    assert first.complete
    assert list(slices) == []


def test_more_events_in_one_second_than_a_slice_holds_are_all_read():
    at_once = [(1, f"x{number:05d}", "CreateUser", 0.0) for number in range(1500)]
    scene = Scene(covered=[(2 * HOUR, HOUR)], since=2 * HOUR, seconds=0.05, density=1.0)
    scene.client.rows = [(scene.now - 1800, event_id, name, seen) for _, event_id, name, seen in at_once]
    fast = msgspec.structs.replace(LIMITS, pace=0.01)

    slices = scene.read(limits=fast)

    assert IntervalSet(one.window for one in slices if one.complete).covers(Interval(scene.now - HOUR, scene.now))
    assert {record for one in slices if one.complete for record in one.records} == {
        record for one in slices for record in one.records
    }


def test_gaps_older_than_the_history_of_aws_are_left():
    scene = Scene(covered=[(100 * 24 * HOUR, 99 * 24 * HOUR)], since=100 * 24 * HOUR)

    assert scene.said(scene.read()) == [("newest", 90 * 24 * HOUR, 0, True)]


def planned(scene, name, **more):
    return Lookup(LookupKey("a", "r", f"EventName={name}"), since=scene.now - 20 * MINUTE, **more)


def test_the_plan_is_read_after_the_newest_window_and_before_gaps():
    scene = Scene(covered=[(5 * HOUR, 3 * HOUR)], since=5 * HOUR, density=0.2, events=busy(5 * HOUR, 5.0))

    slices = scene.read(planned=[planned(scene, "GetSecretValue"), planned(scene, "AssumeRole")])

    order = [(one.key.lookup, one.purpose) for one in slices]
    assert order[:4] == [
        ("ReadOnly=false", Purpose.NEWEST),
        ("EventName=GetSecretValue", Purpose.NEWEST),
        ("EventName=AssumeRole", Purpose.NEWEST),
        ("ReadOnly=false", Purpose.GAP),
    ]


def test_a_role_session_is_looked_up_before_the_plan():
    scene = Scene(covered=[(20 * MINUTE, MINUTE)])
    session = SessionLookup(LookupKey("a", "r", "AccessKeyId=ASIAX"), scene.now - HOUR)

    slices = scene.read(sessions=[session], planned=[planned(scene, "AssumeRole")])

    assert [one.key.lookup for one in slices] == ["ReadOnly=false", "AccessKeyId=ASIAX", "EventName=AssumeRole"]
    assert slices[1].window == Interval(scene.now - 13 * HOUR, scene.now)


def test_a_sweep_reads_its_piece_again():
    scene = Scene(covered=[(20 * MINUTE, MINUTE)])
    window = Interval(scene.now - 10 * HOUR, scene.now - 4 * HOUR)

    slices = scene.read(sweep=(scene.lookup, window))

    assert [(one.purpose, one.window) for one in slices[1:]] == [(Purpose.SWEEP, window)]


def test_the_rest_of_the_overlap_is_read_again_where_the_newest_window_is_too_dense_to_hold_it():
    scene = Scene(covered=[(20 * MINUTE, MINUTE)], density=0.5, events=busy(20 * MINUTE, 2.0))

    assert scene.said(scene.read()) == [
        ("newest", 5 * MINUTE, 0, True),
        ("reread", 16 * MINUTE, 5 * MINUTE, True),
    ]


def test_what_was_read_before_a_region_fails_stands():
    scene = Scene(covered=[(20 * MINUTE, MINUTE)])
    scene.client.failures = [None, refusal("AccessDeniedException")]
    slices = scene.poll(planned=[planned(scene, "AssumeRole")]).slices()

    assert next(slices).complete
    with pytest.raises(SourceError):
        next(slices)


def test_density_is_measured():
    scene = Scene(covered=[(20 * MINUTE, MINUTE)], events=busy(20 * MINUTE, 10.0))

    (one,) = scene.read()

    assert one.events_per_second == pytest.approx(0.1, rel=0.05)
