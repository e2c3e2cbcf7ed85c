"""A power cut at any call of the store changes nothing that memories, lineage, incidents or suppressions know."""

from __future__ import annotations

import pytest

from trailwatch.detect.engine import Engine
from trailwatch.detect.suppress import Suppressor
from trailwatch.enrich.documentation import ExampleAddresses
from trailwatch.pipeline import Pipeline
from trailwatch.rules.suppression import Suppression
from trailwatch.store.database import Database
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock

from .parts import START, Fuse, FusedDatabase, check_every_death, delivery, record, rules_of

DAY = 86400
NOON = START // DAY * DAY + DAY // 2
ACCOUNT = "111122223333"
LONDON, SYDNEY, HIDDEN = "198.51.100.7", "203.0.113.9", "192.0.2.1"
RULES = """title: New address
name: new_address
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: ConsoleLogin}, condition: s}
trailwatch:
  alerting: true
  first_seen: {fields: [actor, sourceIPAddress], history: 1d, known: [actor]}
---
title: Too fast
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: ConsoleLogin}, condition: s}
trailwatch: {travel: {by: [actor]}}
---
title: Key made
name: key_made
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: CreateAccessKey}, condition: s}
trailwatch: {alerting: true}
---
title: New address, then a key
correlation: {type: temporal, rules: [new_address, key_made], group-by: [actor], timespan: 1h}
"""
SUPPRESSIONS = (Suppression("scanner", "ops", "a scanner", NOON + 90 * DAY, ("*",), networks=(f"{HIDDEN}/32",)),)
TABLES = {
    "alerts": "id, first_time, last_time, event_count, principal, actor, actor_key, incident <> '', snoozed",
    "alert_events": "*",
    "sighting": "number, first, last, days",
    "memory": "rule_id, account",
    "learned": "*",
    "stay": "number, time",
    "link": "child, kind, parent, time",
    "lineage_path": "node, identity",
    "actor_signal": "identity, time, ident, actor",
    "signal": "correlation, slot, grp, time, id, base, value",
    "suppressed": "suppression, alert_id, event_id",
    "suppression_total": "suppression, events, first, last",
}
INCIDENTS = "SELECT group_concat(id) FROM (SELECT * FROM alerts ORDER BY id) GROUP BY incident ORDER BY 1"
CUTS_AT_MOST = 2000
SHARES = 4


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    return rules_of(tmp_path_factory.mktemp("rules"), RULES)


def by_session(number, at, name, key, address=LONDON):
    issuer = {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/R", "userName": "R"}
    identity = {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/R/s",
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "sessionContext": {"sessionIssuer": issuer},
    }
    return record(number, at=at, name=name, userIdentity=identity, sourceIPAddress=address)


def assumed(number, at, key):
    answer = {
        "credentials": {"accessKeyId": key},
        "assumedRoleUser": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/R/s"},
    }
    return record(number, at=at, name="AssumeRole", principal="dora", responseElements=answer)


def deliveries():
    """Four days; on the last one dora is elsewhere, her role's session makes keys, and its link comes late."""
    for day in range(3):
        at = NOON + day * DAY
        yield delivery(
            [record(day, at=at, name="ConsoleLogin", principal="dora", sourceIPAddress=LONDON)],
            gain=(at - DAY, at + 60),
        )
    at = NOON + 3 * DAY
    yield delivery(
        [
            record(10, at=at, name="ConsoleLogin", principal="dora", sourceIPAddress=LONDON),
            record(11, at=at + 600, name="ConsoleLogin", principal="dora", sourceIPAddress=SYDNEY),
            by_session(12, at + 900, "CreateAccessKey", "ASIA0000000000000001"),
            by_session(13, at + 901, "CreateAccessKey", "ASIA0000000000000002", HIDDEN),
        ],
        gain=(at - DAY, at + 1000),
    )  # fmt: skip
    yield delivery([assumed(20, at + 700, "ASIA0000000000000001")], gain=(at + 1000, at + 1100))


def cycle(path, rules, fuse=None):
    """Reads everything; ends as a process does."""
    clock = FixedClock.at(NOON + 4 * DAY)
    with Store(FusedDatabase(path, fuse or Fuse())) as store:
        engine = Engine(rules, silent=True, tables=ExampleAddresses())
        pipeline = Pipeline(engine, store, None, clock, {}, rules, Suppressor(SUPPRESSIONS))
        for one in deliveries():
            pipeline.process(one)
        store.prune(int(clock.seconds))


def contents(path):
    with Store(Database(path)) as store:
        rows = {
            table: sorted(map(tuple, store.database.all(f"SELECT {columns} FROM {table}")), key=repr)  # noqa: S608 names of this module
            for table, columns in TABLES.items()
        }
        rows["together"] = [row[0] for row in store.database.all(INCIDENTS)]
    return rows


def test_what_a_whole_cycle_leaves(memory, rules):
    cycle(memory / "whole", rules)
    found = contents(memory / "whole")

    assert {table for table in TABLES if not found[table]} == set()
    assert len(found["alerts"]) == 4
    assert len(found["together"]) == 1
    assert {row[5] for row in found["alerts"]} == {
        "user dora in 111122223333",
        "dora (IAM user) in 111122223333 -> role R",
    }


@pytest.mark.parametrize("share", range(SHARES))
def test_death_at_every_call_of_the_store(memory, rules, share):
    survived_at = check_every_death(
        memory,
        lambda path, fuse: cycle(path, rules, fuse),
        contents,
        range(1 + share, CUTS_AT_MOST, SHARES),
    )

    assert survived_at > 150
