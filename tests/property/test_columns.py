"""Compiled loops over columns do what their Python does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from trailwatch.detect import columns
from trailwatch.detect.columns import plain_note_texts, plain_places_of, plain_texts_of

pytestmark = pytest.mark.skipif(not columns.COMPILED, reason="trailwatch was built without a C compiler")

values = st.sampled_from(["", "a", "ü", UNSET, None, True, False, 7, 2.5])
times = st.integers(-(2**40), 2**40)
spans = st.integers(1, 10**9)


@given(st.lists(values))
def test_values_become_the_same_texts(column):
    assert list(columns.texts_of(tuple(column))) == list(plain_texts_of(tuple(column)))


@given(st.lists(st.tuples(st.integers(0, 2**59), times)), spans)
def test_signals_have_the_same_places(signals, span):
    groups, moments = [group for group, _ in signals], [time for _, time in signals]

    assert columns.places_of(groups, moments, span) == plain_places_of(groups, moments, span)


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abcde")))), st.integers(2, 5))
def test_as_many_different_texts_are_kept_of_each_place(batches, needed):
    compiled, plain = {}, {}
    for batch in batches:
        places, texts = [place for place, _ in batch], [text for _, text in batch]
        columns.note_texts(compiled, places, texts, needed)
        plain_note_texts(plain, places, texts, needed)

        assert how_many(compiled) == how_many(plain)
    several = {place for place, kept in compiled.items() if type(kept) is set and len(kept) < needed}
    assert {place: compiled[place] for place in several} == {place: plain[place] for place in several}


def how_many(kept):
    return {place: len(texts) if type(texts) is set else 1 for place, texts in kept.items()}


@pytest.mark.parametrize("loop", [columns.places_of, plain_places_of])
def test_columns_of_different_lengths_are_an_error(loop):
    with pytest.raises(ValueError, match=r"times|shorter"):
        loop([1, 2], [3], 60)
