"""Which look-ups of event history show what a rule can match."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from trailwatch.model.sighting import CHANGES, EVERYTHING
from trailwatch.rules.predicate import And, Field, Op, Or, Predicate
from trailwatch.rules.reads import DATA_EVENTS, is_read_only
from trailwatch.rules.rule import Rule
from trailwatch.sources.poll_plan import Plan


class Shown(msgspec.Struct, frozen=True):
    """What of a rule's events is polled, and what is not."""

    lookups: tuple[str, ...]
    """The look-ups that show them, as `LookupKey.lookup`."""
    missing: tuple[str, ...]
    """What no look-up of the plan shows, for people: names, or `other reads`."""


def shown_of(rule: Rule, plan: Plan, *, all_events: bool) -> Shown:
    """What of a rule's events cycles see.

    Args:
        rule: over single events.
        plan: of what is looked up by name.
        all_events: whether everything is polled.
    """
    names = _bounded(rule.condition, "eventName")
    data = tuple(sorted(f"{name} (data event)" for name in names or () if name in DATA_EVENTS))
    if all_events:
        return Shown((EVERYTHING,), data)
    if _bounded(rule.condition, "readOnly") == frozenset(("false",)):
        return Shown((CHANGES,), ())
    if names is None:
        return Shown((CHANGES,), ("other reads",))
    planned = {one.name for one in plan.names}
    wanted = sorted(names - DATA_EVENTS)
    changes = [CHANGES] if any(not is_read_only(name) for name in wanted) else []
    reads = [name for name in wanted if is_read_only(name)]
    return Shown(
        (*changes, *(f"EventName={name}" for name in reads if name in planned)),
        (*(name for name in reads if name not in planned), *data),
    )


def wanted_names(rules: Iterable[Rule], plan: Plan) -> set[str]:
    """The names of the plan whose events the rules can match."""
    found = {lookup for rule in rules for lookup in shown_of(rule, plan, all_events=False).lookups}
    return {one.name for one in plan.names if one.lookup in found}


def _bounded(condition: Predicate, path: str) -> frozenset[str] | None:
    """Every text that the value at a path can have where the condition holds; None where it can be any."""
    if isinstance(condition, Field) and condition.path == path and condition.op is Op.EQ:
        return frozenset(str(value).lower() if isinstance(value, bool) else str(value) for value in condition.values)
    if isinstance(condition, And):
        found = [one for item in condition.items if (one := _bounded(item, path)) is not None]
        return min(found, key=len) if found else None
    if isinstance(condition, Or):
        parts = [_bounded(item, path) for item in condition.items]
        sound = [part for part in parts if part is not None]
        return frozenset().union(*sound) if len(sound) == len(parts) else None
    return None
