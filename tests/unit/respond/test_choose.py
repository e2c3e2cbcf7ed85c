"""From alerts to orders."""

import msgspec

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
