import pytest

from trailwatch.decode.pieces import pieces


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"Records":[{"a":1},{"b":[2,{"c":3}]}]}', [b'{"a":1}', b'{"b":[2,{"c":3}]}']),
        (b'{"x":{"Records":[9]},"Records":[{"a":1},2]}', [b'{"x":{"Records":[9]},"Records":[{"a":1},2]}']),
        (b'{"x":[1],"Records":[{"a":1},2]}', [b'{"a":1}', b"2"]),
        (b'["a,b","]",{"c":"}"}]', [b'"a,b"', b'"]"', b'{"c":"}"}']),
        (b'["say \\"no\\\\",1]', [b'"say \\"no\\\\"', b"1"]),
        (b'{"a":1}{"b":2}\n{"c":3}', [b'{"a":1}', b'{"b":2}', b'{"c":3}']),
        (b"[]", []),
        (b'{"Records":[1]}{"Records":[2],"x":[3]}[4]x{}', [b"1", b"2", b"4", b"x{}"]),
    ],
)
def test_the_elements_are_found_by_their_brackets(text, expected):
    found = list(pieces(text))

    assert [piece.text for piece in found] == expected
    assert all(piece.whole for piece in found)


@pytest.mark.parametrize(
    "text", [b'[{"a":1},{"b":"c', b'[{"a":1},{"b":[', b'{"Records":[{"a":1},{"b"', b'{"Records":[1]', b"[1"]
)
def test_what_the_end_cuts_off_is_told_apart(text):
    assert [piece.whole for piece in pieces(text)][-1] is False
