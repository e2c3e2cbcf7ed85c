"""A rule with a memory as one part of a correlation: a login from a new place, and then a change."""

from __future__ import annotations

import json
import random

import pytest

from trailwatch.detect.engine import Engine
from trailwatch.pipeline import Pipeline
from trailwatch.rules.catalog import load_rules
from trailwatch.store.alerts import AlertFilter
from trailwatch.store.database import Database
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock, fires

from .parts import START, delivery, record

DAY = 86400
NOON = START // DAY * DAY + DAY // 2
HOME, AWAY = "192.0.2.7", "203.0.113.9"
RULES = """title: Login from an address that is new
name: new_address
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: ConsoleLogin}, condition: s}
trailwatch:
  first_seen: {fields: [actor, sourceIPAddress], history: 3d, known: [actor]}
  examples:
  - {name: a login, matches: true, event: {eventName: ConsoleLogin}}
---
title: A key is made
name: key_made
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: CreateAccessKey}, condition: s}
trailwatch:
  examples:
  - {name: a key, matches: true, event: {eventName: CreateAccessKey}}
---
title: A login from a new address, then a key
name: new_address_then_key
level: high
correlation: {type: temporal_ordered, rules: [new_address, key_made], group-by: [actor], timespan: 1h}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules")
    (folder / "rules.yml").write_text(RULES)
    return folder


@pytest.fixture(scope="module")
def rules(folder):
    ruleset = load_rules([folder], shipped=False)
    assert not ruleset.problems
    return ruleset


def days():
    """Six days of two people at home; on the last one dora logs in from away, twice, and both make keys."""
    numbers = iter(range(1000))
    for day in range(6):
        for who in ("dora", "ivo"):
            yield record(next(numbers), at=NOON + day * DAY, name="ConsoleLogin", principal=who, sourceIPAddress=HOME)
            yield record(next(numbers), at=NOON + day * DAY + 60, name="CreateAccessKey", principal=who)
    for minute in (90, 150):
        at = NOON + 5 * DAY + minute * 60
        yield record(next(numbers), at=at, name="ConsoleLogin", principal="dora", sourceIPAddress=AWAY)
    yield record(next(numbers), at=NOON + 5 * DAY + 170 * 60, name="CreateAccessKey", principal="dora")


def alerts_after(path, rules, batches):
    for batch in batches:
        with Store(Database(path)) as store:
            pipeline = Pipeline(Engine(rules, silent=True), store, None, FixedClock.at(NOON + 6 * DAY), {}, rules)
            pipeline.process(delivery(batch, gain=(NOON - DAY // 2, NOON + 6 * DAY)))
    with Store(Database(path)) as store:
        found = store.alerts.search(AlertFilter())
    return [(one.id, one.rule.title, one.principal, tuple(e.event_id for e in one.evidence)) for one in found]


def test_only_who_was_at_a_new_place_is_told_and_the_parts_are_silent(tmp_path, rules):
    [alert] = alerts_after(tmp_path / "state", rules, [list(days())])

    assert alert[1:3] == ("A login from a new address, then a key", "arn:aws:iam::111122223333:user/dora")
    # the login that was told first is longer ago than an hour; the second one is as new
    assert [int(event_id[-12:]) for event_id in alert[3]] == [25, 26]


@pytest.mark.parametrize("seed", range(4))
def test_order_within_a_day_batches_and_restarts_change_nothing(tmp_path, rules, seed):
    expected = alerts_after(tmp_path / "one", rules, [list(days())])
    chance = random.Random(seed)
    # events come at most a day late
    late = sorted(days(), key=lambda raw: json.loads(bytes(raw))["eventTime"][:13] + chance.choice("abc"))
    batches = []
    while late:
        size = chance.randint(1, 6)
        batches.append(late[:size])
        late = late[size:]

    assert alerts_after(tmp_path / "many", rules, batches) == expected


def test_a_scan_says_the_same(tmp_path, rules, folder, command):
    expected = alerts_after(tmp_path / "state", rules, [list(days())])
    records = [bytes(raw) for raw in days()]
    for number in range(3):
        (tmp_path / f"{number}.json").write_bytes(b"\n".join(records[number::3]))
    config = tmp_path / "trailwatch.toml"
    config.write_text(f"[rules]\nshipped = false\ndirs = ['{folder}']\n")
    paths = [tmp_path / f"{number}.json" for number in range(3)]

    words = ["--config", config, "scan", "--show", "alerts", "--format", "jsonl", *paths]
    found = command(*words, environment={"HOME": str(tmp_path)})

    told = [json.loads(line) for line in found.stdout.splitlines()]
    assert [(one["alert_id"], one["title"], one["principal"]) for one in told] == [one[:3] for one in expected]


def test_an_example_of_such_a_correlation_takes_what_the_rule_says_for_new(rules):
    [correlation] = rules.correlations
    login, key = (
        json.loads(bytes(record(n, name=name))) for n, name in enumerate(("ConsoleLogin", "CreateAccessKey"))
    )

    assert fires(correlation, rules, [login, key])
    assert not fires(correlation, rules, [key])
