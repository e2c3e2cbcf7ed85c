"""What a pattern needs of a text, so that RE2 need not be asked about every one."""

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from trailwatch.rules.regex import needed_texts


@pytest.mark.parametrize(
    ("pattern", "needed"),
    [
        (":assumed-role/.+/i-[0-9a-f]{8,17}$", (":assumed-role/", "/i-")),
        ("(?i)^Kali(Linux)? 2\\.0", ("kali", " 2.0")),
        ("abcd?e+fgh", ("abc", "fgh")),
        ("abc{0,1}def", ("def",)),
        ("abc|def", ()),
        ("(abc|def)ghi", ("ghi",)),
        ("[]abc]def[^]x]", ("def",)),
        ("[\\]abc]", ()),
        ("[[:alpha:]abc]xyz", ("xyz",)),
        ("(a[)]b(c)\\)ddd)eee", ("eee",)),
        ("\\d+abc", ()),
        ("\\Qa|b\\E", ()),
        ("(?U)abc", ("abc",)),
        ("ab", ()),
        ("", ()),
    ],
)
def test_only_plain_characters_outside_of_groups_are_needed(pattern, needed):
    assert needed_texts(pattern) == needed


atoms = st.one_of(
    st.text("abcKS:/-", min_size=1, max_size=4),
    st.sampled_from(
        [".", "\\.", "\\d", "^", "$", "[ab]", "[^]a]", "[\\]x]", "[[:digit:]]", "\\$", " ", "é", "\\x61"]
    ),
)
patterns = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.tuples(inner, st.sampled_from(["?", "*", "+", "+?", "{0}", "{2}", "{0,1}"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
        st.tuples(atoms, st.sampled_from(["?", "*", "+", "{0}", "{1,2}"])).map("".join),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
        st.tuples(inner, inner).map("|".join),
        inner.map(lambda one: f"(?i){one}"),
    ),
    max_leaves=6,
)


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(patterns, st.data())
def test_no_text_in_which_a_pattern_is_found_lacks_what_it_needs(pattern, data):
    needed = needed_texts(pattern)
    try:
        compiled = re2.compile(pattern)
    except re2.error:
        return
    text = data.draw(st.lists(st.text("abcKSks:/-1 .x$é", max_size=4), max_size=6).map("".join))
    if compiled.search(text) and text.isascii():
        assert all(part in text.lower() for part in needed)
