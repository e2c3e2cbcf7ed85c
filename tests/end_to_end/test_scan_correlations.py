"""Rules over time in `scan`: the same result for any number of workers and any split into files."""

import gzip
import json
import random
from datetime import UTC, datetime, timedelta

import pytest

from trailwatch.cli.scan_pool import SMALL_BYTES
from trailwatch.testing import event

RULES = """title: Refused
name: refused
logsource: {product: aws, service: cloudtrail}
detection: {s: {errorCode: AccessDenied}, condition: s}
level: low
---
title: Key made
name: key_made
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: CreateAccessKey}, condition: s}
---
title: Key used
name: key_used
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: ListBuckets}, condition: s}
---
title: Many refused
id: 5b1f7d8e-4a33-4a8b-8a39-0d7f7b0f4c11
level: high
correlation: {type: event_count, rules: [refused], group-by: [userIdentity.arn], timespan: 10m, condition: {gte: 4}}
---
title: New key used by somebody
id: 5b1f7d8e-4a33-4a8b-8a39-0d7f7b0f4c12
level: critical
correlation:
  type: temporal_ordered
  rules: [key_made, key_used]
  group-by: [key]
  aliases: {key: {key_made: responseElements.accessKey.accessKeyId, key_used: userIdentity.accessKeyId}}
  timespan: 1h
---
title: Key made and never used
id: 5b1f7d8e-4a33-4a8b-8a39-0d7f7b0f4c13
level: medium
correlation:
  type: temporal
  group-by: [key]
  aliases: {key: {key_made: responseElements.accessKey.accessKeyId, key_used: userIdentity.accessKeyId}}
  timespan: 1h
  condition: key_made and not key_used
"""
BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def call(name, second, **more):
    return event(name, eventTime=f"{BEGIN + timedelta(seconds=second):%Y-%m-%dT%H:%M:%SZ}", **more)


def made(second, key):
    return call("CreateAccessKey", second, responseElements={"accessKey": {"accessKeyId": key}})


def used(second, key):
    return call("ListBuckets", second, change={"userIdentity.accessKeyId": key, "userIdentity.arn": f"arn:{key}"})


STORY = [
    *(call("GetUser", 100 * n, errorCode="AccessDenied") for n in range(6)),
    made(50, "AKIANEW"),
    used(700, "AKIANEW"),
    made(60, "AKIAIDLE"),
]


@pytest.fixture
def scan(tmp_path, command):
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "trailwatch.toml").write_text("[rules]\nshipped = false\n")

    def run(*words):
        start = ["--config", str(tmp_path / "trailwatch.toml"), "scan", "--rules", str(tmp_path / "rules.yml")]
        variables = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": "", "XDG_CACHE_HOME": ""}
        return command(*start, *words, environment=variables).stdout

    return run


def write(path, records, padding=0):
    rest = random.Random(path.name).randbytes(padding).hex()
    path.write_bytes(gzip.compress(json.dumps({"Records": records, "padding": rest}).encode(), 1))
    return path


def test_an_alert_for_each_key_and_period(tmp_path, scan):
    write(tmp_path / "log.json.gz", STORY)
    alerts = [json.loads(line) for line in scan(tmp_path / "log.json.gz", "--format", "jsonl").splitlines()]

    assert [(one["title"], one["event_count"], one["context"]) for one in alerts] == [
        ("Many refused", 6, {"userIdentity.arn": "arn:aws:iam::111122223333:user/dora"}),
        ("New key used by somebody", 2, {"key": "AKIANEW"}),
        ("Key made and never used", 1, {"key": "AKIAIDLE"}),
    ]


def test_a_match_has_the_events_that_made_it_hold_and_the_one_that_completed_it(tmp_path, scan):
    write(tmp_path / "log.json.gz", STORY)
    rows = [
        json.loads(line)
        for line in scan(tmp_path / "log.json.gz", "--show", "matches", "--format", "jsonl").splitlines()
    ]

    [burst] = [row for row in rows if row["title"] == "Many refused"]
    assert burst["event_ids"] == [record["eventID"] for record in STORY[:4]]
    assert burst["event_id"] == STORY[3]["eventID"]
    assert burst["time"] == STORY[3]["eventTime"]
    # what a correlation reads is shown among matches, and does not alert
    assert {row["alerting"] for row in rows if row["title"] == "Refused"} == {False}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("seed", [1, 2])
def test_workers_and_the_split_into_files_change_nothing(tmp_path, scan, workers, seed):
    chance = random.Random(seed)
    records = [*STORY, *(call("GetUser", chance.randint(0, 7200), errorCode="AccessDenied") for _ in range(60))]
    whole = write(tmp_path / "whole.json.gz", records)
    chance.shuffle(records)
    folder = tmp_path / "pieces"
    folder.mkdir()
    while records:
        size = chance.randint(1, 16)
        # large enough that several processes are worth it
        write(folder / f"{len(records):03d}.json.gz", records[:size], padding=800_000)
        records = records[size:]

    assert sum(path.stat().st_size for path in folder.iterdir()) > SMALL_BYTES
    assert scan(folder, "--format", "jsonl", "--workers", workers) == scan(whole, "--format", "jsonl")
