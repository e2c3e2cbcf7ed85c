import gzip
import json

import msgspec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from trailwatch.decode.containers import split
from trailwatch.decode.mend import is_utf8
from trailwatch.decode.records import to_mapping
from trailwatch.errors import DecodeError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
NAMES = st.sampled_from(
    ["Records", "Events", "events", "logEvents", "message", "detail", "detail-type", "CloudTrailEvent", "eventName"]
)
DOCUMENTS = st.recursive(
    VALUES | VALUES.map(json.dumps),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
FRAGMENTS = st.lists(
    st.sampled_from(
        [
            b"{",
            b"}",
            b"[",
            b"]",
            b'"',
            b"\\",
            b",",
            b":",
            b"\n",
            b"NaN",
            b"\\ud800",
            b"\xff",
            b'"Records"',
            b'"a"',
            b"1",
        ]
    ),
    max_size=60,
).map(b"".join)


def accounted_for(body):
    parts = split(body, "origin")
    for raw in parts.records:
        text = bytes(raw)
        assert is_utf8(text)
        try:
            record = to_mapping(raw)
        except DecodeError:
            continue
        json.dumps(record, allow_nan=False).encode()
    positions = [*parts.positions, *(reject.position for reject in parts.rejects if reject.position >= 0)]
    assert len(positions) == len(set(positions))
    assert len(parts.positions) == len(parts.records)
    assert parts.records or parts.rejects or parts.left_out or holds_nothing(body)


def holds_nothing(body):
    """Whether it is a clean container with an empty list in it."""
    value = json.loads(body)
    lists = [value] if isinstance(value, list) else [v for v in value.values() if isinstance(v, list)]
    return [] in lists


@given(st.binary(max_size=2000))
def test_no_bytes_make_the_decoder_raise(body):
    accounted_for(body)


@given(FRAGMENTS)
@example(b'{"Records":[{"a":"\\')
def test_no_broken_json_makes_the_decoder_raise(body):
    accounted_for(body)


@given(DOCUMENTS)
def test_no_json_makes_the_decoder_raise(value):
    accounted_for(json.dumps(value).encode())


@given(st.binary(max_size=500), st.integers(0, 500), st.integers(0, 255))
def test_no_damage_to_a_gzip_body_makes_the_decoder_raise(content, at, byte):
    body = bytearray(gzip.compress(content) + gzip.compress(content))
    body[at % len(body)] = byte

    accounted_for(bytes(body))


RECORDS = st.lists(
    st.dictionaries(st.text(), VALUES, max_size=3).map(lambda extra: {**extra, "eventName": "X"}), max_size=8
)


@given(RECORDS, st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])  # a busy machine draws slowly
def test_the_form_of_the_container_changes_nothing(records, packed):
    texts = [json.dumps(record) for record in records]
    forms = [f'{{"Records":[{",".join(texts)}]}}', f"[{','.join(texts)}]", "\n".join(texts)]
    read = []
    for form in forms:
        body = gzip.compress(form.encode()) if packed else form.encode()
        read.append([to_mapping(raw) for raw in split(body, "x").records])

    assert read[0] == read[1] == read[2]
    assert len(read[0]) == len(records)


@given(VALUES)
def test_a_readable_record_is_read_as_the_strict_reader_reads_it(value):
    raw = json.dumps({"value": value}).encode()
    try:
        expected = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return

    assert to_mapping(raw) == expected
