"""What memories know of an actor is the same whether links come before the events or after them."""

from __future__ import annotations

import pytest

from trailwatch.detect.engine import Engine
from trailwatch.enrich.documentation import ExampleAddresses
from trailwatch.pipeline import Pipeline
from trailwatch.store.alerts import AlertFilter
from trailwatch.store.database import Database
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock

from .parts import START, delivery, record, rules_of

DAY = 86400
NOON = START // DAY * DAY + DAY // 2
ACCOUNT = "111122223333"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
LONDON, SYDNEY = "198.51.100.7", "203.0.113.9"
RULES = """title: New address of an actor
name: new_address
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: PutThing}, condition: s}
trailwatch:
  alerting: true
  first_seen: {fields: [actor, sourceIPAddress], history: 3d, known: [actor]}
---
title: Too fast
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: PutThing}, condition: s}
trailwatch: {travel: {by: [actor]}}
---
title: Key made
name: key_made
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: CreateAccessKey}, condition: s}
---
title: New address, then a key
correlation: {type: temporal_ordered, rules: [new_address, key_made], group-by: [actor], timespan: 1h}
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    return rules_of(tmp_path_factory.mktemp("rules"), RULES)


def by_session(number, at, name, address):
    """By the session of the day, of a role that many take."""
    day = at // DAY
    issuer = {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/R", "userName": "R"}
    identity = {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/R/s{day}",
        "accountId": ACCOUNT,
        "accessKeyId": f"ASIA{day:016d}",
        "sessionContext": {"sessionIssuer": issuer},
    }
    return record(number, at=at, name=name, userIdentity=identity, sourceIPAddress=address)


def link(number, at):
    day = at // DAY
    answer = {
        "credentials": {"accessKeyId": f"ASIA{day:016d}"},
        "assumedRoleUser": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/R/s{day}"},
    }
    return record(number, at=at, name="AssumeRole", principal="alice", responseElements=answer)


def days():
    """For each of seven days the link and what the session did; on the last it is in Sydney and makes a key."""
    for day in range(7):
        at = NOON + day * DAY
        acts = [by_session(10 * day + 1, at, "PutThing", LONDON)]
        if day == 6:
            acts.append(by_session(10 * day + 2, at + 600, "PutThing", SYDNEY))
            acts.append(by_session(10 * day + 3, at + 900, "CreateAccessKey", SYDNEY))
        yield link(10 * day, at - 60), acts


def told(rules, *, links_first):
    with Store(Database(":memory:")) as store:
        for number, (issued, acts) in enumerate(days()):
            now = NOON + number * DAY
            batches = [[issued], acts] if links_first else [acts, [issued]]
            for batch in batches:
                engine = Engine(rules, silent=True, tables=ExampleAddresses())
                pipeline = Pipeline(engine, store, None, FixedClock.at(now), {}, rules)
                pipeline.process(delivery(batch, gain=(NOON - 5 * DAY, now)))
            store.prune(now)
        seen = {(one.rule_id, *one.values): one.seen.days for one in store.first_seen.everything()}
        found = store.alerts.search(AlertFilter())
    return {(alert.id, alert.rule.title, alert.actor) for alert in found}, seen


def test_links_that_come_after_the_events_change_nothing_of_what_is_told_of_the_actor(rules):
    first, known = told(rules, links_first=True)
    last, known_late = told(rules, links_first=False)

    assert {title for _, title, _ in first} == {"New address of an actor", "Too fast", "New address, then a key"}
    assert all(actor.startswith("alice (IAM user)") for _, _, actor in first)
    assert first <= last
    assert {key: days for key, days in known_late.items() if ALICE in key} == {
        key: days for key, days in known.items() if ALICE in key
    }


def test_nothing_is_told_of_what_the_actor_always_does(rules):
    """The days before the last: known to be alice's, although each link came after the fact."""
    last, _ = told(rules, links_first=False)

    assert not any(title == "New address of an actor" and "alice" not in actor for _, title, actor in last)
