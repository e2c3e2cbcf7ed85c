"""From alerts to orders."""

import msgspec
import pytest

from trailwatch.detect.incidents import incident_of
from trailwatch.model.alert import Alert, Evidence
from trailwatch.model.principal import principal_of
from trailwatch.model.response import TargetKind
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.respond.actions.catalog import ACTIONS
from trailwatch.respond.choose import Chooser, ordered
from trailwatch.respond.playbook import load_playbooks, parse_playbook
from trailwatch.testing import event

SHIPPED = load_playbooks([], ACTIONS).playbooks


def alert_of(*records, respond="", severity=Severity.HIGH, keep=True):
    rule = RuleInfo("r", "rule", "Title", severity, "r.yml:1", respond=respond, tactics=("persistence",))
    evidence = tuple(
        Evidence(
            event_id=one["eventID"],
            time=1,
            event_name=one["eventName"],
            event_source=one["eventSource"],
            account="111122223333",
            region="us-east-1",
            source_ip="",
            user_agent="",
            error_code="",
            reason="",
            record=msgspec.json.encode(one) if keep else b"",
        )
        for one in records
    )
    return Alert(
        "a1",
        rule,
        "Title",
        principal_of(records[-1]).key,
        "p",
        "111122223333",
        "us-east-1",
        1,
        1,
        len(records),
        evidence,
    )


def playbook(**more):
    text = {"name": "mine", "description": "d", "answers": ["*"], "actions": ["lock-user"], **more}
    return {"mine": parse_playbook(msgspec.json.encode(text).decode(), "mine.yml", ACTIONS)}


def choose(alerts, playbooks=SHIPPED, **more):
    return Chooser(playbooks, ACTIONS, **more).choose(alerts)


def test_the_rule_names_the_playbook_and_the_event_the_target():
    chosen = choose([alert_of(event("RunInstances"), respond="lock-user")])

    assert [(one.action, one.target.kind, one.target.name) for one in chosen.orders] == [
        ("lock-user", TargetKind.USER, "dora")
    ]
    assert chosen.playbooks == ("lock-user",)


def test_a_condition_that_does_not_hold_keeps_a_playbook_out():
    root = {"type": "Root", "accountId": "111122223333", "arn": "arn:aws:iam::111122223333:root"}
    chosen = choose([alert_of(event("RunInstances", userIdentity=root), respond="lock-user")])

    assert (chosen.orders, chosen.playbooks) == ((), ("lock-root",))
    assert any("AWS Support" in one for one in chosen.humans)


def test_what_a_rule_asks_for_and_nobody_answers_is_told():
    chosen = choose([alert_of(event("RunInstances"), respond="dance")])

    assert chosen.unanswered == ("dance",)


def test_conditions_see_the_alert():
    only_low = playbook(when={"alert.severity": "low", "alert.tactics": "persistence"})

    assert choose([alert_of(event("RunInstances"), severity=Severity.HIGH)], only_low).orders == ()
    assert len(choose([alert_of(event("RunInstances"), severity=Severity.LOW)], only_low).orders) == 1


def test_an_events_own_text_cannot_pose_as_the_alert():
    forged = event("RunInstances", alert={"severity": "low"})

    assert choose([alert_of(forged)], playbook(when={"alert.severity": "low"})).orders == ()


def test_the_same_target_is_one_order():
    chosen = choose([alert_of(event("RunInstances"), event("RunInstances", eventID="x"), respond="lock-user")])

    assert len(chosen.orders) == 1


def test_what_a_rule_over_time_concluded_from_is_looked_up():
    record = event("RunInstances")
    alert = alert_of(record, respond="lock-user", keep=False)

    assert choose([alert]).orders == ()
    assert len(choose([alert], find=lambda _evidence: msgspec.json.encode(record)).orders) == 1


def test_of_what_a_rule_over_time_needed_only_that_of_its_principal_hits_anybody():
    innocent = event("CreateAccessKey", eventID="1", requestParameters={"userName": "dora"})
    innocent["userIdentity"] |= {"userName": "admin", "arn": "arn:aws:iam::111122223333:user/admin"}
    guilty = event("RunInstances", eventID="2")
    records = {"1": innocent, "2": guilty}
    alert = alert_of(innocent, guilty, respond="lock-user", keep=False)

    chosen = choose([alert], find=lambda evidence: msgspec.json.encode(records[evidence.event_id]))

    assert [(one.action, one.target.name) for one in chosen.orders] == [("lock-user", "dora")]


def test_users_are_locked_before_roles_are_revoked():
    record = event("CreateUser", requestParameters={"userName": "sync"})
    (first,) = choose([alert_of(record)], playbook(actions=["disable-user"])).orders
    (second,) = choose([alert_of(record)], playbook(actions=["lock-user"])).orders

    assert [one.action for one in ordered([first, second], ACTIONS)] == ["lock-user", "disable-user"]


BOSS = "arn:aws:iam::111122223333:user/staff/boss"
DAY = 86400


def done(name, by="dora", days=0.0, user="", **more):
    """An alert of one event."""
    identity = event(name)["userIdentity"] | {"userName": by, "arn": f"arn:aws:iam::111122223333:user/{by}"}
    if by == "boss":
        identity["arn"] = BOSS
    asked = {"requestParameters": {"userName": user}, "responseElements": {"accessKey": {"userName": user}}}
    record = event(name, eventID=f"{name} {by} {days}", userIdentity=identity, **(asked if user else {}))
    alert = alert_of(record, respond="lock-user", **more)
    at = 10 * DAY + int(days * DAY)
    evidence = tuple(msgspec.structs.replace(one, time=at) for one in alert.evidence)
    return msgspec.structs.replace(alert, id=record["eventID"], first_time=at, last_time=at, evidence=evidence)


def locked(alerts):
    chosen = Chooser(SHIPPED, ACTIONS).choose(alerts, incident_of("i", "a", alerts, {}))
    return chosen, sorted({one.target.name for one in chosen.orders if one.action == "lock-user"})


def set_up(days):
    return [done(name, "boss", days, "dora") for name in ("CreateUser", "AttachUserPolicy", "CreateAccessKey")]


def test_who_only_made_the_victim_long_before_is_left_out_and_told():
    chosen, names = locked([*set_up(0), done("RunInstances", days=2)])

    assert names == ["dora"]
    assert [(one.name, one.made) for one in chosen.spared] == [("user/boss", ("dora",))]


def test_who_made_a_user_that_acts_at_once_is_locked_and_people_are_told_to_ask():
    chosen, names = locked([*set_up(0), done("RunInstances", days=0.5)])

    assert (names, chosen.spared) == (["boss", "dora"], ())
    assert "Ask user/boss" in chosen.humans[0]


@pytest.mark.parametrize(
    "more",
    [
        done("StopLogging", "boss", -1),
        done("CreateAccessKey", "boss", 1.9, "dora"),
        done("CreateUser", "boss", 1, "sync", keep=False),
    ],
    ids=["something else", "another key, used at once", "what nobody can read"],
)
def test_who_did_anything_else_is_not_left_out(more):
    _, names = locked([*set_up(0), more, done("RunInstances", days=2)])

    assert names == ["boss", "dora"]


def test_what_is_less_than_medium_says_nothing_of_a_maker():
    harmless = done("GetCallerIdentity", "boss", 1, severity=Severity.LOW)

    assert locked([*set_up(0), harmless, done("RunInstances", days=2)])[1] == ["dora"]


def test_who_only_gave_rights_made_nobody():
    assert locked([done("AttachUserPolicy", "boss", 0, "dora"), done("RunInstances", days=2)])[1] == ["boss", "dora"]


def test_an_alert_that_was_asked_about_alone_is_answered_as_it_is():
    alerts = [*set_up(0), done("RunInstances", days=2)]
    chosen = Chooser(SHIPPED, ACTIONS).choose(alerts[:1], incident_of("i", "a", alerts, {}))

    assert "boss" in {one.target.name for one in chosen.orders}
