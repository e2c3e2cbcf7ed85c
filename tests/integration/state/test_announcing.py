"""What is told, through which notifier and when: conversations, floods, digests, and what was merged."""

from datetime import UTC, datetime

import msgspec
import pytest

from trailwatch.announcing import Announcer
from trailwatch.config.notifiers import Console, Email, Route, TellingSettings
from trailwatch.detect.routing import Routing
from trailwatch.model.alert import AlertState, Verdict
from trailwatch.model.message import Kind
from trailwatch.model.severity import Severity
from trailwatch.pipeline import Pipeline
from trailwatch.store.outbox import OutboxState

from .parts import START, NameEngine, delivery, record

MINUTE, HOUR, DAY = 60, 3600, 86400
ENGINE = {"StopLogging": Severity.HIGH, "CreateUser": Severity.LOW, "DeleteTrail": Severity.CRITICAL}
ENGINE |= {"PutRule": Severity.MEDIUM}


class Team:
    """A pipeline, and what its notifiers have to say."""

    def __init__(self, store, clock, *outlets, routes=(), **telling):
        self.store, self.clock = store, clock
        outlets = outlets or (Console(name="mail", min_severity=Severity.LOW),)
        self.routing = Routing.of(outlets, routes)
        self.announcer = Announcer(store, self.routing, TellingSettings(**telling), UTC)
        self.pipeline = Pipeline(NameEngine(**ENGINE), store, None, clock, {}, announcer=self.announcer)
        self.number = 0

    def see(self, *names, principal="mallory", **more):
        self.number += 1
        records = [
            record(1000 * self.number + n, at=int(self.clock.seconds), name=name, principal=principal, **more)
            for n, name in enumerate(names)
        ]
        self.pipeline.process(delivery(records))

    def tell(self):
        """What goes into the outbox now, by notifier."""
        before = {entry.id for entry in self.entries()}
        self.pipeline.announce(int(self.clock.seconds))
        return [(entry.notifier, entry.message) for entry in self.entries() if entry.id not in before]

    def entries(self):
        return self.store.outbox.entries(limit=-1)

    def after(self, seconds):
        self.clock.seconds += seconds
        return self.tell()


def kinds(told):
    return [(name, message.kind, [alert.rule.title for alert in message.alerts]) for name, message in told]


@pytest.fixture
def team(store, clock):
    return Team(store, clock)


def test_the_first_evidence_is_told_at_once_and_more_of_it_after_a_while_in_the_same_conversation(team):
    team.see("StopLogging")
    [(_, first)] = team.tell()
    team.see("PutRule")
    assert team.after(5 * MINUTE) == []
    team.see("CreateUser")
    assert team.after(9 * MINUTE) == []
    [(_, later)] = team.after(MINUTE)

    assert (first.kind, later.kind) == (Kind.ALERT, Kind.UPDATE)
    assert first.thread == later.thread != ""
    assert [alert.rule.title for alert in later.alerts] == ["PutRule was called", "CreateUser was called"]
    assert later.body == "2 new alerts."
    assert team.after(DAY) == []


def test_what_makes_it_more_severe_is_told_at_once_with_what_waited(team):
    team.see("StopLogging")
    team.tell()
    team.see("PutRule")
    assert team.after(MINUTE) == []
    team.see("DeleteTrail")
    [(_, worse)] = team.after(MINUTE)

    assert kinds([("mail", worse)]) == [("mail", Kind.UPDATE, ["DeleteTrail was called", "PutRule was called"])]
    assert worse.headline == "critical: DeleteTrail was called and 1 more"


def test_somebody_else_is_told_at_once(team):
    team.see("StopLogging")
    team.tell()
    team.see("StopLogging", principal="bob")

    assert [message.kind for _, message in team.after(MINUTE)] == [Kind.ALERT]


def test_events_that_only_add_to_an_alert_are_told_ever_more_rarely(team):
    team.see("StopLogging")
    team.tell()
    told = []
    for minute in range(1, 8 * 60):
        team.see("StopLogging")
        told += [(minute, message) for _, message in team.after(MINUTE)]

    pauses = [minute for minute, _ in told]
    assert 3 <= len(told) <= 40
    # each hour is an alert of its own; besides it, only the first quarter of an hour brings an update
    assert pauses[0] == 15
    assert "14 more events of 1 alert that you were told of." in told[0][1].body or "15 more" in told[0][1].body
    assert all(message.kind is Kind.UPDATE for _, message in told)


def test_alerts_that_were_closed_or_put_off_meanwhile_are_not_told(team):
    team.see("StopLogging")
    team.tell()
    team.see("PutRule", "CreateUser")
    team.after(MINUTE)
    ids = {alert.rule.slug: alert.id for alert in team.store.alerts.find("", 10)}
    team.store.alerts.handle(ids["rule_PutRule"], AlertState.CLOSED, Verdict.FALSE_POSITIVE, "", START)
    team.store.handling.snooze(ids["rule_CreateUser"], START + DAY, "", START)

    assert team.after(HOUR) == []
    [(_, woken)] = team.after(DAY)
    assert [alert.rule.slug for alert in woken.alerts] == ["rule_CreateUser"]


def test_a_flood_is_one_message_with_counts_and_the_worst_ten(store, clock):
    team = Team(store, clock, flood=5)
    for number in range(12):
        team.see("StopLogging", "CreateUser", principal=f"user{number}")
    team.see("DeleteTrail", principal="user99")
    [(_, flood)] = team.tell()

    assert flood.kind is Kind.FLOOD
    assert flood.headline == "25 alerts at once, of 13 actors"
    assert (flood.total, len(flood.alerts), flood.severity) == (25, 10, Severity.CRITICAL)
    assert flood.alerts[0].rule.title == "DeleteTrail was called"
    counts = {(count.by, count.label): count.number for count in flood.counts}
    assert counts["severity", "high"] == 12
    assert counts["rule", "CreateUser was called"] == 12
    assert counts["actor", "5 others"] >= 5
    everyone = store.alerts.find("", 100)
    assert all(store.outbox.sendings_of(alert.id) for alert in everyone), "each alert knows where it was told"
    assert team.after(DAY) == []


def test_as_many_as_are_no_flood_are_told_one_by_one(store, clock):
    team = Team(store, clock, flood=5)
    for number in range(5):
        team.see("StopLogging", principal=f"user{number}")

    assert [message.kind for _, message in team.tell()] == [Kind.ALERT] * 5


def test_both_tellings_of_a_cycle_count_as_one_flood(store, clock):
    team = Team(store, clock, flood=5)
    for number in range(4):
        team.see("StopLogging", principal=f"user{number}")
    team.tell()
    for number in range(4, 8):
        team.see("StopLogging", principal=f"user{number}")

    assert [(message.kind, message.total) for _, message in team.after(20)] == [(Kind.FLOOD, 4)]


def test_a_flood_that_goes_on_is_told_as_seldom_as_updates_unless_it_gets_worse(store, clock):
    team = Team(store, clock, flood=3)
    told = []
    for minute in range(40):
        for number in range(5):
            team.see("StopLogging", principal=f"user{minute}-{number}")
        told += [(minute, message.total) for _, message in team.after(MINUTE)]
    assert [minute for minute, _ in told] == [0, 15, 30]
    assert sum(total for _, total in told) == 5 * 31

    team.see("DeleteTrail", principal="worse")
    [(_, worse)] = team.after(MINUTE)
    assert (worse.kind, worse.severity) == (Kind.FLOOD, Severity.CRITICAL)


def test_the_same_thing_in_many_regions_is_told_as_one_with_the_regions_named(store, clock):
    team = Team(store, clock)
    regions = ["eu-west-1", "us-east-1", "ap-south-1"]
    rules = NameEngine(StopLogging=Severity.HIGH)

    class ByRegion:
        """A rule whose alerts are of one region each."""

        def evaluate(self, one):
            found = rules.evaluate(one)
            found.matches = [
                msgspec.structs.replace(match, alert_id=f"{match.region}-{match.alert_id}"[:40])
                for match in found.matches
            ]
            return found

    team.pipeline._engine = ByRegion()
    for region in regions:
        team.see("StopLogging", awsRegion=region)
    [(_, message)] = team.tell()

    [alert] = message.alerts
    assert alert.regions == tuple(sorted(regions))
    assert len(alert.twins) == 2
    assert alert.event_count == 3
    assert all(store.outbox.sendings_of(one.id) for one in store.alerts.find("", 10))
    assert team.after(DAY) == []


def test_a_digest_gathers_what_can_wait_and_is_sent_once_at_its_time(store, clock):
    mail = Email(name="mail", to=("a@example.org",), min_severity=Severity.LOW, digest="daily")
    team = Team(store, clock, mail, digest_at="08:00")
    clock.seconds = datetime(2026, 3, 2, 9, 30, tzinfo=UTC).timestamp()
    team.see("StopLogging", "PutRule")
    assert kinds(team.tell()) == [("mail", Kind.ALERT, ["StopLogging was called"])]
    team.see("CreateUser", principal="bob")
    assert team.after(22 * HOUR) == []

    [(_, digest)] = team.after(30 * MINUTE)
    assert digest.kind is Kind.DIGEST
    assert digest.headline == "Daily digest: 2 alerts, the worst medium"
    assert [alert.rule.title for alert in digest.alerts] == ["PutRule was called", "CreateUser was called"]
    assert team.after(DAY) == []


def test_an_hourly_digest_that_nobody_sent_in_time_is_sent_when_the_machine_is_back(store, clock):
    team = Team(store, clock, Console(name="mail", min_severity=Severity.LOW, digest="hourly"))
    clock.seconds = START + 10 * MINUTE
    team.see("PutRule")
    assert team.after(49 * MINUTE) == []

    [(_, digest)] = team.after(7 * HOUR)
    assert (digest.kind, digest.total) == (Kind.DIGEST, 1)


def test_what_waits_for_a_digest_and_becomes_severe_is_told_at_once_and_not_again(store, clock):
    team = Team(store, clock, Console(name="mail", min_severity=Severity.LOW, digest="daily"))
    team.see("PutRule")
    assert team.tell() == []
    team.pipeline._engine.rules["PutRule"] = msgspec.structs.replace(
        team.pipeline._engine.rules["PutRule"], severity=Severity.HIGH
    )
    team.see("PutRule")

    assert [message.kind for _, message in team.after(MINUTE)] == [Kind.ALERT]
    assert team.after(2 * DAY) == []


def test_routes_send_each_alert_where_it_belongs_and_updates_follow_it_there(store, clock):
    team = Team(
        store,
        clock,
        Console(name="all", min_severity=Severity.LOW),
        Console(name="pager", min_severity=Severity.LOW),
        Console(name="iam-team", min_severity=Severity.LOW),
        routes=[Route(to=("pager",), severity=Severity.HIGH), Route(to=("iam-team",), rules=("rule_Create*",))],
    )
    team.see("StopLogging", "CreateUser")

    assert sorted(kinds(team.tell()), key=lambda one: one[0]) == [
        ("all", Kind.ALERT, ["StopLogging was called", "CreateUser was called"]),
        ("iam-team", Kind.ALERT, ["CreateUser was called"]),
        ("pager", Kind.ALERT, ["StopLogging was called"]),
    ]
    team.see("DeleteTrail")
    assert sorted(name for name, _ in team.after(MINUTE)) == ["all", "pager"]


def test_what_waits_for_a_notifier_that_is_gone_goes_to_those_that_have_not_heard_of_it(store, clock):
    mail, other = Console(name="mail", digest="daily"), Console(name="other")
    old = Team(store, clock, mail, Console(name="heard"))
    old.see("PutRule")
    assert [name for name, _ in old.tell()] == ["heard"]

    new = Team(store, clock, Console(name="heard"), other)
    assert [(name, message.kind) for name, message in new.after(MINUTE)] == [("other", Kind.ALERT)]
    assert new.after(2 * DAY) == []


def test_an_incident_that_became_part_of_another_gets_one_last_pointer(team, store):
    team.see("StopLogging", principal="alice")
    team.see("StopLogging", principal="bob")
    team.tell()
    home, gone = sorted({alert.incident for alert in store.alerts.find("", 10)})
    with store.transaction():
        store.database.execute("UPDATE alerts SET incident = ? WHERE incident = ?", (home, gone))
        store.database.execute("UPDATE incidents SET merged_into = ? WHERE id = ?", (home, gone))

    [(name, pointer)] = team.after(MINUTE)

    assert (name, pointer.kind, pointer.thread) == ("mail", Kind.POINTER, gone)
    assert pointer.commands == (f"trailwatch incidents show {home}",)
    assert team.after(DAY) == []
    team.see("DeleteTrail", principal="alice")
    assert [message.thread for _, message in team.after(MINUTE)] == [home]


def test_an_incident_that_nobody_heard_of_needs_no_pointer(store, clock):
    team = Team(store, clock, Console(name="mail", min_severity=Severity.CRITICAL))
    team.see("StopLogging", principal="alice")
    team.see("StopLogging", principal="bob")
    team.tell()
    home, gone = sorted({alert.incident for alert in store.alerts.find("", 10)})
    with store.transaction():
        store.database.execute("UPDATE incidents SET merged_into = ? WHERE id = ?", (home, gone))

    assert team.after(MINUTE) == []


def test_a_message_of_a_conversation_never_overtakes_an_earlier_one_not_even_a_flood_or_digest(store, clock):
    team = Team(store, clock, flood=3)
    for number in range(5):
        team.see("StopLogging", principal=f"user{number}")
    team.tell()
    team.see("DeleteTrail", principal="user2")
    team.see("DeleteTrail", principal="somebody else")
    team.after(2 * MINUTE)

    due = [item.message for item in store.outbox.due(int(clock.seconds))]
    assert [message.kind for message in due] == [Kind.FLOOD, Kind.ALERT]
    assert due[1].principal.endswith("somebody else")

    store.outbox.begin(store.outbox.due(int(clock.seconds))[0], START)
    assert len(store.outbox.due(int(clock.seconds))) == 1


def test_nothing_is_told_twice_when_the_process_dies_while_it_decides(store, clock):
    class Dying(Announcer):
        def announce(self, untold, now):
            super().announce(untold, now)
            raise KeyboardInterrupt

    team = Team(store, clock, Console(name="mail", min_severity=Severity.LOW, digest="hourly"))
    team.see("StopLogging", "PutRule")
    team.pipeline._announcer = Dying(store, team.routing, TellingSettings(), UTC)
    with pytest.raises(KeyboardInterrupt):
        team.tell()
    assert store.outbox.counts()[OutboxState.WAITING] == 0

    team.pipeline._announcer = team.announcer
    assert [message.kind for _, message in team.tell()] == [Kind.ALERT]
    assert [message.kind for _, message in team.after(HOUR)] == [Kind.DIGEST]
    assert team.after(HOUR) == []
