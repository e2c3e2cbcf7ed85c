"""What a cycle does in a region: how many look-ups, whose turn it is, and when the sweep comes by."""

from trailwatch.model.coverage import Interval, IntervalSet, LookupKey
from trailwatch.model.severity import Severity
from trailwatch.service.tasks import Place, keys_of, sweep_of, task_of
from trailwatch.sources.poll_plan import PlannedName
from trailwatch.sources.slices import Limits
from trailwatch.store.coverage import Lookup, SessionLookup

HOUR = 3600
NOW = 1_000_000_000
PLACE = Place("a", "r")
LIMITS = Limits(lookback=300, overlap=900, sweep=24 * HOUR, history=90 * 24 * HOUR, pace=0.55)
NAMES = [PlannedName(f"Get{at}", Severity.LOW, 2, (), ("rule",)) for at in range(5)]
KEYS = keys_of(PLACE, "ReadOnly=false", NAMES)


def known(*, since=3 * 24 * HOUR, swept=60, density=0.0, cursor=0):
    covered = IntervalSet([Interval(NOW - since, NOW - 60)])
    return {key: Lookup(key, NOW - since, NOW - 60, density, cursor, NOW - swept, 0, covered) for key in KEYS}


def task(lookups=None, sessions=(), requests=3):
    return task_of(PLACE, KEYS, NAMES, lookups or known(), sessions, LIMITS, now=NOW, requests=requests)


def session(at):
    return SessionLookup(LookupKey("a", "r", f"AccessKeyId=ASIA{at}"), NOW - at)


def lookups_made(one):
    return 1 + len(one.planned) + len(one.sessions) + (one.sweep is not None)


def test_a_quiet_region_makes_one_look_up_and_as_many_as_the_plan_allows():
    assert lookups_made(task()) == 4
    assert lookups_made(task(requests=0)) == 1


def test_sessions_come_before_the_plan_and_share_its_requests():
    one = task(sessions=[session(1), session(2)])
    many = task(sessions=[session(at) for at in range(9)])

    assert (len(one.sessions), len(one.planned)) == (2, 1)
    assert (len(many.sessions), len(many.planned)) == (3, 0)


def test_a_sweep_takes_the_place_of_one_planned_look_up():
    one = task(known(swept=HOUR))

    assert one.sweep is not None
    assert lookups_made(one) == 4


def test_a_region_is_swept_no_more_often_than_every_five_minutes():
    lookups = known(swept=2 * HOUR)
    lookups[KEYS[1]] = Lookup(KEYS[1], NOW - 24 * HOUR, NOW - 60, 0.0, 0, NOW - 299, 0, IntervalSet())

    assert sweep_of(list(lookups.values()), LIMITS, NOW) is None


def test_in_a_quiet_region_one_piece_is_the_whole_day():
    found = sweep_of(list(known(swept=HOUR).values()), LIMITS, NOW)

    assert found is not None
    assert found[0].key == KEYS[0]
    assert found[1] == Interval(NOW - 24 * HOUR, NOW - 900)


def test_in_a_busy_region_a_piece_is_as_long_as_the_time_since_the_one_before():
    found = sweep_of(list(known(swept=700, density=5.0, cursor=NOW - 10 * HOUR).values()), LIMITS, NOW)

    assert found is not None
    assert found[1] == Interval(NOW - 10 * HOUR, NOW - 10 * HOUR + 700)


def test_a_sweep_that_reached_the_end_begins_again_a_day_back():
    found = sweep_of(list(known(swept=700, density=5.0, cursor=NOW - 900).values()), LIMITS, NOW)

    assert found is not None
    assert found[1].start == NOW - 24 * HOUR


def test_the_sweep_does_not_reach_before_the_first_run():
    found = sweep_of(list(known(swept=HOUR, since=2 * HOUR).values()), LIMITS, NOW)

    assert found is not None
    assert found[1] == Interval(NOW - 2 * HOUR, NOW - 900)


def test_over_a_day_every_second_before_the_overlap_is_read_again_even_where_it_is_busy():
    swept, cursor, again = NOW, 0, []
    for minute in range(1, 2 * 24 * 60):
        now = NOW + 60 * minute
        lookup = Lookup(KEYS[0], NOW - 48 * HOUR, now - 60, 5.0, cursor, swept, 0, IntervalSet())
        found = sweep_of([lookup], LIMITS, now)
        if found is not None:
            again.append(found[1])
            cursor, swept = found[1].end, now

    assert IntervalSet(again).covers(Interval(NOW - 20 * HOUR, NOW + 20 * HOUR))


def test_look_ups_with_gaps_are_passed_on_even_when_it_is_not_their_turn():
    lookups = known()
    gap = IntervalSet([Interval(NOW - 5000, NOW - 4000), Interval(NOW - 3000, NOW - 60)])
    lookups[KEYS[4]] = Lookup(KEYS[4], NOW - 5000, NOW - 60, 0.0, 0, NOW - 60, 0, gap)

    assert [one.key for one in task(lookups).behind] == [KEYS[4]]


def test_a_piece_that_did_not_fit_is_shorter_the_next_time():
    lookups = known(swept=HOUR)
    lookups[KEYS[0]] = Lookup(KEYS[0], NOW - 48 * HOUR, NOW - 60, 0.0, 0, NOW - HOUR, 120, IntervalSet())
    found = sweep_of(list(lookups.values()), LIMITS, NOW)

    assert found is not None
    assert found[1].seconds == 120
