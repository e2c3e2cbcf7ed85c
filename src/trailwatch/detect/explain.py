"""Why a rule matches an event or does not, clause by clause."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from trailwatch.detect.compile import Node, compile_tree
from trailwatch.detect.derived import ScriptEvent
from trailwatch.detect.reason import seen
from trailwatch.detect.record import Record
from trailwatch.ports import AddressBook
from trailwatch.rules.describe import clause
from trailwatch.rules.predicate import And, Const, Field, Not
from trailwatch.rules.rule import Rule

ALL, ANY = "all of", "any of"
"""How clauses of several parts are called."""


class Clause(msgspec.Struct, frozen=True):
    """One part of a condition and what became of it."""

    text: str
    holds: bool
    seen: str = ""
    """The values that the record has there; for a clause about a field only."""
    parts: tuple[Clause, ...] = ()


class Explanation(msgspec.Struct, frozen=True):
    """The verdict of a rule on a record, with its grounds."""

    matches: bool
    clauses: Clause


def explain(rule: Rule, raw: bytes, tables: AddressBook | None = None) -> Explanation:
    """The verdict of the rule and of each of its clauses; the verdict is what a scan says.

    Args:
        rule: the rule.
        raw: the record, one JSON object.
        tables: what is known of addresses; None where nothing is.

    Raises:
        DecodeError: it is no record that a scan would read.
    """
    record = Record(raw, None, tables)
    event = ScriptEvent(record.full, "event")
    event.book = tables
    condition = _explain(compile_tree(rule.condition), record)
    if rule.script is None:
        return Explanation(condition.holds, condition)
    answer = _ask_script(rule, event, asked=condition.holds)
    whole = Clause(ALL, condition.holds and answer.holds, parts=(condition, answer))
    return Explanation(whole.holds, whole)


def outline(clauses: Clause, depth: int = 0) -> Iterator[str]:
    """The clauses as indented lines, `+` for one that holds and `-` for one that does not.

    Where the whole does not hold, the clauses about a field that keep it from holding end in an arrow.
    """
    yield from _lines(clauses, depth, guilty=not clauses.holds)


def _lines(clauses: Clause, depth: int, *, guilty: bool) -> Iterator[str]:
    mark = "+" if clauses.holds else "-"
    value = f"   [{clauses.seen}]" if clauses.seen else ""
    arrow = "   <- this is why" if guilty and not clauses.parts else ""
    yield f"{'  ' * depth}{mark} {clauses.text}{value}{arrow}"
    decided = clauses.text == ANY if clauses.holds else clauses.text == ALL
    for part in clauses.parts:
        yield from _lines(part, depth + 1, guilty=guilty and (not decided or part.holds is clauses.holds))


def _explain(node: Node, record: Record) -> Clause:
    predicate, holds = node.predicate, node.test(record)
    if isinstance(predicate, Field):
        return Clause(clause(predicate), holds, seen(predicate, record))
    if isinstance(predicate, Const):
        return Clause("always" if predicate.value else "never", holds)
    text = "not" if isinstance(predicate, Not) else ALL if isinstance(predicate, And) else ANY
    return Clause(text, holds, parts=tuple(_explain(item, record) for item in node.items))


def _ask_script(rule: Rule, event: ScriptEvent, *, asked: bool) -> Clause:
    if rule.script is None or not asked:
        return Clause("rule(event)", holds=False, seen="not asked, because its WHEN does not hold")
    try:
        answer: Any = rule.script.rule(event)
    except Exception as error:  # noqa: BLE001 a user's own code: what it raises is the explanation
        return Clause("rule(event)", holds=False, seen=f"raised {type(error).__name__}: {error}")
    return Clause("rule(event)", bool(answer), seen=f"returned {answer!r:.200}")
