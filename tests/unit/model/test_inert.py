import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailwatch.model.inert import for_csv, for_terminal


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("José Núñez 名前", "José Núñez 名前"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\r\nb\tc", "a\\x0d\\x0ab\\x09c"),
        ("\u202eexe.txt", "\\u202eexe.txt"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\x9b31m", "\\x9b31m"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_nothing_acts_on_a_terminal(text, shown):
    assert for_terminal(text) == shown


@given(st.text(st.characters(exclude_categories=())))
def test_what_is_shown_can_always_be_printed(text):
    shown = for_terminal(text)

    shown.encode()
    assert not any(unicodedata.category(character)[0] == "C" for character in shown)


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "|x", "%x"])
def test_no_cell_is_a_formula(text):
    assert for_csv(text).startswith("'")


@given(st.text())
def test_a_cell_survives_the_csv_writer_as_one_line(text):
    stream = io.StringIO()
    csv.writer(stream).writerow([for_csv(text), "end"])

    assert list(csv.reader(io.StringIO(stream.getvalue()))) == [[for_csv(text), "end"]]
    assert stream.getvalue().count("\n") == 1
