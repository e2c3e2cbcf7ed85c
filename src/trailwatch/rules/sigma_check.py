"""What pySigma lets pass in silence or cannot place: keys, duplicates, modifiers, regular expressions.

Every finding carries `path:line:column` and, where a name was misspelt, the one that was probably meant.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from ipaddress import ip_network
from typing import Any

from trailwatch.rules.names import meant
from trailwatch.rules.placed import Placed
from trailwatch.rules.regex import regex_refusal
from trailwatch.rules.rule import Problem
from trailwatch.rules.sigma_detection import UnsupportedError, check_field
from trailwatch.rules.sigma_yaml import Document

RULE_KEYS = frozenset(
    {
        "title",
        "id",
        "name",
        "taxonomy",
        "related",
        "status",
        "description",
        "license",
        "references",
        "author",
        "date",
        "modified",
        "logsource",
        "detection",
        "correlation",
        "filter",
        "fields",
        "falsepositives",
        "level",
        "tags",
        "scope",
        "action",
        "trailwatch",
    }
)
RETIRED_STATUS = frozenset({"deprecated", "unsupported"})
"""What `status` says of a rule that does not run."""
CORRELATION_KEYS = frozenset({"type", "rules", "generate", "timespan", "group-by", "aliases", "condition"})
CONDITION_KEYS = frozenset({"lt", "lte", "gt", "gte", "eq", "neq", "field", "percentile"})
TRAILWATCH_KEYS = frozenset(
    {"slug", "profiles", "dedup", "alerting", "first_seen", "travel", "respond", "triage", "fields", "examples"}
)
_LOSES_CASE = frozenset({"windash", "wide", "utf16", "utf16be", "base64", "base64offset", "fieldref"})
"""What pySigma makes a new text with, which forgets that case counts."""
_PLACEHOLDER = re.compile(r"%[^%\\]+%")
_FLAGS = {"i": "i", "ignorecase": "i", "m": "m", "multiline": "m", "s": "s", "dotall": "s"}


def check(document: Document) -> Iterator[Problem]:
    """Everything wrong with one Sigma document that can be told before pySigma reads it."""
    data = document.data
    for place, key in document.duplicates():
        yield Problem(place, f'key "{key}" stands twice in its mapping; keep one', error=True)
    yield from _misread(document)
    if not isinstance(data.get("id", ""), str):
        yield Problem(
            document.at("id"), f"expected id to be a text, got {data['id']!r:.80}; write a UUID", error=True
        )
    for key in data:
        if key not in RULE_KEYS and (hint := meant(str(key), RULE_KEYS)):
            yield Problem(document.at(key), f'unknown key "{key}"; {hint}', error=False)
    yield from _check_keys(document, ("trailwatch",), TRAILWATCH_KEYS)
    yield from _check_keys(document, ("correlation",), CORRELATION_KEYS)
    yield from _check_keys(document, ("correlation", "condition"), CONDITION_KEYS)
    for part in ("detection", "filter"):
        section = data.get(part)
        if isinstance(section, dict):
            for name, definition in section.items():
                if name not in {"condition", "rules"}:
                    yield from check_selection(document, (part, name), definition)


def _misread(document: Document) -> Iterator[Problem]:
    for place, text, read in document.misread():
        yield Problem(place, f"YAML reads {text} as {read}; write that, or put it in quotes", error=False)
    if timeframe_of(document.data) is not None:
        text = "timeframe means nothing without a correlation; write a correlation rule over this one"
        yield Problem(document.at("detection", "timeframe"), text, error=False)


def timeframe_of(data: dict[Any, Any]) -> str | int | None:
    """The `timeframe` that older rules have in their detection, where pySigma takes it for a keyword to look for."""
    detection = data.get("detection")
    found = detection.get("timeframe") if isinstance(detection, dict) else None
    return found if isinstance(found, str | int) else None


def _check_keys(document: Document, steps: tuple[str, ...], known: frozenset[str]) -> Iterator[Problem]:
    section: Any = document.data
    for step in steps:
        section = section.get(step) if isinstance(section, dict) else None
    if not isinstance(section, dict):
        return
    for key in section:
        if key not in known:
            hint = meant(str(key), known) or "it may have " + ", ".join(sorted(known))
            where = ".".join(steps)
            yield Problem(document.at(*steps, key), f'unknown key "{key}" in {where}; {hint}', error=True)


def check_selection(document: Placed, steps: tuple[str | int, ...], definition: Any) -> Iterator[Problem]:
    """What is wrong with the modifiers and values of one selection, which stands at `steps`."""
    if isinstance(definition, list):
        for at, item in enumerate(definition):
            yield from check_selection(document, (*steps, at), item)
    elif isinstance(definition, dict):
        for key, value in definition.items():
            yield from _check_item(document, (*steps, key), str(key), value)


def _check_item(document: Placed, steps: tuple[str | int, ...], key: str, value: Any) -> Iterator[Problem]:
    from sigma.modifiers import modifier_mapping

    field, *modifiers = key.split("|")
    for modifier in modifiers:
        if modifier not in modifier_mapping:
            hint = meant(modifier, modifier_mapping) or "Sigma has " + ", ".join(sorted(modifier_mapping))
            text = f'unknown modifier "{modifier}" on field "{field}"; {hint}'
            yield Problem(document.at(*steps), text, error=True)
    if "cased" in modifiers and (after := _LOSES_CASE & {*modifiers[modifiers.index("cased") :]}):
        text = f'field "{field}": cased has no effect before {min(after)}; write it last'
        yield Problem(document.at(*steps), text, error=False)
    if value == []:
        text = f'field "{field}": an empty list is read as null, so the field must be absent; write values, or null'
        yield Problem(document.at(*steps), text, error=False)
    if isinstance(value, dict):
        text = f'expected a value or a list of values at field "{field}", got a mapping; write the path with dots'
        yield Problem(document.at(*steps), text, error=True)
    try:
        check_field(field)
    except UnsupportedError as error:
        yield Problem(document.at(*steps), str(error), error=True)
    for at, one in enumerate(value if isinstance(value, list) else [value]):
        wrong = _value_refusal(one, modifiers)
        if wrong:
            place = document.at(*steps, at) if isinstance(value, list) else document.at(*steps)
            yield Problem(place, f'field "{field}": {wrong}' if field else wrong, error=True)


def _value_refusal(value: Any, modifiers: Collection[str]) -> str:
    """Why the value cannot be what its modifiers make of it; empty when it can."""
    if "re" in modifiers:
        pattern = _PLACEHOLDER.sub("x", str(value)) if "expand" in modifiers else str(value)
        flags = "".join(sorted({_FLAGS[modifier] for modifier in modifiers if modifier in _FLAGS}))
        refusal = regex_refusal((f"(?{flags})" if flags else "") + pattern)
        return f"RE2 refuses {str(value)[:120]!r}: {refusal}; rewrite it without that" if refusal else ""
    if "cidr" in modifiers and "expand" not in modifiers:
        try:
            ip_network(str(value))
        except ValueError as error:
            return f"no network: {error}; write it as 192.0.2.0/24"
    return ""
