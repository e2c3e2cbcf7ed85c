"""IAM policy documents: what they say about one request. Pure; knows nothing of moto.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any

Context = Mapping[str, Sequence[str]]
"""Condition keys in small letters with their values; a key that is missing is absent from the request."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERALS = {"*": "*", "?": "?", "$": "$"}


class Verdict(Enum):
    """What a set of policies says."""

    ALLOW = "allow"
    DENY = "explicit deny"
    SILENT = "no statement allows it"


@dataclass(frozen=True)
class Wish:
    """One request as policies see it."""

    action: str
    """Such as `iam:CreateUser`."""
    resource: str
    """An ARN, or `*` where the operation works on none."""
    context: Context


def judge(documents: Iterable[str], wish: Wish) -> Verdict:
    """What identity policies say together: a deny beats every allow, silence denies."""
    verdict = Verdict.SILENT
    for document in documents:
        for statement in statements(document):
            if not _concerns(statement, wish):
                continue
            if statement.get("Effect") == "Deny":
                return Verdict.DENY
            verdict = Verdict.ALLOW
    return verdict


@lru_cache(maxsize=1024)
def statements(document: str) -> tuple[Mapping[str, Any], ...]:
    """The statements of a document; none where it is no policy."""
    try:
        read = json.loads(document)
    except ValueError:
        return ()
    found = read.get("Statement", ()) if isinstance(read, dict) else ()
    return tuple(one for one in _many(found) if isinstance(one, dict))


def conditions_hold(statement: Mapping[str, Any], context: Context) -> bool:
    """Whether all conditions of a statement hold; one that cannot be read does not."""
    return all(
        _condition_holds(operator, key, [str(value) for value in _many(values)], context)
        for operator, block in (statement.get("Condition") or {}).items()
        for key, values in block.items()
    )


def matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """Whether a text fits a pattern with `*` and `?`."""
    return bool(_glob(pattern, ignore_case).fullmatch(text))


def _concerns(statement: Mapping[str, Any], wish: Wish) -> bool:
    return (
        _names(statement, "Action", wish.action, wish.context, ignore_case=True)
        and _names(statement, "Resource", wish.resource, wish.context, ignore_case=False)
        and conditions_hold(statement, wish.context)
    )


def _names(statement: Mapping[str, Any], element: str, text: str, context: Context, *, ignore_case: bool) -> bool:
    inverse = f"Not{element}" in statement
    patterns = _many(statement.get(f"Not{element}" if inverse else element, ()))
    found = any(matches(_filled(str(one), context), text, ignore_case=ignore_case) for one in patterns)
    return found != inverse


def _filled(pattern: str, context: Context) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in _LITERALS:
            return _LITERALS[name]
        found = context.get(name.lower(), ())
        return found[0] if found else match[0]

    return _VARIABLE.sub(value, pattern) if "${" in pattern else pattern


@lru_cache(maxsize=4096)
def _glob(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    text = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(text, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _many(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)


def _condition_holds(operator: str, key: str, wanted: Sequence[str], context: Context) -> bool:
    quantifier, _, rest = operator.rpartition(":")
    if_exists = rest.endswith("IfExists")
    name = rest.removesuffix("IfExists")
    have = context.get(key.lower())
    if name == "Null":
        return (have is None) == (wanted[0].lower() == "true")
    inverse = "Not" in name
    test = _TESTS.get(name.replace("Not", ""))
    if test is None:
        return False
    if have is None:
        return if_exists or inverse or quantifier == "ForAllValues"
    filled = [_filled(one, context) for one in wanted]
    hits = [any(test(one, value) for one in filled) != inverse for value in have]
    return all(hits) if quantifier == "ForAllValues" or (inverse and not quantifier) else any(hits)


def _same_number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def test(wanted: str, have: str) -> bool:
        try:
            return compare(float(have), float(wanted))
        except ValueError:
            return False

    return test


def _same_date(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def test(wanted: str, have: str) -> bool:
        try:
            return compare(_moment(have), _moment(wanted))
        except ValueError:
            return False

    return test


def _moment(text: str) -> float:
    if re.fullmatch(r"[0-9.]+", text):
        return float(text)
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _in_network(wanted: str, have: str) -> bool:
    try:
        return ipaddress.ip_address(have) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "Equals": lambda have, wanted: have == wanted,
    "LessThan": lambda have, wanted: have < wanted,
    "LessThanEquals": lambda have, wanted: have <= wanted,
    "GreaterThan": lambda have, wanted: have > wanted,
    "GreaterThanEquals": lambda have, wanted: have >= wanted,
}
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, have: wanted == have,
    "StringEqualsIgnoreCase": lambda wanted, have: wanted.lower() == have.lower(),
    "StringLike": matches,
    "ArnEquals": matches,
    "ArnLike": matches,
    "Bool": lambda wanted, have: wanted.lower() == have.lower(),
    "IpAddress": _in_network,
    **{f"Numeric{name}": _same_number(compare) for name, compare in _COMPARISONS.items()},
    **{f"Date{name}": _same_date(compare) for name, compare in _COMPARISONS.items()},
}
