"""A power cut at any call of the store loses no conclusion of a correlation and adds none."""

from __future__ import annotations

import pytest

from trailwatch.detect.engine import Engine
from trailwatch.pipeline import Pipeline
from trailwatch.store.alerts import AlertFilter
from trailwatch.store.database import Database
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock

from .parts import START, Fuse, FusedDatabase, check_every_death, delivery, record, rules_of

RULES = """title: Call
name: Get
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: Get}, condition: s}
---
title: Call
name: Put
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: Put}, condition: s}
---
title: Burst
name: burst
correlation: {type: event_count, rules: [Get], group-by: [userIdentity.arn], timespan: 2m, condition: {gte: 3}}
---
title: Bursts
correlation:
  {type: event_count, rules: [burst], group-by: [userIdentity.arn], timespan: 9m, condition: {gte: 2}, generate: true}
---
title: Only one
correlation: {type: temporal, group-by: [actor], timespan: 5m, condition: Get and not Put}
"""
CUTS_AT_MOST = 1000


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    return rules_of(tmp_path_factory.mktemp("rules"), RULES)


def deliveries():
    """Windows of a minute; the last event of one shows up again in the next."""
    records = [
        record(n, at=START + 17 * n, name="Put" if n % 7 == 6 else "Get", principal=f"user{n % 2}") for n in range(15)
    ]
    for window in range(2):
        begin = window * 8
        yield delivery(records[max(0, begin - 1) : begin + 8])


def cycle(path, rules, fuse=None):
    """Reads everything that was not read, and judges what is settled; ends as a process does."""
    clock = FixedClock.at(START + 7200)
    with Store(FusedDatabase(path, fuse or Fuse())) as store:
        pipeline = Pipeline(Engine(rules, silent=True), store, None, clock, {}, rules)
        for one in deliveries():
            pipeline.process(one)
            pipeline.judge(START + 1340)
        pipeline.judge(START + 7200)
        store.prune(START + 7200)


def contents(path):
    with Store(Database(path)) as store:
        found = store.alerts.search(AlertFilter(limit=1000))
    return {
        (alert.id, alert.rule.title, alert.event_count, tuple((one.event_id, one.reason) for one in alert.evidence))
        for alert in found
    }


def test_death_at_every_call_of_the_store(memory, rules):
    survived_at = check_every_death(
        memory, lambda path, fuse: cycle(path, rules, fuse), contents, range(1, CUTS_AT_MOST)
    )

    assert {alert[1] for alert in contents(memory / "whole")} == {"Burst", "Bursts", "Only one"}
    assert survived_at > 100
