"""What is noted in columns and looked at in the end leads to what signals lead to that are told one by one."""

from __future__ import annotations

import itertools
import json
import random

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trailwatch.cli.scan_memory import ScanMemory
from trailwatch.cli.scan_state import ScanState
from trailwatch.cli.scan_suppressions import ScanSuppressions
from trailwatch.config.schema import AddressSettings
from trailwatch.decode.containers import unpack
from trailwatch.detect.engine import Engine
from trailwatch.detect.glance import COMPILED
from trailwatch.detect.pages import put_on_page
from trailwatch.enrich.addresses import Addresses
from trailwatch.model.match import Tally
from trailwatch.ports import Delivery
from trailwatch.rules.catalog import load_rules
from trailwatch.testing import event

SINGLE = """title: {title}
name: {name}
logsource: {{product: aws, service: cloudtrail}}
detection: {{s: {{{fields}}}, condition: s}}
level: low
trailwatch: {{alerting: false{more}}}
---
"""
OVER_TIME = """title: {name}
name: {name}
correlation: {{type: {kind}, rules: [{rules}], group-by: [{by}], timespan: {span}, condition: {condition}}}
level: medium
---
"""
RULES = "".join(
    [
        SINGLE.format(title="Looked", name="looked", fields="eventName: ListBuckets", more=""),
        SINGLE.format(title="Read", name="read", fields="eventName: GetObject", more=""),
        SINGLE.format(
            title="Read much", name="much", fields="additionalEventData.bytesTransferredOut|gt: 10", more=""
        ),
        SINGLE.format(title="Took a role", name="took", fields="eventName: AssumeRole", more=""),
        SINGLE.format(
            title="New address",
            name="new_address",
            fields="eventName: GetObject",
            more=", first_seen: {fields: [actor, sourceIPAddress], history: 1d}",
        ),
        OVER_TIME.format(
            name="many", kind="event_count", rules="looked", by="actor", span="10m", condition="{gte: 3}"
        ),
        OVER_TIME.format(
            name="regions",
            kind="value_count",
            rules="looked, read",
            by="userIdentity.accessKeyId",
            span="1h",
            condition="{field: awsRegion, gte: 2}",
        ),
        OVER_TIME.format(
            name="bytes",
            kind="value_sum",
            rules="much",
            by="actor, requestParameters.bucketName",
            span="1h",
            condition="{field: additionalEventData.bytesTransferredOut, gte: 50}",
        ),
        OVER_TIME.format(
            name="agents",
            kind="event_count",
            rules="looked",
            by="derived.agent.family",
            span="5m",
            condition="{gte: 3}",
        ),
        OVER_TIME.format(
            name="two_values",
            kind="value_count",
            rules="read",
            by="recipientAccountId",
            span="1h",
            condition="{field: [awsRegion, sourceIPAddress], gte: 3}",
        ),
        OVER_TIME.format(
            name="both", kind="temporal", rules="looked, read", by="actor", span="5m", condition="looked and read"
        ),
        OVER_TIME.format(
            name="alone", kind="temporal", rules="read, took", by="actor", span="5m", condition="read and not took"
        ),
        OVER_TIME.format(
            name="new_ones", kind="event_count", rules="new_address", by="actor", span="1d", condition="{gte: 2}"
        ),
    ]
)
NEW = """title: New {number}
logsource: {{product: aws, service: cloudtrail}}
detection: {{s: {{eventName: [{names}]}}, condition: s}}
level: medium
trailwatch: {{first_seen: {{fields: [{fields}], history: 1d}}}}
"""
MEMORIES = (
    ("ListBuckets, GetObject", "actor, derived.network"),
    ("ListBuckets", "awsRegion"),
    ("GetObject", "actor, derived.agent.family"),
    ("GetObject", "requestParameters.bucketName"),
    ("DescribeInstances", "actor, sourceIPAddress, derived.agent.family"),
    ("DescribeInstances", "userIdentity.accessKeyId, awsRegion"),
)
KEYS = ("AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", None)
EVENTS = st.tuples(
    st.sampled_from(["ListBuckets", "GetObject", "AssumeRole", "DescribeInstances"]),
    st.integers(0, 5 * 24 * 60),
    st.sampled_from(KEYS),
    st.sampled_from(["eu-central-1", "us-east-1", "", None]),
    st.sampled_from(["198.51.100.7", "203.0.113.9", None]),
    st.sampled_from(["aws-cli/2.1", "Boto3/1.2", "x" * 300, None]),
    st.sampled_from([None, "one", "two", ["one", "two"], "y" * 300, 7, 'o"ñ', -0.0, True, {"one": 1}]),
    st.sampled_from([None, 5, 20, 40.5, "30", "many", 10**20]),
)


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules")
    (folder / "rules.yml").write_text(RULES.removesuffix("---\n"), encoding="utf-8")
    for number, (names, fields) in enumerate(MEMORIES):
        text = NEW.format(number=number, names=names, fields=fields)
        (folder / f"new{number}.yml").write_text(text, encoding="utf-8")
    found = load_rules([folder], shipped=False)
    assert not found.problems
    return found


def record_of(made, number):
    name, minute, key, region, address, agent, bucket, size = made
    record = event(
        name,
        eventID=f"e{number}",
        eventTime=f"2026-03-{minute // 1440 + 1:02}T{minute // 60 % 24:02}:{minute % 60:02}:00Z",
        awsRegion=region,
        sourceIPAddress=address,
        userAgent=agent,
        readOnly=True,
        requestParameters=None if bucket is None else {"bucketName": bucket},
        additionalEventData=None if size is None else {"bytesTransferredOut": size},
        responseElements={"credentials": {"accessKeyId": KEYS[1]}} if name == "AssumeRole" else None,
        change={"userIdentity.accessKeyId": key},
    )
    told = {name: value for name, value in record.items() if value is not None}
    return json.dumps(told, separators=(",", ":")).encode()


def in_pieces(engine, batch):
    return engine.evaluate(Delivery("logs", [msgspec.Raw(one) for _, one in batch], [at for at, _ in batch]))


def as_a_file(engine, batch):
    found = engine.evaluate_whole(unpack(b'{"Records":[' + b",".join(one for _, one in batch) + b"]}", "logs"))
    assert found is not None
    return found


def concluded(rules, batches, *, gathered, on_pages=(), evaluate=in_pieces, glance=True):
    """Matches, alerts and counters; the batches whose numbers are in `on_pages` come as from another process."""
    engine, memory = (
        Engine(rules, silent=True, gathered=gathered, tables=Addresses(AddressSettings()), glance=glance),
        ScanMemory(rules),
    )
    tally = Tally()
    with ScanState(rules) as state:
        for number, batch in enumerate(batches):
            found = evaluate(engine, batch)
            if number in on_pages:
                put_on_page(found)
            memory.take(found)
            state.take(found)
            tally.add(found.tally)
        lineage = state.lineage()
        new = memory.conclude(lineage.actor_at, noted=state)
        found.signals = memory.new_signals(lineage.actor_at)
        state.take(found)
        matches, alerts = state.conclude(ScanSuppressions())
        tally.unkeyed += state.unkeyed
    news = [msgspec.structs.replace(one, record=b"") for one in new]
    return news, matches, alerts, tally


def looks(*minutes):
    """The same person looks at the same from the same place at these times, for rules with a memory alone."""
    return [
        ("DescribeInstances", at, KEYS[0], "us-east-1", "198.51.100.7", "aws-cli/2.1", "one", None) for at in minutes
    ]


AFTER_A_PAUSE = looks(0, 4 * 1440)
WITHOUT_A_KEY = [(*one[:2], None, None, *one[4:]) for one in looks(10, 20, 30)]
EVERY_OTHER_DAY = [one for day in (0, 2, 4) for one in looks(day * 1440)]
TWICE_A_DAY = [*looks(0), *[(*one[:4], "203.0.113.9", *one[5:]) for one in looks(5000, 5100, 5200)]]


@settings(max_examples=150, deadline=None)
@example(made=AFTER_A_PAUSE, cuts=set(), on_pages=set(), chance=random.Random(1))
@example(made=AFTER_A_PAUSE[::-1], cuts=set(), on_pages=set(), chance=random.Random(1))
@example(made=WITHOUT_A_KEY, cuts={1, 2}, on_pages={1}, chance=random.Random(1))
@example(made=EVERY_OTHER_DAY, cuts=set(), on_pages=set(), chance=random.Random(1))
@example(made=TWICE_A_DAY, cuts={1, 2, 3}, on_pages={1}, chance=random.Random(1))
@example(made=TWICE_A_DAY[::-1], cuts={1, 2, 3}, on_pages={1}, chance=random.Random(1))
@given(
    made=st.lists(EVENTS, min_size=1, max_size=40),
    cuts=st.sets(st.integers(1, 39), max_size=4),
    on_pages=st.sets(st.integers(0, 4)),
    chance=st.randoms(use_true_random=False),
)
def test_whatever_the_order_the_pieces_and_the_processes_the_conclusions_are_the_same(
    rules, made, cuts, on_pages, chance
):
    records = [(number, record_of(one, number)) for number, one in enumerate(made)]
    expected = concluded(rules, [records], gathered=False)
    chance.shuffle(records)
    borders = [0, *sorted(cut for cut in cuts if cut < len(records)), len(records)]
    batches = [records[begin:end] for begin, end in itertools.pairwise(borders)]

    assert concluded(rules, batches, gathered=True, on_pages=on_pages) == expected


@pytest.mark.skipif(not COMPILED, reason="trailwatch was built without a C compiler")
@settings(max_examples=150, deadline=None)
@example(made=TWICE_A_DAY, cuts={1, 2, 3}, odd=set())
@example(made=WITHOUT_A_KEY, cuts={2}, odd=set())
@given(
    made=st.lists(EVENTS, min_size=1, max_size=40),
    cuts=st.sets(st.integers(1, 39), max_size=4),
    odd=st.sets(st.integers(0, 39), max_size=3),
)
def test_rows_that_a_glance_takes_out_of_files_lead_to_what_decoded_events_lead_to(rules, made, cuts, odd):
    records = [(number, record_of(one, number)) for number, one in enumerate(made)]
    records = [
        (number, one.replace(b"bucketName", rb"bucket\u004eame") if number in odd else one) for number, one in records
    ]
    borders = [0, *sorted(cut for cut in cuts if cut < len(records)), len(records)]
    batches = [records[begin:end] for begin, end in itertools.pairwise(borders)]

    glanced = concluded(rules, batches, gathered=True, evaluate=as_a_file)
    assert glanced == concluded(rules, batches, gathered=True, evaluate=as_a_file, glance=False)


def test_correlations_and_rules_with_a_memory_all_speak_here(rules):
    """So that the tests above compare more than nothing."""
    made = [
        *[
            ("ListBuckets", minute, KEYS[0], "eu-central-1", "198.51.100.7", "aws-cli/2.1", None, None)
            for minute in (1, 2, 3)
        ],
        ("AssumeRole", 4, KEYS[0], "eu-central-1", "198.51.100.7", "aws-cli/2.1", None, None),
        ("GetObject", 4, KEYS[0], "us-east-1", "198.51.100.7", "Boto3/1.2", "one", 40),
        ("GetObject", 5, KEYS[0], "us-east-1", "203.0.113.9", "Boto3/1.2", "one", 20),
        ("GetObject", 6, KEYS[0], "eu-central-1", "203.0.113.9", "Boto3/1.2", "one", 20),
        *[
            ("GetObject", 4 * 1440 + at, KEYS[1], "us-east-1", f"192.0.2.{at}", "Mozilla/5.0", f"bucket-{at}", None)
            for at in range(3)
        ],
    ]
    news, _, alerts, tally = concluded(
        rules, [[(at, record_of(one, at)) for at, one in enumerate(made)]], gathered=True
    )

    titles = {one.rule.title for one in alerts}
    assert titles >= {"many", "regions", "bytes", "agents", "two_values", "both", "alone", "new_ones"}
    assert {one.rule.title for one in news} >= {"New 0", "New 2", "New 3", "New address"}
    assert tally.reconciles()
