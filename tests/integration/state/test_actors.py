"""Quiet things of one actor add up over sessions and cycles, however late the links come."""

import itertools
import json

import msgspec
import pytest

from trailwatch.detect.engine import Engine
from trailwatch.detect.incidents import incident_of
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.pipeline import Pipeline
from trailwatch.rules.predicate import Field, Op
from trailwatch.rules.quiet import DIFFERENT_THINGS, QUIET_THINGS_ID, quiet_things
from trailwatch.rules.rule import Correlation, CorrelationLimit, Rule, RuleSet
from trailwatch.store.alerts import AlertFilter
from trailwatch.store.database import Database
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock

from .parts import START, delivery, record

ACCOUNT = "111122223333"
NAMES = [f"Quiet{number}" for number in range(DIFFERENT_THINGS)]


def rule(name, severity=Severity.LOW, *, alerting=False):
    info = RuleInfo(f"rule-{name}", name.lower(), name, severity, "rules/x.yml:1", alerting=alerting)
    return Rule(info, Field("eventName", Op.EQ, (name,)))


RULES = [*map(rule, NAMES), rule("Loud", Severity.HIGH, alerting=True)]
RULESET = RuleSet(rules=tuple(RULES), correlations=(quiet_things(RULES),))


def key(number):
    return f"ASIA{number:016d}"


def by_session(number, name, session):
    arn = f"arn:aws:iam::{ACCOUNT}:role/R{session}"
    identity = {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/R{session}/s",
        "accountId": ACCOUNT,
        "accessKeyId": key(session),
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": arn, "userName": f"R{session}"}},
    }
    return record(number, name=name, userIdentity=identity)


def assumed(number, session, user="alice"):
    identity = {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/{user}", "accountId": ACCOUNT}
    answer = {
        "credentials": {"accessKeyId": key(session)},
        "assumedRoleUser": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/R{session}/s"},
    }
    return record(number, name="AssumeRole", userIdentity=identity, responseElements=answer)


def alerts_after(*batches, rules=RULESET):
    with Store(Database(":memory:")) as store:
        for batch in batches:
            # a new process for each cycle
            pipeline = Pipeline(
                Engine(rules, silent=True), store, None, FixedClock.at(START), {"mail": Severity.LOW}, rules
            )
            pipeline.process(delivery(batch))
        return store.alerts.search(AlertFilter(limit=100))


LINKS = [assumed(50, 1), assumed(51, 2)]
QUIET = [by_session(100 + at, name, 1 + at % 2) for at, name in enumerate(NAMES)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_five_quiet_things_over_two_sessions_are_one_alert_in_any_order(order):
    batches = [LINKS, QUIET[:3], QUIET[3:]]

    [alert] = alerts_after(*(batches[at] for at in order))

    assert alert.rule.id == QUIET_THINGS_ID
    assert alert.actor.startswith(f"alice (IAM user) in {ACCOUNT} -> role R")
    assert alert.event_count == DIFFERENT_THINGS


def of_one_role(number, name, session):
    """By one of two sessions of one role, so that only links tell who it was."""
    event = json.loads(bytes(by_session(number, name, session)))
    event["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] = f"arn:aws:iam::{ACCOUNT}:role/R"
    event["userIdentity"]["arn"] = f"arn:aws:sts::{ACCOUNT}:assumed-role/R/s{session}"
    return msgspec.Raw(json.dumps(event).encode())


def test_an_incident_of_quiet_things_alone_says_what_to_contain():
    [alert] = alerts_after(LINKS, QUIET)
    incident = incident_of("i", "a", [alert], {})

    assert [measure.target for measure in incident.measures] == ["role R1 in 111122223333"]
    assert incident.keys == (key(1),)
    assert len(incident.timeline) == DIFFERENT_THINGS


TWO_PEOPLE = [assumed(50, 1), assumed(51, 2, "bob")]
SHARED = [of_one_role(100 + at, name, 1 if at < 3 else 2) for at, name in enumerate(NAMES)]


def test_what_a_late_link_moves_to_another_is_no_longer_counted_under_the_role():
    assert alerts_after(SHARED[:3], TWO_PEOPLE[:1], SHARED[3:]) == []


def test_an_alert_that_late_links_take_apart_is_dropped_while_nobody_was_told():
    assert alerts_after(SHARED, TWO_PEOPLE) == []
    # of one person it is what it was
    assert len(alerts_after(SHARED, [assumed(50, 1), assumed(51, 2)])) == 1


def test_an_alert_that_was_told_or_handled_stays():
    with Store(Database(":memory:")) as store:
        pipeline = Pipeline(
            Engine(RULESET, silent=True), store, None, FixedClock.at(START), {"mail": Severity.LOW}, RULESET
        )
        pipeline.process(delivery(SHARED))
        pipeline.announce(1)
        pipeline.process(delivery(TWO_PEOPLE))

        assert len(store.alerts.search(AlertFilter())) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_what_correlations_passed_on_goes_along(order):
    rules = [rule("Quiet0"), rule("Quiet1")]
    thrice = CorrelationLimit("gte", 3)
    info = RuleInfo("lower", "lower", "Lower", Severity.LOW, "x:1", alerting=False)
    lower = Correlation(info, "event_count", ("rule-Quiet0", "rule-Quiet1"), 600, ("actor",), thrice)
    upper = Correlation(rule("Upper", alerting=True).info, "event_count", ("lower",), 3600, ("actor",), thrice)
    ruleset = RuleSet(rules=tuple(rules), correlations=(lower, upper))
    acts = [of_one_role(100 + at, f"Quiet{at % 2}", 1 + at % 2) for at in range(6)]
    batches = [acts[:4], acts[4:], TWO_PEOPLE]

    assert alerts_after(*(batches[at] for at in order), rules=ruleset) == []
    # without links all is one role's
    assert len(alerts_after(acts, rules=ruleset)) == 1


def test_one_thing_many_times_is_one_thing():
    assert alerts_after(LINKS, [by_session(100 + n, NAMES[n % 4], 1) for n in range(40)]) == []


def test_quiet_things_of_two_people_do_not_add_up():
    assert alerts_after([assumed(50, 1), assumed(51, 2, "bob")], QUIET) == []


def test_alerts_of_all_sessions_of_one_actor_are_one_incident():
    loud = [by_session(200, "Loud", 1), by_session(201, "Loud", 2)]
    early, late = alerts_after(LINKS, loud), alerts_after(loud, LINKS)

    for alerts in (early, late):
        assert len(alerts) == 2
        assert len({alert.incident for alert in alerts}) == 1
        assert all(alert.actor.startswith("alice (IAM user)") for alert in alerts)


def test_without_links_each_role_is_an_incident_of_its_own_and_says_what_is_missing():
    alerts = alerts_after([by_session(200, "Loud", 1), by_session(201, "Loud", 2)])

    assert len({alert.incident for alert in alerts}) == 2
    assert all("origin not seen" in alert.actor for alert in alerts)
