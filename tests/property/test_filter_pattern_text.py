"""A filter pattern says the same after being read and written; and no text makes the reader fall over."""

from hypothesis import given, settings
from hypothesis import strategies as st

from trailwatch.errors import RuleError
from trailwatch.rules.filter_pattern import parse, to_text

names = st.text("abcXYZ019_-", min_size=1, max_size=6)
segments = st.one_of(
    names.map(lambda name: f".{name}"),
    st.integers(0, 99).map(lambda index: f"[{index}]"),
    st.text("a.b 'é\\]$*", min_size=1, max_size=6).map(
        lambda key: ".['" + key.replace("\\", "\\\\").replace("'", "\\'") + "']"
    ),
)
selectors = st.lists(segments, min_size=1, max_size=4).map(lambda parts: "$" + "".join(parts))
quoted = st.text(max_size=8).map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
values = st.one_of(
    quoted,
    st.text("abAB09_.*:/@-", min_size=1, max_size=8),
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
conditions = st.one_of(
    st.tuples(selectors, st.sampled_from(["=", "!="]), values).map(" ".join),
    st.tuples(selectors, st.sampled_from(["<", "<=", ">", ">="]), st.integers(-999, 999).map(str)).map("".join),
    st.tuples(selectors, st.sampled_from(["IS NULL", "IS TRUE", "IS FALSE", "NOT EXISTS"])).map(" ".join),
)
expressions = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(" && ".join),
        st.lists(inner, min_size=2, max_size=3).map(" || ".join),
        inner.map(lambda text: f"({text})"),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(expressions)
def test_a_pattern_that_was_read_is_written_so_that_it_reads_the_same(text):
    pattern = f"{{ {text} }}"
    if len(pattern) > 900:
        return
    predicate = parse(pattern)

    written = to_text(predicate)

    if len(written) <= 1024:
        assert parse(written) == predicate


@settings(max_examples=300, deadline=None)
@given(st.text("{}()$.[]*'\"=!<>&|% aISNULLOTEXR01\n", max_size=40).map(lambda text: "{ $.a " + text))
def test_any_text_is_a_pattern_or_refused_with_a_place(text):
    try:
        parse(text, "rule")
    except RuleError as refused:
        name, line, column = refused.origin.split(":")
        assert name == "rule"
        assert 1 <= int(line) <= text.count("\n") + 1
        assert int(column) >= 1
