"""A predicate as a CloudWatch Logs filter pattern, to be used with CloudTrail's log group.

Ignoring case takes a regular expression with both letters in classes, `%^[aA][bB]$%`, of which a pattern has two at
most; fields that AWS writes in one case only need none. Such classes are of ASCII letters, as are AWS's own texts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from trailwatch.rules.pattern_grammar import MAX_LENGTH, MAX_REGEXES, REGEX_TEXT
from trailwatch.rules.pattern_tests import joined, presence
from trailwatch.rules.pattern_text import to_text
from trailwatch.rules.predicate import And, Const, Field, Not, Op, Or, Predicate, Value, all_of, fields_of
from trailwatch.rules.regex import regex_refusal
from trailwatch.translate.errors import Inexpressible
from trailwatch.translate.fields import FieldRow, Kind, spelled
from trailwatch.translate.normal import may_be_null, negations_inward, one_value

_TARGET = "a filter pattern"
_OPERATORS = frozenset("^$?[]{}|*+.\\-")
_ANY = r"[\s\S]"
_COMPARISONS = frozenset({Op.LT, Op.LTE, Op.GT, Op.GTE})
_TEXTUAL = frozenset({Op.CONTAINS, Op.STARTSWITH, Op.ENDSWITH, Op.LIKE})


def to_pattern(predicate: Predicate) -> str:
    """The filter pattern with its braces.

    Raises:
        Inexpressible: no filter pattern says the same, or only one over CloudWatch's limits.
    """
    try:
        text = to_text(predicate)
    except ValueError:
        predicate = _strict(negations_inward(predicate))
        try:
            text = to_text(predicate)
        except ValueError as error:
            raise Inexpressible("the condition", f"it has {error}", "") from None
    regexes = sum(len(field.values) for field in fields_of(predicate) if field.op is Op.RE)
    if regexes > MAX_REGEXES:
        what = f"it takes {regexes} regular expressions to ignore case, CloudWatch takes {MAX_REGEXES} in a pattern"
        raise Inexpressible("the condition", what, "use |cased where the case is known")
    if len(text) > MAX_LENGTH:
        what = f"the pattern would have {len(text)} characters, CloudWatch takes {MAX_LENGTH}"
        raise Inexpressible("the condition", what, "split the rule")
    return text


def _strict(predicate: Predicate) -> Predicate:
    if isinstance(predicate, And):
        return all_of(*(_strict(item) for item in predicate.items))
    if isinstance(predicate, Or):
        return joined(*(_strict(item) for item in predicate.items))
    if isinstance(predicate, Const):
        return predicate
    if isinstance(predicate, Not):
        item = predicate.item
        return _negative(item) if isinstance(item, Field) else predicate
    return _positive(predicate)


def _positive(field: Field) -> Predicate:
    if field.strict and field.op not in {Op.EXISTS, Op.NULL}:
        return field
    row = one_value(field.path, _TARGET)
    if field.op is Op.EXISTS:
        return presence(field.path)
    if field.op is Op.NULL:
        return _missing(row)
    return joined(*_tests(field, row))


def _negative(field: Field) -> Predicate:
    row = one_value(field.path, _TARGET)
    if field.op is Op.EXISTS:
        return _missing(row)
    if field.op is Op.NULL:
        return presence(field.path)
    if field.op is Op.ABSENT:
        return joined(presence(field.path), Field(field.path, Op.IS_NULL, cased=True, strict=True))
    if field.op is Op.IS_NULL:
        return joined(presence(field.path), Field(field.path, Op.ABSENT, cased=True, strict=True))
    if field.op in _COMPARISONS:
        raise Inexpressible(field.path, "the negation of a comparison holds for texts too, which no pattern says", "")
    tests = _tests(field, row)
    if any(isinstance(value, bool) for test in tests for value in test.values):
        other = [not value for value in field.values if isinstance(value, bool)]
        if row.kind is not Kind.BOOLEAN or may_be_null(row) or len(other) != len(field.values):
            raise Inexpressible(field.path, "a negated boolean on a field that may be no boolean", "")
        return joined(
            _missing(row), *(Field(field.path, Op.EQ, (value,), cased=True, strict=True) for value in other)
        )
    single = [Field(test.path, test.op, (value,), cased=True, strict=True) for test in tests for value in test.values]
    differs = all_of(*(part for test in single for part in (presence(field.path), Not(test))))
    return differs if row.always else joined(_missing(row), differs)


def _missing(row: FieldRow) -> Predicate:
    """No value: the field is left out, or null where CloudTrail writes nulls."""
    absent = Field(row.path, Op.ABSENT, cased=True, strict=True)
    return joined(absent, Field(row.path, Op.IS_NULL, cased=True, strict=True)) if may_be_null(row) else absent


def _tests(field: Field, row: FieldRow) -> list[Field]:
    """Strict tests, any of which holds exactly when the field's own test does; one regular expression at most."""
    tests = _separate_tests(field, row)
    patterns = [str(value) for test in tests if test.op is Op.RE for value in test.values]
    if len(patterns) < 2:  # noqa: PLR2004 nothing to join
        return tests
    return [*(test for test in tests if test.op is not Op.RE), _regex(field.path, "|".join(dict.fromkeys(patterns)))]


def _separate_tests(field: Field, row: FieldRow) -> list[Field]:
    if field.op is Op.EQ:
        return [test for value in field.values for test in _equality(field, row, value)]
    if field.op in _TEXTUAL:
        return [_part(field, row, value) for value in field.values]
    if field.op is Op.RE:
        return [_regex(field.path, _allowed(field.path, str(value))) for value in field.values]
    if field.op is Op.CIDR:
        return [_address(field.path, value) for value in field.values]
    if field.op in _COMPARISONS:
        return [Field(field.path, field.op, field.values, cased=True, strict=True)]
    raise Inexpressible(field.path, f'a filter pattern has nothing like "{field.op.value}"', "")


def _equality(field: Field, row: FieldRow, value: Value) -> Sequence[Field]:
    path = field.path
    if isinstance(value, bool):
        text = "true" if value else "false"
        if row.kind is Kind.BOOLEAN and not may_be_null(row):
            return [Field(path, Op.EQ, (value,), cased=True, strict=True)]
        if spelled(row, Op.EQ, text) == (text,):
            return [Field(path, Op.EQ, (text,), cased=True, strict=True)]
        return [Field(path, Op.EQ, (value,), cased=True, strict=True), _regex(path, f"^{_either_case(path, text)}$")]
    if isinstance(value, int | float):
        return [Field(path, Op.EQ, (value,), cased=True, strict=True)]
    texts = (value,) if field.cased or field.strict else spelled(row, Op.EQ, value)
    if texts is None:
        return [_regex(path, f"^{_either_case(path, value)}$")]
    return [
        _regex(path, f"^{''.join(_sign(path, sign) for sign in text)}$")
        if "*" in text
        else Field(path, Op.EQ, (text,), cased=True, strict=True)
        for text in texts
    ]


def _part(field: Field, row: FieldRow, value: Value) -> Field:
    """CONTAINS, STARTSWITH, ENDSWITH or LIKE, with wildcards where case counts and with a regular expression else."""
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    if field.op is Op.LIKE:
        pieces = list(_like_pieces(text))
    else:
        before = [_STAR] if field.op in {Op.CONTAINS, Op.ENDSWITH} else []
        after = [_STAR] if field.op in {Op.CONTAINS, Op.STARTSWITH} else []
        pieces = [*before, text, *after]
    exact: tuple[str, ...] | None = (text,)
    if not (field.cased or field.strict):
        exact = spelled(row, field.op, text) if any(sign.isalpha() for sign in text) else (text,)
    literal = "".join(piece for piece in pieces if isinstance(piece, str))
    if exact is not None and "*" not in literal and _ONE not in pieces:
        words = [
            piece.replace("\\", "\\\\").replace("?", "\\?") if isinstance(piece, str) else "*" for piece in pieces
        ]
        pattern = "".join(words) if exact[0] == text else "".join(words).lower()
        return Field(field.path, Op.LIKE, (pattern,), cased=True, strict=True)
    return _regex(field.path, _pieces_regex(field, pieces))


class _Wildcard:
    """A wildcard between the literal pieces of a pattern."""

    def __init__(self, regex: str) -> None:
        self.regex = regex


_STAR = _Wildcard(f"{_ANY}*")
_ONE = _Wildcard(_ANY)


def _like_pieces(pattern: str) -> Sequence[str | _Wildcard]:
    pieces: list[str | _Wildcard] = []
    signs = iter(pattern)
    for sign in signs:
        if sign in "*?":
            pieces.append(_STAR if sign == "*" else _ONE)
        else:
            pieces.append(next(signs, "\\") if sign == "\\" else sign)
    return pieces


def _pieces_regex(field: Field, pieces: Sequence[str | _Wildcard]) -> str:
    """The shortest regular expression: a star at an end is left out together with the anchor."""
    inner = list(pieces)
    start, end = "^", "$"
    while inner and inner[0] is _STAR:
        start = ""
        inner = inner[1:]
    while inner and inner[-1] is _STAR:
        end = ""
        inner = inner[:-1]
    cased = field.cased or field.strict
    parts = [
        piece.regex
        if isinstance(piece, _Wildcard)
        else "".join(_sign(field.path, sign) for sign in piece)
        if cased
        else _either_case(field.path, piece)
        for piece in inner
    ]
    return f"{start}{''.join(parts)}{end}"


def _either_case(path: str, text: str) -> str:
    return "".join(
        f"[{sign.lower()}{sign.upper()}]" if sign.isascii() and sign.isalpha() else _sign(path, sign) for sign in text
    )


def _sign(path: str, sign: str) -> str:
    """One literal sign in a regular expression of CloudWatch."""
    if not sign.isascii():
        raise Inexpressible(path, f"regular expressions of CloudWatch are ASCII, the value has {sign!r}", "")
    if sign in _OPERATORS:
        return f"\\{sign}"
    return sign if REGEX_TEXT.fullmatch(sign) else f"\\x{ord(sign):02x}"


def _regex(path: str, pattern: str) -> Field:
    return Field(path, Op.RE, (pattern,), cased=True, strict=True)


def _allowed(path: str, pattern: str) -> str:
    """The rule's own regular expression, with signs that CloudWatch does not take in hexadecimal."""
    if "(" in pattern or ")" in pattern:
        raise Inexpressible(
            path, f"regular expressions of CloudWatch have no parentheses, this one is {pattern!r}", ""
        )
    parts: list[str] = []
    signs = iter(pattern)
    for sign in signs:
        if sign == "\\":
            parts.append("\\" + next(signs, ""))
        else:
            parts.append(sign if REGEX_TEXT.fullmatch(sign) or not sign.isascii() else f"\\x{ord(sign):02x}")
    text = "".join(parts)
    if REGEX_TEXT.fullmatch(text) is None or regex_refusal(text):
        raise Inexpressible(path, f"CloudWatch's regular expressions do not take {pattern!r}", "")
    return text


def _address(path: str, value: Value) -> Field:
    network = ipaddress.ip_network(str(value), strict=False)
    if network.num_addresses == 1 and network.version == 4:  # noqa: PLR2004 IPv6 addresses have many spellings
        return Field(path, Op.EQ, (str(network.network_address),), cased=True, strict=True)
    raise Inexpressible(path, f"a filter pattern cannot test for addresses in {network}", "")
