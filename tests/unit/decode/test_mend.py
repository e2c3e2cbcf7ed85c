import json

import pytest

from trailwatch.decode.mend import is_utf8, mend


@pytest.mark.parametrize(
    ("text", "expected", "places"),
    [
        (rb'"\ud800"', rb'"\ufffd"', 1),
        (rb'"\udc00\ud83d"', rb'"\ufffd\ufffd"', 2),
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"', 0),
        (rb'"\\ud800"', rb'"\\ud800"', 0),
        (rb'"\\\ud800"', rb'"\\\ufffd"', 1),
        (b'"\xff"', '"\ufffd"'.encode(), 1),
        (b'{"a":NaN,"b":-Infinity,"c":"NaN"}', b'{"a":null,"b":null,"c":"NaN"}', 2),
        (b'{"a":"say \\"NaN\\"","b":NaN}', b'{"a":"say \\"NaN\\"","b":null}', 1),
        (b"plain", b"plain", 0),
    ],
)
def test_what_is_no_character_or_number_is_replaced_and_counted(text, expected, places):
    assert mend(text) == (expected, places)


def test_a_text_that_holds_the_replacement_character_already_counts_nothing():
    text = json.dumps("\ufffd é", ensure_ascii=False).encode()

    assert mend(text) == (text, 0)


def test_utf8_is_told():
    assert is_utf8("é".encode())
    assert not is_utf8(b"\xed\xa0\x80")
