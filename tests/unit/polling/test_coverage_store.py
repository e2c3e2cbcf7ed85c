"""Coverage in the store is the union of what was read, whatever the order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailwatch.model.coverage import Interval, IntervalSet, LookupKey
from trailwatch.ports import CoverageGain
from trailwatch.store.coverage import Coverage
from trailwatch.store.database import Database

KEY = LookupKey("a", "r", "ReadOnly=false")
OTHER = LookupKey("a", "r", "EventName=AssumeRole")

intervals = st.builds(lambda start, length: Interval(start, start + length), st.integers(0, 100), st.integers(0, 30))


@pytest.fixture
def database():
    with Database(":memory:") as opened:
        yield opened


@pytest.fixture
def coverage(database):
    return Coverage(database)


@given(st.lists(intervals, max_size=20), st.lists(intervals, max_size=3))
def test_what_was_added_and_not_removed_is_covered(added, removed):
    with Database(":memory:") as database:
        coverage = Coverage(database)
        for interval in added:
            coverage.add([CoverageGain(KEY, interval)])
        coverage.add([CoverageGain(OTHER, Interval(0, 500))])
        for interval in removed:
            coverage.remove(KEY, interval)

        moments = {at for one in added for at in range(one.start, one.end)}
        moments -= {at for one in removed for at in range(one.start, one.end)}
        assert coverage.intervals(KEY) == IntervalSet(Interval(at, at + 1) for at in moments)
        assert coverage.intervals(OTHER) == IntervalSet([Interval(0, 500)])


def test_gaps_lie_between_the_first_run_and_the_end_of_what_was_read(coverage):
    coverage.begin([KEY], 100, 0)
    coverage.add([CoverageGain(KEY, Interval(150, 200)), CoverageGain(KEY, Interval(300, 400))])

    lookup = coverage.lookups()[KEY]
    assert lookup.end == 400
    assert lookup.gaps(0) == IntervalSet([Interval(100, 150), Interval(200, 300)])
    assert lookup.gaps(180) == IntervalSet([Interval(200, 300)])


def test_nothing_is_a_gap_before_anything_was_read(coverage):
    coverage.begin([KEY], 100, 0)

    assert (coverage.lookups()[KEY].end, len(coverage.lookups()[KEY].gaps(0))) == (100, 0)


def test_a_look_up_that_is_begun_again_keeps_what_is_known(coverage):
    coverage.begin([KEY], 100, 50)
    coverage.measured(KEY, asked=120, events_per_second=0.5)
    coverage.begin([KEY, OTHER], 900, 900)

    lookup = coverage.lookups()[KEY]
    assert (lookup.since, lookup.asked, lookup.events_per_second, lookup.swept) == (100, 120, 0.5, 50)
    assert coverage.lookups()[OTHER].since == 900


def test_reaching_back_makes_earlier_history_a_gap_and_never_the_reverse(coverage):
    coverage.begin([KEY], 100, 0)
    coverage.reach_back([KEY], 40)
    coverage.reach_back([KEY], 70)

    assert coverage.lookups()[KEY].since == 40


def test_a_density_that_could_not_be_measured_leaves_the_one_before(coverage):
    coverage.begin([KEY], 0, 0)
    coverage.measured(KEY, asked=10, events_per_second=0.5)
    coverage.measured(KEY, asked=20, events_per_second=None)

    assert (coverage.lookups()[KEY].asked, coverage.lookups()[KEY].events_per_second) == (20, 0.5)


def test_a_session_is_asked_for_by_what_it_did_and_by_who_began_it_once(coverage):
    coverage.add_session("a", "r", "ASIAX", 100)
    first = [one.key.lookup for one in coverage.sessions()]
    for one in coverage.sessions():
        coverage.session_asked(one.key, 200)
    coverage.add_session("a", "r", "ASIAX", 150)
    late = coverage.sessions()
    coverage.add_session("a", "r", "ASIAX", 300)

    assert first == ["AccessKeyId=ASIAX", "ResourceName=ASIAX"]
    assert late == []
    assert [(one.key.lookup, one.matched) for one in coverage.sessions()] == [("AccessKeyId=ASIAX", 300)]


def test_old_coverage_is_forgotten(coverage):
    coverage.add([CoverageGain(KEY, Interval(0, 10)), CoverageGain(KEY, Interval(20, 40))])
    coverage.prune(before=30)

    assert coverage.intervals(KEY) == IntervalSet([Interval(20, 40)])
