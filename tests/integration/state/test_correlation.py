"""Correlations from records to alerts: cycles, restarts, what comes late, and what is judged later."""

from __future__ import annotations

import itertools
import random

import pytest

from trailwatch.detect.engine import Engine
from trailwatch.model.match import Tally
from trailwatch.pipeline import NOT_READ, Pipeline
from trailwatch.store.alerts import AlertFilter
from trailwatch.store.database import Database
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock

from .parts import START, ListArchive, delivery, record, rules_of

RULES = """title: Call
name: {name}
logsource: {{product: aws, service: cloudtrail}}
detection:
  s: {{eventName: {name}}}
  condition: s
---
"""
STATEFUL = """title: Burst
name: burst
level: high
correlation:
  type: event_count
  rules: [Get]
  group-by: [userIdentity.arn]
  timespan: 5m
  condition: {gte: 5}
trailwatch: {dedup: {period: 10m}}
---
title: Bursts
level: critical
correlation:
  type: event_count
  rules: [burst]
  generate: true
  group-by: [userIdentity.arn]
  timespan: 30m
  condition: {gte: 8}
---
title: Addresses
level: high
correlation:
  type: value_count
  rules: [Get, Put]
  group-by: [userIdentity.arn]
  timespan: 10m
  condition: {gte: 4, field: sourceIPAddress}
---
title: Key used by somebody
level: high
correlation:
  type: temporal_ordered
  rules: [Make, Get]
  group-by: [key]
  aliases: {key: {Make: responseElements.accessKey.accessKeyId, Get: userIdentity.accessKeyId}}
  timespan: 20m
---
title: Opened and not closed
level: medium
correlation:
  type: temporal
  group-by: [actor]
  timespan: 10m
  condition: Open and not Close
"""
NAMES = ("Get", "Put", "Make", "Open", "Close")
HOUR = 3600


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    return rules_of(tmp_path_factory.mktemp("rules"), "".join(RULES.format(name=name) for name in NAMES) + STATEFUL)


def happening(chance, number):
    name = chance.choices(NAMES, (10, 5, 2, 2, 0.4))[0]
    key = f"AKIA{chance.randint(1, 4)}"
    user = chance.choice(["dora", "ivo", "mia"])
    identity = {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/{user}", "accessKeyId": key}
    return record(
        number,
        at=START + chance.randint(0, HOUR - 1),
        name=name,
        userIdentity=identity,
        sourceIPAddress=f"192.0.2.{chance.randint(1, 9)}",
        responseElements={"accessKey": {"accessKeyId": f"AKIA{chance.randint(1, 4)}"}} if name == "Make" else None,
    )


@pytest.fixture(scope="module")
def hour():
    chance = random.Random(7)
    return [happening(chance, number) for number in range(300)]


def time_of(raw):
    text = bytes(raw).decode()
    at = text.index('"eventTime": "') + 14
    minute, second = int(text[at + 14 : at + 16]), int(text[at + 17 : at + 19])
    return START + minute * 60 + second


def run(path, rules, records, *, watermark=None, now=START + HOUR, unread=()):
    """One process: opens the state, takes its records, judges, and ends."""
    clock = FixedClock.at(now)
    with Store(Database(path)) as store:
        pipeline = Pipeline(Engine(rules, silent=True), store, ListArchive(), clock, {}, rules)
        late = pipeline.process(delivery(records)).tally.late if records else 0
        if watermark is not None:
            pipeline.judge(watermark, unread)
    return late


def alerts_of(path):
    with Store(Database(path)) as store:
        found = store.alerts.search(AlertFilter(limit=10_000))
    return {
        (
            *(alert.id, alert.rule.title, alert.first_time, alert.last_time, alert.event_count, alert.principal),
            *(tuple(alert.context.items()), tuple((one.time, one.event_id, one.reason) for one in alert.evidence)),
        )
        for alert in found
    }


def test_one_run_over_an_hour_and_sixty_of_a_minute_give_the_same_alerts(tmp_path, rules, hour):
    run(tmp_path / "one", rules, hour, watermark=START + 3 * HOUR)
    for minute in range(60):
        begin = START + minute * 60
        mine = [raw for raw in hour if begin <= time_of(raw) < begin + 60]
        assert run(tmp_path / "sixty", rules, mine, watermark=begin + 60, now=begin + 60) == 0
    run(tmp_path / "sixty", rules, [], watermark=START + 3 * HOUR)

    alerts = alerts_of(tmp_path / "one")
    assert {alert[1] for alert in alerts} == {
        *("Burst", "Bursts", "Addresses", "Key used by somebody", "Opened and not closed")
    }
    assert len(alerts) >= 20
    assert alerts_of(tmp_path / "sixty") == alerts


@pytest.mark.parametrize("seed", range(4))
def test_order_overlap_and_lateness_change_no_alert(tmp_path, rules, hour, seed):
    run(tmp_path / "one", rules, hour, watermark=START + 3 * HOUR)
    chance = random.Random(seed)
    mixed = hour + chance.sample(hour, 60)
    chance.shuffle(mixed)
    while mixed:
        size = chance.randint(1, 60)
        run(tmp_path / "mixed", rules, mixed[:size])
        mixed = mixed[size:]
    run(tmp_path / "mixed", rules, [], watermark=START + 3 * HOUR)

    assert alerts_of(tmp_path / "mixed") == alerts_of(tmp_path / "one")


def opened(number, at):
    return record(number, at=at, name="Open")


def closed(number, at):
    return record(number, at=at, name="Close")


def titles(path):
    return sorted(alert[1] for alert in alerts_of(path))


def test_an_absence_is_told_once_nothing_can_come_any_more(tmp_path, rules):
    path = tmp_path / "state"
    run(path, rules, [opened(1, START)], watermark=START + 600 + 899)
    assert titles(path) == []

    run(path, rules, [], watermark=START + 600 + 900)

    assert titles(path) == ["Opened and not closed"]


def test_one_that_joins_a_snoozed_incident_is_counted_when_it_is_judged(tmp_path, rules):
    path = tmp_path / "state"
    run(path, rules, [opened(1, START)], watermark=START + 1500)
    with Store(Database(path)) as store:
        (first,) = store.alerts.search(AlertFilter())
        store.incidents.snooze(first.incident, START + 4 * HOUR)
        pipeline = Pipeline(Engine(rules, silent=True), store, None, FixedClock.at(START + 2 * HOUR), {}, rules)
        pipeline.process(delivery([opened(2, START + HOUR)]))
        tally = Tally()
        concluded = pipeline.judge(START + 2 * HOUR, tally=tally)

    assert (concluded, tally.put_off) == (1, 1)


def test_what_comes_late_but_in_time_prevents_it(tmp_path, rules):
    path = tmp_path / "state"
    run(path, rules, [opened(1, START)], watermark=START + 1400)
    run(path, rules, [closed(2, START + 599)], watermark=START + 9000)

    assert titles(path) == []


def test_what_comes_after_the_judgement_is_counted_as_late(tmp_path, rules):
    path = tmp_path / "state"
    assert run(path, rules, [opened(1, START)], watermark=START + 3000) == 0

    assert run(path, rules, [closed(2, START + 300)]) == 1


def test_an_opening_that_comes_late_is_judged_by_what_is_known(tmp_path, rules):
    path = tmp_path / "state"
    run(path, rules, [opened(1, START)], watermark=START + 9000)
    run(path, rules, [opened(2, START + 3700), opened(3, START + 5000), closed(4, START + 5001)])
    run(path, rules, [], watermark=START + 9000)

    assert sorted(alert[2] - START for alert in alerts_of(path)) == [0, 3700]


def test_places_that_could_not_be_read_are_named(tmp_path, rules):
    path = tmp_path / "state"
    run(path, rules, [opened(1, START)], watermark=START + 3000, unread=["111122223333/eu-west-1"])

    [alert] = alerts_of(path)
    assert dict(alert[6])[NOT_READ] == "111122223333/eu-west-1"


def test_signals_leave_when_nothing_can_need_them_and_what_is_older_counts_as_late(tmp_path, rules):
    path, day = tmp_path / "state", 24 * HOUR
    run(path, rules, [record(n, at=START + n, name="Get") for n in range(4)], watermark=START + HOUR)
    with Store(Database(path)) as store:
        kept = store.signals.count()
        store.prune(START + day)
        assert store.signals.count() == kept
        store.prune(START + 3 * day)
        assert store.signals.count() == 0

    assert run(path, rules, [record(5, at=START + 5, name="Get")], now=START + 3 * day) > 0


def test_a_flood_of_one_key_is_one_alert_that_counts_every_event(tmp_path, rules):
    path = tmp_path / "state"
    records = [record(number, at=START + number // 50, name="Get") for number in range(3000)]
    for start in range(0, 3000, 1000):
        run(path, rules, records[start : start + 1000])

    bursts = {alert[4] for alert in alerts_of(path) if alert[1] == "Burst"}
    assert bursts == {3000}


def made(number, user, key):
    return record(number, name="Make", principal=user, responseElements={"accessKey": {"accessKeyId": key}})


def identity_of(user, key):
    return {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/{user}", "accessKeyId": key}


def used(number, user, key):
    return record(number, name="Get", userIdentity=identity_of(user, key))


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_an_alert_over_several_callers_names_who_completed_it(tmp_path, rules, order):
    """Not the deployer who made something, nor who came after the one who used it first."""
    records = [made(1, "dora", "AKIAX"), used(20, "ivo", "AKIAX"), used(30, "mia", "AKIAX"), used(0, "mia", "AKIAX")]
    for at in order:
        run(tmp_path / "state", rules, [records[at]])

    with Store(Database(tmp_path / "state")) as store:
        [alert] = [one for one in store.alerts.search(AlertFilter()) if one.title == "Key used by somebody"]
    assert alert.principal.endswith("user/ivo")
    assert alert.actor.startswith("ivo ") or "user ivo" in alert.actor
    assert [one.event_name for one in alert.evidence][:2] == ["Get", "Make"]


def test_of_one_second_the_rule_that_is_named_last_completed_it(tmp_path, rules):
    run(tmp_path / "state", rules, [used(9, "ivo", "AKIAX"), made(10, "dora", "AKIAX")])
    run(tmp_path / "state", rules, [record(11, at=START + 10, name="Get", userIdentity=identity_of("mia", "AKIAX"))])

    [alert] = [one for one in alerts_of(tmp_path / "state") if one[1] == "Key used by somebody"]
    assert alert[5].endswith("user/mia")
