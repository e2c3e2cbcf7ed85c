"""The weekly message, with real state files and no network: cycles without accounts."""

from datetime import timedelta

import pytest

from trailwatch.config.proof import CanarySettings, GuardDutySettings
from trailwatch.config.schema import Config
from trailwatch.model.coverage import Interval, LookupKey
from trailwatch.ports import CoverageGain
from trailwatch.service.digest import WRITTEN, Digest
from trailwatch.service.digest_text import SHOWN, digest_of
from trailwatch.service.reach import unreachable
from trailwatch.service.reading_today import sources_of
from trailwatch.service.report import CycleReport, RegionReport
from trailwatch.store.canaries import Canary
from trailwatch.store.database import Database
from trailwatch.store.finding_sources import FindingSource
from trailwatch.store.store import Store
from trailwatch.store.trials import Trial
from trailwatch.wiring import load_ruleset, tables_of

WEEK = timedelta(days=7).total_seconds()
KEY = LookupKey("111122223333", "eu-west-1", "ReadOnly=false")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.sqlite3"


@pytest.fixture
def store(path):
    with Store(Database(path)) as opened:
        yield opened


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return {"HOME": str(tmp_path_factory.mktemp("home"))}


def cycle(store, clock, environment, *, config=None, events=0, failed=False):
    report = CycleReport(started=clock.now())
    report.regions = [RegionReport("111122223333", "eu-west-1", error_kind="denied" if failed else "")]
    report.tally.matched = events
    Digest(config or Config(), environment, store, clock).conclude(report, ["mail"])
    return report


def sent(store):
    return [entry.message for entry in store.outbox.entries()]


def test_the_first_comes_a_week_after_the_first_cycle_and_then_once_a_week(store, clock, environment):
    cycle(store, clock, environment, events=3)
    clock.advance(WEEK - 60)
    cycle(store, clock, environment, events=4)
    assert sent(store) == []
    clock.advance(60)
    assert len(cycle(store, clock, environment, failed=True).notices) == 1
    clock.advance(60)
    assert cycle(store, clock, environment).notices == []
    [message] = sent(store)
    assert message.headline == "trailwatch looked for 7d0h: 7 events, 0 alerts"
    assert "7 new events in 3 cycles, 1 of them read nothing" in message.body
    clock.advance(WEEK)
    cycle(store, clock, environment)
    assert len(sent(store)) == 2


def test_it_says_what_is_late_what_cannot_fire_and_how_long_canaries_take(store, clock, environment):
    now = int(clock.now().timestamp())
    with store.transaction():
        store.coverage.begin([KEY], now - 90_000, now)
        store.coverage.add([CoverageGain(KEY, Interval(now - 90_000, now - 7200))])
    store.finding_sources.keep(FindingSource(KEY.account, "us-east-1", "off", "", now))
    store.canaries.add([Canary(f"m{n}", KEY.account, KEY.region, "k", now - 900) for n in range(2)])
    store.canaries.returned("m0", now - 600)
    store.trials.keep([Trial("r", "new_rule", "c", now, None)])
    config = Config(guardduty=GuardDutySettings(enabled=True), canary=CanarySettings(every=3600))
    body = digest_of(config, environment, store, now - 7 * 86400, now).body
    assert "Regions: 0 of 1 look-ups are up to date." in body
    assert "111122223333/eu-west-1 ReadOnly=false: late for 2h00m" in body
    assert "GuardDuty does not look everywhere: 111122223333/us-east-1 off" in body
    assert "Canary: 1 of 2 came back, half of them within 5m, 95% within 5m." in body
    assert "can never fire." in body
    assert "data events" in body
    assert "On trial: new_rule." in body


def test_every_rule_that_can_never_fire_is_named_the_worst_with_the_reason_the_others_at_the_end(
    store, clock, environment
):
    now = int(clock.now().timestamp())
    ruleset = load_ruleset(Config(), environment, examples=True)
    dead = unreachable(ruleset, sources_of(Config(), ruleset, store, tables_of(Config())))
    body = digest_of(Config(), environment, store, now - WEEK, now).body
    assert len(dead) > SHOWN
    assert f"  {dead[0].severity.value} {dead[0].slug}: {dead[0].why}" in body
    last = body.splitlines()[-1]
    assert last == f"The other rules that can never fire: {', '.join(one.slug for one in dead[SHOWN:])}."


def test_a_crash_before_the_commit_loses_none_and_repeats_none(path, clock, environment):
    class BrokenError(Exception):
        pass

    with Store(Database(path)) as store:
        cycle(store, clock, environment)
    clock.advance(WEEK)
    with Store(Database(path)) as store:
        add = store.outbox.add

        def breaks(*arguments):
            add(*arguments)
            raise BrokenError

        store.outbox.add = breaks
        with pytest.raises(BrokenError):
            cycle(store, clock, environment)
    with Store(Database(path)) as store:
        assert sent(store) == []
        cycle(store, clock, environment)
        cycle(store, clock, environment)
        assert len(sent(store)) == 1


def test_of_two_processes_one_writes_it(path, clock, environment):
    with Store(Database(path)) as first, Store(Database(path)) as second:
        cycle(first, clock, environment)
        clock.advance(WEEK)
        late = Digest(Config(), environment, second, clock)
        since = int(second.facts.get(WRITTEN))
        cycle(first, clock, environment)
        report = CycleReport(started=clock.now())
        late._write(report, ["mail"], since, int(clock.now().timestamp()))
        assert report.notices == []
        assert len(sent(first)) == 1


def test_hostile_names_stay_on_their_line(store, clock, environment):
    now = int(clock.now().timestamp())
    store.trials.keep([Trial("r", "bad\x1b[31m\nrule", "c", now, None)])
    body = digest_of(Config(), environment, store, now - 60, now).body
    assert "\x1b" not in body
    assert "On trial: bad\ufffd[31m\ufffdrule." in body


def test_zero_switches_it_off(machine):
    machine.configure("pace = '0.01s'\nregions = ['us-east-1']", "[coverage]\ndigest = '0s'\n")
    machine.run("check")
    with machine.store() as store:
        assert store.facts.get(WRITTEN) is None


def test_a_cycle_counts_and_tells_it(machine):
    machine.configure("pace = '0.01s'\nplan_requests_per_region = 0\nregions = ['us-east-1']")
    machine.run("check")
    with machine.store() as store, store.transaction():
        store.facts.set(WRITTEN, str(int(store.facts.get(WRITTEN)) - int(WEEK)))
    done = machine.run("check")
    assert "trailwatch looked for 7d0h" in done.stderr
    assert "looked for" not in machine.run("check").stderr
