"""Pace, cycles and regions in the store."""

import pytest

from trailwatch.store.cycles import CycleLock, Cycles
from trailwatch.store.database import Database
from trailwatch.store.pace import Pace
from trailwatch.store.regions import Regions


@pytest.fixture
def database(tmp_path):
    with Database(tmp_path / "state.sqlite3") as opened:
        yield opened


def test_the_last_call_of_each_region_is_kept_and_never_goes_back(database):
    pace = Pace(database)
    pace.called([("a", "r1", 10.5), ("a", "r2", 11.0)])
    pace.called([("a", "r1", 9.0), ("a", "r2", 12.25)])

    assert pace.last_calls() == {("a", "r1"): 10.5, ("a", "r2"): 12.25}


def test_a_cycle_that_did_not_say_how_it_ended_was_killed(database):
    cycles = Cycles(database)
    first, calm_at_first = cycles.begin(100.0)
    cycles.finish(first, 110.0, "good", "fine")
    _, calm = cycles.begin(160.0)
    _, calm_after_a_kill = cycles.begin(220.0)

    assert (calm_at_first, calm, calm_after_a_kill) == (True, True, False)
    last, good = cycles.last(), cycles.last_good()
    assert last is not None
    assert good is not None
    assert (last.outcome, good.id, good.summary) == ("killed", first, "fine")


def test_a_partial_cycle_is_good_enough_and_a_failed_one_is_not(database):
    cycles = Cycles(database)
    partial, _ = cycles.begin(100.0)
    cycles.finish(partial, 110.0, "partial", "")
    failed, _ = cycles.begin(160.0)
    cycles.finish(failed, 170.0, "failed", "")

    good = cycles.last_good()
    assert good is not None
    assert good.id == partial


def test_only_one_holds_the_lock_until_it_lets_go(database):
    cycles = Cycles(database)
    with cycles.lock() as first, cycles.lock() as second:
        assert first.acquire()
        assert not second.acquire()
        first.release()
        assert second.acquire()


def test_a_store_in_memory_needs_no_lock():
    assert CycleLock(":memory:").acquire()


def test_who_an_access_key_belongs_to_is_known_for_an_hour_and_the_key_is_not_kept(database):
    regions = Regions(database)
    regions.keep_account("AKIAEXAMPLE", "111122223333", 1000)

    assert regions.account_of("AKIAEXAMPLE", 1000 + 3599) == "111122223333"
    assert regions.account_of("AKIAEXAMPLE", 1000 + 3600) is None
    assert regions.account_of("AKIAOTHER", 1000) is None
    assert "AKIAEXAMPLE" not in "".join(str(tuple(row)) for row in database.all("SELECT * FROM caller"))


def test_enabled_regions_are_known_for_an_hour_and_remembered_after_it(database):
    regions = Regions(database)
    regions.keep_enabled("a", ["eu-west-1", "us-east-1"], 1000)

    assert regions.enabled("a", 4599) == ("eu-west-1", "us-east-1")
    assert regions.enabled("a", 4600) is None
    assert regions.last_enabled("a") == ("eu-west-1", "us-east-1")


def test_trouble_keeps_when_it_began_and_is_forgotten_when_it_is_over(database):
    regions = Regions(database)
    regions.failed("a", "r", "unreachable", "no route", 100)
    trouble = regions.failed("a", "r", "denied", "no", 160)

    assert (trouble.since, trouble.kind, trouble.told) == (100, "denied", 0)
    assert regions.recovered("a", "r") == trouble
    assert regions.recovered("a", "r") is None
