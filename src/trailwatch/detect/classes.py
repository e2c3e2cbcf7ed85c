"""Classes of values: which leaf tests a value passes, remembered for the values that come again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import UNSET

from trailwatch.detect.derived import is_aws_service
from trailwatch.detect.glance import COMPILED_MASKS, parts_of
from trailwatch.detect.leaf import REFERENCES, ValueTest, text_of, value_test
from trailwatch.detect.schema import PLAIN_FIELDS, is_member
from trailwatch.rules.predicate import Field, Op
from trailwatch.rules.regex import needed_texts

VALUES_KEPT = 4096
LONGEST_KEPT = 512
_ABSENCE = {Op.NULL: (UNSET, None), Op.ABSENT: (UNSET,), Op.IS_NULL: (None,)}
_PARTS = frozenset({Op.CONTAINS, Op.STARTSWITH, Op.ENDSWITH})
_CONCLUDED: dict[str, tuple[str, Callable[[str], bool]]] = {
    "derived.ip.is_aws_service": ("sourceIPAddress", is_aws_service),
}
"""Derived fields that follow from one plain value, so that they cost nothing more than it."""


def member_path(field: Field) -> str | None:
    """The member of a free-form field that decides the test, if one does."""
    return field.path if is_member(field.path) and field.op not in REFERENCES and not field.strict else None


def plain_path(field: Field) -> str | None:
    """The plain field that decides the test, if one does."""
    if field.path in _CONCLUDED:
        # what is concluded is never null, so only NULL says of both fields that they have no value
        apart = field.strict or field.op in REFERENCES or field.op in {Op.ABSENT, Op.IS_NULL}
        return None if apart else _CONCLUDED[field.path][0]
    return field.path if field.path in PLAIN_FIELDS and field.op not in REFERENCES else None


class Classes(dict[Any, int]):
    """Value to class for one field; an unknown value is classified when it is looked up.

    The number of a class stands for the mask of the tests that its values pass. The tests are made for the first
    value: few members of free-form fields ever come.
    """

    def __init__(self, fields: Sequence[Field]) -> None:
        super().__init__()
        self._fields = fields
        self._tests: _Tests | None = None
        self.masks: list[int] = []
        self._numbers: dict[int, int] = {}

    def __missing__(self, value: Any) -> int:
        number = self.classify(value)
        if type(value) is not str or len(value) <= LONGEST_KEPT:
            if len(self) >= VALUES_KEPT:
                self.clear()
            self[value] = number
        return number

    def classify(self, value: Any) -> int:
        """The class of a value, which is not remembered."""
        tests = self._tests
        if tests is None:
            tests = self._tests = _Tests(self._fields)
        mask = tests.without[value] if value is None or value is UNSET else tests.mask(value)
        number = self._numbers.get(mask)
        if number is None:
            number = self._numbers[mask] = len(self.masks)
            self.masks.append(mask)
        return number

    def forget(self) -> None:
        """Drops every value and every class."""
        self.clear()
        self.masks.clear()
        self._numbers.clear()


class _Tests:
    """The tests of one field, by how they are asked."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self.without: dict[Any, int] = {None: 0, UNSET: 0}
        """The tests that are passed where there is no value."""
        self._present = 0
        """Those that every value passes."""
        self._equal: dict[str, int] = {}
        self._equal_cased: dict[str, int] = {}
        self._contained: list[tuple[int, str]] = []
        self._starts: list[tuple[int, tuple[str, ...]]] = []
        self._ends: list[tuple[int, tuple[str, ...]]] = []
        self._tests: list[tuple[int, ValueTest]] = []
        self._searched: list[tuple[int, tuple[str, ...], ValueTest]] = []
        for bit, field in enumerate(fields):
            self._add(field, 1 << bit)
        self._standing = parts_of([part for _, part in self._contained])
        self._of_standing: dict[int, int] = {0: 0}
        """By the parts that stand in a text, the mask of the tests that it passes by them."""
        contained = self._contained_mask if self._contained else None
        texts = self._present, self._equal, self._equal_cased, contained
        make: Callable[..., Callable[[Any], int]] = COMPILED_MASKS or Masks
        self.mask = make(*texts, self._starts, self._ends, self._searched, self._tests)
        """Gives the mask of the tests that a value passes."""

    def _add(self, field: Field, bit: int) -> None:
        if field.op in _ABSENCE:
            for lack in _ABSENCE[field.op]:
                self.without[lack] |= bit
        elif field.op is Op.EXISTS:
            self._present |= bit
        elif field.path in _CONCLUDED:
            self._tests.append((bit, _concluded(field)))
        elif field.op in _PARTS and not (field.cased or field.strict):
            parts = tuple(text_of(value).lower() for value in field.values)
            if field.op is Op.CONTAINS:
                self._contained.extend((bit, part) for part in parts)
            else:
                (self._starts if field.op is Op.STARTSWITH else self._ends).append((bit, parts))
        elif field.op is Op.EQ and all(isinstance(value, str) for value in field.values):
            cased = field.cased or field.strict
            table = self._equal_cased if cased else self._equal
            for value in field.values:
                text = str(value) if cased else str(value).lower()
                table[text] = table.get(text, 0) | bit
        elif field.op is Op.RE and len(field.values) == 1 and (needed := needed_texts(text_of(field.values[0]))):
            self._searched.append((bit, needed, value_test(field)))
        else:
            self._tests.append((bit, value_test(field)))

    def _contained_mask(self, lower: str) -> int:
        standing = self._standing(lower) if self._standing is not None else -1
        known = self._of_standing.get(standing)
        if known is not None:
            return known
        mask = _sum_of([bit for bit, part in self._contained if part in lower])
        if standing >= 0 and len(self._of_standing) < VALUES_KEPT:
            self._of_standing[standing] = mask
        return mask


class Masks:
    """The tests that a value passes, as a mask.

    Args:
        present: the tests that every value passes.
        equal: by a lower-cased text the tests that it passes.
        equal_cased: the same by the text itself.
        contained: the tests that a text passes by what stands in it; None where nobody asks for that.
        starts: tests, each with beginnings.
        ends: the same with ends.
        searched: tests, each with what a text must have for it to be passed, and what asks it then.
        tests: tests with what asks them.
    """

    def __init__(
        self,
        present: int,
        equal: Mapping[str, int],
        equal_cased: Mapping[str, int],
        contained: Callable[[str], int] | None,
        starts: Sequence[tuple[int, tuple[str, ...]]],
        ends: Sequence[tuple[int, tuple[str, ...]]],
        searched: Sequence[tuple[int, tuple[str, ...], ValueTest]],
        tests: Sequence[tuple[int, ValueTest]],
    ) -> None:
        self._present = present
        self._equal = equal
        self._equal_cased = equal_cased
        self._contained = contained
        self._starts = starts
        self._any_start = tuple(part for _, parts in starts for part in parts)
        self._ends = ends
        self._any_end = tuple(part for _, parts in ends for part in parts)
        self._searched = searched
        self._tests = tests

    def __call__(self, value: str | float) -> int:
        text = value if isinstance(value, str) else text_of(value)
        lower = text.lower()
        mask = self._present | self._equal.get(lower, 0) | self._equal_cased.get(text, 0)
        if self._contained is not None:
            mask |= self._contained(lower)
        if self._starts and lower.startswith(self._any_start):
            mask |= _sum_of([bit for bit, parts in self._starts if lower.startswith(parts)])
        if self._ends and lower.endswith(self._any_end):
            mask |= _sum_of([bit for bit, parts in self._ends if lower.endswith(parts)])
        for bit, needed, test in self._searched:
            if (not text.isascii() or _has_all(lower, needed)) and test(value):
                mask |= bit
        for bit, test in self._tests:
            if test(value):
                mask |= bit
        return mask


def _sum_of(bits: Iterable[int]) -> int:
    """All of these bits; one may be there several times."""
    mask = 0
    for bit in bits:
        mask |= bit
    return mask


def _has_all(text: str, parts: Iterable[str]) -> bool:
    for part in parts:  # noqa: SIM110 a plain loop: all() with a generator takes twice as long
        if part not in text:
            return False
    return True


def _concluded(field: Field) -> ValueTest:
    conclude = _CONCLUDED[field.path][1]
    test = value_test(field)
    return lambda value: test(conclude(value))
