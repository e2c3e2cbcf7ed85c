"""Cycles over time, with a scripted AWS: whatever happens, every event is processed once and gaps close."""

import threading
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trailwatch.config.schema import Account, Check
from trailwatch.detect.engine import Engine
from trailwatch.errors import SourceError, StoreError
from trailwatch.model.message import Message
from trailwatch.model.severity import Severity
from trailwatch.pipeline import Pipeline
from trailwatch.rules.rule import RuleSet
from trailwatch.service.companions import Quiet
from trailwatch.service.cycle import PATIENCE_SECONDS, RELAY_SECONDS, Cycle
from trailwatch.service.watch import watch
from trailwatch.sources.poll_plan import Plan
from trailwatch.store.database import Database
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock, RecordingNotifier

from .parts import ACCOUNT, ScriptedCloudTrail, refusal

REGION = "us-east-1"
MINUTE, HOUR = 60, 3600


class ScriptedAccess:
    """An account with one region."""

    account = Account(name="scripted")
    access_key = "AKIAEXAMPLE"
    known_account_id = ""

    def __init__(self, client, regions=(REGION,)):
        self.asked = []
        self.clients = {REGION: client}
        self.regions = regions
        self.refused = None

    def client(self, service, region):
        assert service == "cloudtrail"
        return self.clients[region]

    def ask_caller(self):
        self.asked.append("account")
        if self.refused:
            raise self.refused
        return ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/watcher"

    def ask_regions(self):
        self.asked.append("regions")
        if self.refused:
            raise self.refused
        return self.regions


class MemoryArchive:
    def __init__(self):
        self.ids = []

    def append(self, account, region, records):
        assert (account, region) == (ACCOUNT, REGION)
        self.ids += [msgspec.json.decode(record)["eventID"] for _, record in records]


class World:
    """One machine and one account; cycles run when they are told to."""

    def __init__(self, **check):
        self.clock = FixedClock()
        self.start = int(self.clock.now().timestamp())
        self.client = ScriptedCloudTrail(self.clock, seconds=0.5)
        self.access = ScriptedAccess(self.client)
        self.store = Store(Database(":memory:"))
        self.archive = MemoryArchive()
        self.notifier = RecordingNotifier("mail")
        self.heartbeats = []
        self.check = Check(**check)
        self.pipeline = Pipeline(Engine(RuleSet()), self.store, self.archive, self.clock, {"mail": Severity.MEDIUM})

    def cycle(self, **more):
        # a client is new in every cycle, and its handlers with it
        self.client._before_send.clear()
        return Cycle(
            accesses=[self.access],
            store=self.store,
            pipeline=self.pipeline,
            notifiers=lambda: {"mail": self.notifier},
            routes={"mail": Severity.MEDIUM},
            settings=self.check,
            plan=Plan(),
            clock=self.clock,
            heartbeat=self.heartbeats.append,
            **more,
        )

    def run(self, **more):
        return self.cycle(**more).run()

    def advance_to(self, seconds):
        """To so many seconds after the start, unless it is later already."""
        self.clock.advance(max(0.0, self.start + seconds - self.clock.now().timestamp()))

    @property
    def now(self):
        return int(self.clock.now().timestamp())


class Burst(NamedTuple):
    """Events one after the other from `at` seconds after the start, each `late` seconds late."""

    at: int
    count: int
    every: float
    late: int


bursts = st.lists(
    st.builds(
        Burst,
        st.integers(-5 * MINUTE, 5 * HOUR),
        st.integers(1, 400),
        st.sampled_from([0.0, 0.05, 1.0, 20.0]),
        st.sampled_from([0, 30, 300, 890]),
    ),
    max_size=6,
)
pauses = st.lists(st.sampled_from([60, 60, 60, 61, 300, 1200, 2 * HOUR]), min_size=1, max_size=12)
faults = st.lists(
    st.sampled_from([None, None, None, "ThrottlingException", "InternalFailure", "AccessDenied"]), max_size=40
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bursts, pauses, faults)
def test_whatever_the_load_the_pauses_and_the_faults_every_event_is_read_once(bursts, pauses, faults):
    world = World()
    for at, burst in enumerate(bursts):
        for number in range(burst.count):
            time = world.start + burst.at + int(number * burst.every)
            world.client.rows.append((time, f"{at}-{number:04d}", "CreateUser", time + burst.late))
    world.client.failures = [fault and refusal(fault, 500 if fault == "InternalFailure" else 400) for fault in faults]
    wanted = {row[1] for row in world.client.rows}
    last = max((row[0] for row in world.client.rows), default=world.start) + 900

    for pause in pauses:
        world.run()
        world.clock.advance(pause)
    world.client.failures = []
    world.clock.advance(max(0, last - world.now))
    cycles = 0
    while True:
        report = world.run()
        cycles += 1
        if not report.behind:
            break
        world.clock.advance(5)
        assert cycles < 60, report.line()
    world.clock.advance(60)
    world.run()

    assert sorted(world.archive.ids) == sorted(wanted)
    assert report.tally.reconciles()


def test_a_dense_spot_at_the_start_of_a_long_gap_does_not_hold_it_up():
    world = World()
    world.run()
    at = world.start + 10 * MINUTE
    world.client.rows = [(at, f"dense{number:04d}", "CreateUser", 0.0) for number in range(900)]
    world.client.rows += [(at + 40 * number, f"thin{number:04d}", "CreateUser", 0.0) for number in range(600)]
    world.clock.advance(7 * HOUR)

    for _ in range(8):
        report = world.run()
        world.clock.advance(10)

    assert not report.behind
    assert len(world.archive.ids) == 1500


def test_events_that_show_up_a_quarter_of_an_hour_late_are_found_by_the_overlap():
    world = World()
    world.run()
    world.client.rows.append((world.now + 30, "late", "CreateUser", world.now + 30 + 890))
    for _ in range(17):
        world.clock.advance(60)
        world.run()

    assert world.archive.ids == ["late"]


def test_an_event_that_showed_up_late_during_an_outage_is_found_although_its_minute_was_read_before():
    world = World()
    world.client.rows = [(world.start + at, f"e{at}", "CreateUser", 0.0) for at in range(-1200, 4 * HOUR, 3)]
    world.run()
    world.client.rows.append((world.start - 100, "late", "CreateUser", world.start + 300))
    world.clock.advance(3 * HOUR)
    while world.run().behind:
        world.clock.advance(30)

    assert "late" in world.archive.ids


def test_it_says_how_far_behind_it_is():
    world = World()
    world.run()
    world.client.rows = [(world.start + at, f"e{at}", "CreateUser", 0.0) for at in range(0, 6 * HOUR, 2)]
    world.clock.advance(6 * HOUR)

    report = world.run()

    (behind,) = report.behind
    assert HOUR < behind.behind_seconds <= 6 * HOUR + 20 * MINUTE
    assert f"behind: {REGION} " in report.line()
    assert report.outcome == "good"


def test_a_first_call_waits_for_the_last_one_of_the_run_before():
    world = World(budget=10.0)
    world.run()
    called = world.store.pace.last_calls()[ACCOUNT, REGION]
    # as if the process had begun right after the last call
    world.clock = FixedClock(world.clock.now())
    began = world.clock.now().timestamp()
    world.client.clock = world.clock

    world.run()

    assert called <= began
    assert world.store.pace.last_calls()[ACCOUNT, REGION] >= called + 0.55


def test_after_a_run_that_was_killed_the_first_call_waits_one_pace():
    world = World()
    world.store.cycles.begin(world.now - 60)
    began = world.clock.now().timestamp()

    world.run()

    assert round(world.store.pace.last_calls()[ACCOUNT, REGION] - began, 3) == 0.55


def test_the_heartbeat_is_called_after_a_good_cycle_only():
    world = World(heartbeat_url="https://beat.example/x")
    world.run()
    world.client.failures = [refusal("AccessDenied")]
    report = world.run()

    assert world.heartbeats == ["https://beat.example/x"]
    assert report.outcome == "failed"


def test_without_a_heartbeat_url_nothing_is_called():
    world = World()
    world.run()

    assert world.heartbeats == []


def test_a_region_that_fails_in_passing_is_told_only_when_it_lasts():
    world = World()
    world.run()
    told = []
    for _ in range(12):
        world.client.failures = [refusal("InternalFailure", 500)] * 4
        world.clock.advance(60)
        world.run()
        told.append(len(world.notifier.sent))
    world.client.failures = []
    world.run()

    assert told == [0] * 10 + [1] * 2
    assert [message.headline for message in world.notifier.sent] == [
        f"trailwatch cannot read {ACCOUNT}/{REGION}",
        f"trailwatch reads again {ACCOUNT}/{REGION}",
    ]


def test_a_region_that_stays_denied_is_told_again_each_day():
    world = World()
    for _ in range(3):
        world.client.failures = [refusal("AccessDenied")]
        world.run()
        world.clock.advance(12 * HOUR + 60)

    assert len(world.notifier.sent) == 2


def test_regions_that_were_known_an_hour_ago_are_read_when_they_cannot_be_asked_for_now():
    world = World()
    world.run()
    world.clock.advance(2 * HOUR)
    world.store.regions.keep_account("AKIAEXAMPLE", ACCOUNT, world.now)
    world.access.refused = SourceError("scripted", "no", kind="denied")

    assert world.run().outcome == "good"
    assert world.access.asked == ["account", "regions", "regions"]


def test_an_account_that_cannot_be_asked_at_all_is_a_failed_cycle():
    world = World()
    world.access.refused = SourceError("scripted", "no", kind="denied")

    report = world.run()

    assert (report.outcome, report.regions[0].region) == ("failed", "*")


def test_a_fault_of_the_program_is_raised_and_the_cycle_is_kept_as_failed():
    world = World()
    world.client.failures = [ZeroDivisionError("a bug")]

    with pytest.raises(ZeroDivisionError):
        world.run()
    last = world.store.cycles.last()
    assert last is not None
    assert last.outcome == "failed"


def test_seen_ids_are_kept_as_long_as_what_they_guard_may_be_read_again():
    world = World(budget=8.0)
    world.run()
    world.client.rows = [(world.start + at, f"e{at}", "CreateUser", 0.0) for at in range(0, 72 * HOUR, 40)]
    world.clock.advance(72 * HOUR)
    while world.run().behind:
        world.clock.advance(2)

    assert len(world.archive.ids) == len(set(world.archive.ids)) == len(world.client.rows)
    assert world.store.seen.count() < len(world.client.rows)


def test_a_cycle_that_is_ended_before_it_read_anything_is_no_good_cycle():
    world = World(heartbeat_url="http://127.0.0.1/beat")

    report = world.run(stopped=lambda: True)

    assert (report.outcome, report.exit_code, world.heartbeats) == ("stopped", 0, [])
    assert " stopped: " in report.line()
    assert world.store.cycles.last_good() is None
    assert world.run().outcome == "good"


def test_a_receiver_that_hangs_holds_up_no_reading_and_its_mail_is_kept_as_sent():
    world, freed, order = World(), threading.Event(), []

    class Hanging(RecordingNotifier):
        def send(self, message):
            assert freed.wait(30), "the cycle waits for the receiver"
            order.append("mail accepted")
            return super().send(message)

    class Telling(Quiet):
        def follow_up(self, _, notices):
            if order:
                return False
            order.append("newest read")
            world.store.outbox.add(Message("m1", world.now, "", (), "look"), notices, world.now)
            return True

        def conclude(self, *_):
            order.append("all read")
            freed.set()

    world.notifier = Hanging("mail")
    report = world.run(companions=[Telling()])

    assert order == ["newest read", "all read", "mail accepted"]
    assert (report.outcome, report.sent, report.waiting) == ("good", 1, 0)
    assert world.store.outbox.under_way() == []


def test_a_cycle_that_is_over_its_time_ends_while_a_receiver_hangs_and_its_mail_is_kept_as_sent():
    world, freed, order = World(heartbeat_url="http://127.0.0.1/beat"), threading.Event(), []

    class Hanging(RecordingNotifier):
        def send(self, message):
            assert freed.wait(30), "the cycle ends without the receiver"
            order.append("mail accepted")
            return super().send(message)

    class Slow(Quiet):
        def conclude(self, _, names):
            world.store.outbox.add(Message("m1", world.now, "", (), "look"), names, world.now)

        def follow_up(self, *_):
            if world.store.outbox.under_way():
                world.clock.advance(world.check.budget + RELAY_SECONDS + PATIENCE_SECONDS)
            return False

    class Beats(list):
        def append(self, _):
            order.append("cycle over")
            freed.set()

    world.notifier, world.heartbeats = Hanging("mail"), Beats()
    report = world.run(companions=[Slow()])

    assert order == ["cycle over", "mail accepted"]
    assert (report.outcome, report.sent, report.waiting) == ("good", 0, 1)
    assert world.store.outbox.under_way() == []
    assert world.store.outbox.waiting_by_notifier() == {}
    assert [message.id for message in world.notifier.sent] == ["m1"]


def test_watch_goes_on_after_a_cycle_that_could_not_run_and_ends_when_told_to():
    world = World()
    said, waited = [], []

    def make():
        if len(waited) == 1:
            raise StoreError("state", "is locked")
        return world.cycle()

    def wait(seconds):
        waited.append(seconds)
        world.clock.advance(seconds)
        return len(waited) == 3

    watch(
        make,
        world.clock,
        wait=wait,
        ended=lambda report: said.append(report.outcome),
        failed=lambda error: said.append(str(error)),
    )

    assert said == ["good", "state: is locked", "good"]
    assert waited[1] == 60.0
    assert waited[0] < 60.0
