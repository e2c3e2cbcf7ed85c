import math

import msgspec
import pytest

from trailwatch.decode.records import to_mapping
from trailwatch.errors import DecodeError


def test_a_record_is_a_dict():
    assert to_mapping(b'{"eventName":"X","n":[1,2.5,null,true]}') == {"eventName": "X", "n": [1, 2.5, None, True]}


def test_a_raw_part_of_a_body_is_read_as_well():
    assert to_mapping(msgspec.Raw(b'{"a":1}')) == {"a": 1}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (rb'{"a":"x\ud800y"}', "x\ufffdy"),
        (b'{"a":"x\xffy"}', "x\ufffdy"),
        (b'{"a":NaN}', None),
        (b'{"a":-Infinity}', None),
        (b'{"a":1e999}', "1e999"),
        (b'{"a":123456789012345678901234567890}', 123456789012345678901234567890),
    ],
)
def test_what_strict_readers_refuse_is_read_as_something_valid(raw, expected):
    assert to_mapping(raw) == {"a": expected}


def test_a_number_of_ten_thousand_digits_stays_its_text():
    digits = "9" * 10_000

    value = to_mapping(b'{"a":' + digits.encode() + b"}")["a"]

    assert value == digits or (isinstance(value, float) and math.isfinite(value))


@pytest.mark.parametrize("raw", [b"", b"[]", b"1", b"null", b"{", b'{"a":}', b"[" * 100_000, b'{"a":' * 100_000])
def test_anything_else_is_a_decode_error(raw):
    with pytest.raises(DecodeError):
        to_mapping(raw, "here")


def test_the_error_says_where_and_shows_only_the_beginning():
    with pytest.raises(DecodeError) as caught:
        to_mapping(b'"' + b"x" * 10_000 + b'"', "file.json: record 3")

    assert str(caught.value).startswith("file.json: record 3: expected a JSON object, got ")
    assert len(str(caught.value)) < 200
