"""The examples that authors give with their rules: events that must match and near misses that must not."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from trailwatch.model.fieldpath import parse_path
from trailwatch.rules.rule import Correlation, Example, Rule, Story

KEYS = frozenset({"name", "matches", "event", "base", "change"})


class ExampleError(Exception):
    """An example is wrong: its number from 0, and why."""

    def __init__(self, at: int, text: str) -> None:
        super().__init__(text)
        self.at = at


class Outcome(msgspec.Struct, frozen=True):
    """What one example gave."""

    rule: Rule | Correlation
    example: Example | Story
    matched: bool
    error: str = ""
    """What the rule raised, if it did."""

    @property
    def passed(self) -> bool:
        return self.matched == self.example.matches and not self.error


def run_examples(rules: Iterable[Rule], verdict: Callable[[Rule, Mapping[str, Any]], bool]) -> Iterator[Outcome]:
    """The outcome of every example of every rule; `verdict` says whether a rule matches a record."""
    for rule in rules:
        for example in rule.examples:
            try:
                yield Outcome(rule, example, verdict(rule, example.record))
            except Exception as error:  # noqa: BLE001 a user's Python rule may raise anything; its example failed
                yield Outcome(rule, example, matched=False, error=f"{type(error).__name__}: {error}")


def read_examples(given: list[Any]) -> tuple[Example, ...]:
    """Examples from plain data; one with `base` and `change` is that example with some values replaced.

    A `change` maps dotted paths to values; null removes the key.

    Raises:
        ExampleError: an example is incomplete or changes what is not there.
    """
    examples: list[Example] = []
    records: dict[str, dict[str, Any]] = {}
    for at, one in enumerate(given):
        if not isinstance(one, dict):
            raise ExampleError(at, f"expected a mapping with name, matches and event, got {one!r:.80}")
        unknown = sorted(str(key) for key in one if key not in KEYS)
        if unknown:
            raise ExampleError(at, f'unknown key "{unknown[0]}" in an example; it may have {", ".join(sorted(KEYS))}')
        name, matches = str(one.get("name", f"example {at + 1}")), one.get("matches")
        if not isinstance(matches, bool):
            raise ExampleError(at, f'example "{name}" needs matches: true or false')
        record = records[name] = _record(at, name, one, records)
        examples.append(Example(name, matches, record))
    return tuple(examples)


def _record(at: int, name: str, one: dict[str, Any], records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if "base" in one:
        if one["base"] not in records:
            raise ExampleError(at, f'example "{name}" builds on "{one["base"]}", which does not stand before it')
        record = copy.deepcopy(records[one["base"]])
    elif isinstance(one.get("event"), dict):
        record = copy.deepcopy(one["event"])
    else:
        raise ExampleError(at, f'example "{name}" needs event: a record, or base: the name of an earlier example')
    change = one.get("change", {})
    if not isinstance(change, dict):
        raise ExampleError(at, f'example "{name}": expected change to map paths to values, got {change!r:.80}')
    for path, value in change.items():
        try:
            put(record, str(path), value)
        except ValueError as error:
            raise ExampleError(at, f'example "{name}": {error}') from None
    return record


def put(record: dict[str, Any], path: str, value: Any) -> None:
    """Sets what is at the path, or removes it for None; mappings that are missing on the way are made.

    Raises:
        ValueError: it is no path, or it leads through something that has no such part.
    """
    *way, last = parse_path(path)
    node: Any = record
    for step in way:
        if isinstance(step, str) and isinstance(node, dict):
            node = node.setdefault(step, {})
        elif isinstance(step, int) and isinstance(node, list) and step < len(node):
            node = node[step]
        else:
            raise ValueError(f"there is no {path} to change")
    fits_mapping = isinstance(last, str) and isinstance(node, dict)
    fits_list = isinstance(last, int) and isinstance(node, list) and last < len(node)
    if not fits_mapping and not fits_list:
        raise ValueError(f"there is no {path} to change")
    if value is not None:
        node[last] = value
    elif fits_list or last in node:
        del node[last]
