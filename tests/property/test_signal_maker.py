"""Signals that are taken out of plain fields in one go are those that the slow way makes of the whole record."""

import itertools
import json
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trailwatch.cli.scan_memory import ScanMemory
from trailwatch.cli.scan_records import with_records
from trailwatch.cli.scan_state import ScanState
from trailwatch.config.schema import AddressSettings
from trailwatch.detect.engine import Engine
from trailwatch.detect.record import Record
from trailwatch.detect.schema import FREE_FIELDS, build
from trailwatch.detect.signals import SignalMaker, fields_wanted, wants_of
from trailwatch.enrich.addresses import Addresses
from trailwatch.model.match import Found
from trailwatch.rules.catalog import load_rules
from trailwatch.sources.files import find_files, read_file
from trailwatch.testing import event

RULES = """title: Looked
name: looked
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: ListBuckets}, condition: s}
level: low
---
title: Many services
correlation:
  {type: value_count, rules: [looked], group-by: [actor], timespan: 10m, condition: {field: eventSource, gte: 2}}
level: low
---
title: Many keys
correlation:
  type: value_count
  rules: [looked]
  group-by: [sourceIPAddress, recipientAccountId]
  timespan: 10m
  condition: {field: userIdentity.accessKeyId, gte: 2}
level: low
---
title: Many of one program
correlation:
  type: event_count
  rules: [looked]
  group-by: [derived.agent.family, requestParameters.names]
  timespan: 10m
  condition: {gte: 2}
level: low
---
title: Many with the flag
correlation: {type: event_count, rules: [looked], group-by: [readOnly, actor], timespan: 10m, condition: {gte: 2}}
level: low
"""
NEW = """title: New {0}
logsource: {{product: aws, service: cloudtrail}}
detection: {{s: {{eventName: ListBuckets}}, condition: s}}
level: medium
trailwatch: {{first_seen: {{fields: [{1}], history: 1d}}}}
"""
FIELDS = (
    "actor, derived.network",
    "awsRegion",
    "actor, derived.agent.family",
    "derived.hour",
    "requestParameters.names",
)
TEXTS = st.sampled_from([None, "", "a", "b", "x" * 300, "AKIAIOSFODNN7EXAMPLE"])
ADDRESSES = st.sampled_from([None, "198.51.100.7", "203.0.113.9", "s3.amazonaws.com", "2001:db8::1"])
AGENTS = st.sampled_from([None, "", "aws-cli/2.1", "Boto3/1.2", "Mozilla/5.0 (X11; Linux) Firefox/1"])
NAMES = st.sampled_from([None, "one", ["one", "two"], [], [1, None]])
EVENTS = st.tuples(TEXTS, TEXTS, ADDRESSES, AGENTS, NAMES, st.sampled_from([True, False, None]), st.integers(0, 100))


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules")
    (folder / "rules.yml").write_text(RULES, encoding="utf-8")
    for number, fields in enumerate(FIELDS):
        (folder / f"new{number}.yml").write_text(NEW.format(number, fields), encoding="utf-8")
    return load_rules([folder], shipped=False)


def record_of(made, number=0):
    region, key, address, agent, names, flag, hour = made
    record = event(
        "ListBuckets",
        eventID=f"e{number}",
        eventTime=f"2026-03-{hour // 24 + 1:02}T{hour % 24:02}:{number % 60:02}:00Z",
        awsRegion=region,
        sourceIPAddress=address,
        userAgent=agent,
        readOnly=flag,
        requestParameters=None if names is None else {"names": names},
        change={"userIdentity.accessKeyId": key},
    )
    return {name: value for name, value in record.items() if value is not None}


def as_told(signals):
    """Without the order in which they are told."""
    return Counter((one.rule_id, one.base_id, one.key, one.time, one.value, one.record) for one in signals)


@settings(max_examples=300, deadline=None)
@given(made=st.lists(EVENTS, min_size=1, max_size=12))
def test_the_quick_way_and_the_slow_way_make_the_same_signals(rules, made):
    wants = wants_of(rules)
    plain = [path for path in fields_wanted(rules) if path not in FREE_FIELDS]
    decode = msgspec.json.Decoder(build(plain, FREE_FIELDS)).decode
    ids, book = sorted(wants), Addresses(AddressSettings())
    quick, slow = SignalMaker(wants), SignalMaker(wants)
    for number, one in enumerate(made):
        raw = json.dumps(record_of(one, number)).encode()
        found, unkeyed = quick.signals(ids, Record(raw, decode(raw), book))
        expected, expected_unkeyed = slow.signals(ids, Record(raw, None, book))

        assert as_told(found) == as_told(expected)
        assert [one.brief for one in found[:1]] == [one.brief for one in expected[:1]]
        assert unkeyed == expected_unkeyed


def matches_of(rules, files, *, gathered):
    """What rules with a memory say of the files."""
    engine, memory, told = Engine(rules, gathered=gathered, tables=Addresses(AddressSettings())), ScanMemory(rules), 0
    with ScanState(rules) as state:
        for file in files:
            found = engine.evaluate(read_file(file))
            told += len(found.signals) + sum(len(note.rows) for note in found.notes)
            memory.take(found)
            state.take(Found(notes=found.notes))
        return memory.conclude(lambda identity, _time: identity, noted=state), told


@settings(max_examples=60, deadline=None)
@given(made=st.lists(EVENTS, min_size=20, max_size=40), cuts=st.sets(st.integers(1, 39), max_size=4))
def test_a_scan_that_hears_of_each_combination_once_finds_the_same_with_the_same_records(
    rules, tmp_path_factory, made, cuts
):
    folder: Path = tmp_path_factory.mktemp("logs")
    records = [record_of(one, number) for number, one in enumerate(made)]
    borders = [0, *sorted(cut for cut in cuts if cut < len(records)), len(records)]
    for begin, end in itertools.pairwise(borders):
        (folder / f"{begin:02}.json").write_text(json.dumps({"Records": records[begin:end]}), encoding="utf-8")
    files = find_files([str(folder)])

    each, all_told = matches_of(rules, files, gathered=False)
    once, told = matches_of(rules, files, gathered=True)

    assert told <= all_told
    assert with_records(once, files) == each
    assert all(one.record and one.origin for one in each)


def test_a_record_that_is_not_there_any_more_leaves_the_match_without_one(rules, tmp_path):
    path = tmp_path / "log.json"
    days = [((None,) * 4) + (None, None, 24 * day) for day in (0, 4)]
    records = [record_of((f"region-{at}", *one[1:]), at) for at, one in enumerate(days)]
    path.write_text(json.dumps({"Records": records}), encoding="utf-8")
    files = find_files([str(path)])
    found, _ = matches_of(rules, files, gathered=True)
    path.write_text(json.dumps({"Records": [records[0], records[0]]}), encoding="utf-8")

    assert {one.position for one in found} == {1}
    assert {one.record for one in with_records(found, files)} == {b""}
