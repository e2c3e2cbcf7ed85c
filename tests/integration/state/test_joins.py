"""Correlations whose key stands in one field of the first event and in another of the second."""

from __future__ import annotations

import json

import pytest

from trailwatch.detect.engine import Engine
from trailwatch.pipeline import Pipeline
from trailwatch.store.alerts import AlertFilter
from trailwatch.store.database import Database
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock

from .parts import START, delivery, record, rules_of

RULE = """title: First
name: first
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: First}, condition: s}
---
title: Second
name: second
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: Second}, condition: s}
---
title: Joined
correlation:
  type: temporal_ordered
  rules: [first, second]
  group-by: [it]
  aliases: {it: {first: FIRST, second: SECOND}}
  timespan: 1h
"""
JOINS = {
    "a key and who uses it": ("responseElements.credentials.accessKeyId", "userIdentity.accessKeyId", "ASIA"),
    "a user and what they do": ("requestParameters.userName", "userIdentity.userName", "eve"),
    "a bucket in two calls": ("requestParameters.bucketName", "requestParameters.x-amz-copy-source.bucket", "logs"),
    "a machine and its calls": ("requestParameters.instanceId", "requestParameters.target", "i-0"),
}


def with_value(number, name, path, value):
    event = json.loads(bytes(record(number, name=name)))
    *way, last = path.split(".")
    place = event
    for part in way:
        place = place.setdefault(part, {})
    place[last] = value
    return event


def joining(folder, first, second):
    return rules_of(folder, RULE.replace("FIRST", first).replace("SECOND", second))


def told(rules, *events):
    """Each event in a cycle of its own."""
    with Store(Database(":memory:")) as store:
        for event in events:
            pipeline = Pipeline(Engine(rules, silent=True), store, None, FixedClock.at(START), {}, rules)
            pipeline.process(delivery([json.dumps(event).encode()]))
        return [alert.context for alert in store.alerts.search(AlertFilter())]


@pytest.mark.parametrize("join", JOINS)
def test_what_one_event_makes_and_another_uses_is_joined(tmp_path, join):
    first, second, value = JOINS[join]
    rules = joining(tmp_path, first, second)
    made, used = with_value(1, "First", first, f"{value}1"), with_value(60, "Second", second, f"{value}1")
    other = with_value(50, "Second", second, f"{value}2")

    assert told(rules, made, used) == [{"it": f"{value}1"}]
    assert told(rules, used, made) == [{"it": f"{value}1"}], "in any order of arrival"
    assert told(rules, made, other) == []


def test_a_call_about_three_machines_meets_what_one_of_them_does(tmp_path):
    rules = joining(tmp_path, "requestParameters.instancesSet.items.instanceId", "requestParameters.target")
    three = with_value(
        1, "First", "requestParameters.instancesSet.items", [{"instanceId": f"i-{n}"} for n in range(3)]
    )

    assert told(rules, three, with_value(9, "Second", "requestParameters.target", "i-2")) == [{"it": "i-2"}]
