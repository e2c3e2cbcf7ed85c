"""The pipeline with the real engine, the shipped rules and the real archive, on input of the worst kind."""

import json
from datetime import UTC

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trailwatch.archive import Archive
from trailwatch.detect.engine import Engine
from trailwatch.model.severity import Severity
from trailwatch.notify.wording import as_html, as_text, subject
from trailwatch.pipeline import Pipeline
from trailwatch.rules.catalog import load_rules
from trailwatch.store.database import Database
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock

from .parts import START, archived_ids, delivery, record


@pytest.fixture(scope="module")
def engine():
    return Engine(load_rules([]))


HOSTILE = {
    "lone surrogate": '"\\ud800\\udfff\\udc00"',
    "nul": '"a\\u0000b"',
    "one megabyte": '"' + "x" * 1_000_000 + '"',
    "no utf-8": b'"\xff\xfe"',
    "a number": "1e999999",
    "not a number": "NaN",
    "nested": "[" * 200 + "]" * 200,
    "markup": '"\\u001b[2J\\u202e<script>alert(1)</script>\\r\\nBcc: all@example.com"',
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("field", ["userAgent", "sourceIPAddress", "errorCode", "eventSource", "awsRegion", "arn"])
def test_a_hostile_value_in_a_field_breaks_no_cycle(tmp_path, store, clock, engine, field, value):
    value = value.encode() if isinstance(value, str) else value
    body = bytes(record(1, responseElements=None, **({} if field == "arn" else {field: "VALUE"})))
    body = body.replace(b'"arn:aws:iam::111122223333:user/alice"' if field == "arn" else b'"VALUE"', value)
    archive = Archive(tmp_path / "archive")
    pipeline = Pipeline(engine, store, archive, clock, {"mail": Severity.INFORMATIONAL})

    for _ in range(2):
        tally = pipeline.process(delivery([msgspec.Raw(body), record(2)])).tally
        assert tally.reconciles()
        assert tally.records == 2
    pipeline.announce(START)

    assert store.alerts.counts()
    for item in store.outbox.due(START):
        assert subject(item.message).isprintable()
        assert as_text(item.message, UTC)
        assert as_html(item.message, UTC)
    assert "00000000-0000-4000-8000-000000000002" in archived_ids(tmp_path / "archive")


def test_stopping_a_trail_is_told_at_once_and_once(tmp_path, store, clock, engine):
    pipeline = Pipeline(engine, store, Archive(tmp_path / "archive"), clock, {"mail": Severity.MEDIUM})
    stopped = record(1, requestParameters={"name": "management-events"}, responseElements=None, readOnly=False)
    pipeline.process(delivery([stopped]))
    [message] = pipeline.announce(START)
    pipeline.process(delivery([stopped]))

    assert pipeline.announce(START + 60) == []
    assert message.severity >= Severity.HIGH
    assert message.alerts[0].evidence[0].record == bytes(stopped)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
fields = st.sampled_from(
    [
        "eventID",
        "eventTime",
        "eventName",
        "recipientAccountId",
        "userIdentity",
        "awsRegion",
        "eventSource",
        "userAgent",
    ]
)
mangled = st.builds(
    lambda changes: json.dumps({**json.loads(bytes(record(1))), **changes}).encode(),
    st.dictionaries(fields, json_values, max_size=4),
)
times = st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-30T00:00:00Z", "1"]).map(
    lambda text: bytes(record(1, eventTime=text))
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(st.one_of(mangled, times, st.binary(max_size=40), json_values.map(json.dumps)), max_size=5))
def test_whatever_is_delivered_every_record_is_accounted_for(tmp_path_factory, engine, bodies):
    records = [msgspec.Raw(body.encode() if isinstance(body, str) else body) for body in bodies]
    folder = tmp_path_factory.mktemp("archive")
    with Store(Database(":memory:")) as store:
        pipeline = Pipeline(engine, store, Archive(folder), FixedClock.at(START), {"mail": Severity.LOW})
        for _ in range(2):
            tally = pipeline.process(delivery(records)).tally
            assert tally.reconciles()
            assert tally.records == len(records)
        assert not tally.matched
        pipeline.announce(START)
        store.prune(START)
