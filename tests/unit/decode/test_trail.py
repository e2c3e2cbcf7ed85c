"""The text of one record of a trail's file, found again."""

import json

import msgspec
import pytest

from trailwatch.decode.trail import RecordTexts
from trailwatch.decode.unfold import trail_decoder

EVENT = msgspec.defstruct("Plain", [("eventID", str), ("requestParameters", msgspec.Raw, msgspec.Raw(b"null"))])
COUNT = 200


def records(**changed):
    """Records of very different lengths; the one with number 77 is changed."""
    made = [
        {
            "eventVersion": "1.08",
            "eventName": "A",
            "requestParameters": {"x": "y" * (n * 37 % 900)},
            "eventID": f"e-{n}",
        }
        for n in range(COUNT)
    ]
    made[77] |= changed
    return made


def texts_of(text):
    return RecordTexts(text, trail_decoder(EVENT).decode(text).records, msgspec.json.Decoder(EVENT).decode)


def compact(made):
    return json.dumps({"Records": made}, separators=(",", ":")).encode()


@pytest.mark.parametrize("at", [0, 1, 77, 198, 199])
def test_one_record_is_found_without_the_others(at):
    texts = texts_of(compact(records()))
    assert json.loads(bytes(texts[at])) == records()[at]
    assert texts._records is None


NESTED = {"eventVersion": "1.08", "eventName": "B", "eventID": "e-77"}
ODD = {
    "an id with quotes": {"eventID": 'x","eventID":"e-78'},
    "its like within itself": {"requestParameters": {"a": [NESTED, NESTED], "b": 1}},
    "an id that stands elsewhere": {"requestParameters": {"eventID": "e-76"}},
    "characters of several bytes": {"requestParameters": {"x": "é" * 300}},
}


@pytest.mark.parametrize("name", ODD)
def test_whatever_a_record_holds_each_is_found_as_it_is(name):
    made = records(**ODD[name])
    for text in (compact(made), json.dumps({"Records": made}, indent=1).encode()):
        for at in (76, 77, 78):
            assert json.loads(bytes(texts_of(text)[at])) == made[at]


def test_when_many_are_asked_for_all_are_split():
    texts = texts_of(compact(records()))
    assert [json.loads(bytes(text)) for text in texts] == records()
    assert [json.loads(bytes(text)) for text in texts[5:8]] == records()[5:8]
    assert texts._records is not None
