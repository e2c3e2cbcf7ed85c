"""Plans, and what became of them, as JSON rows and as pages; every text escaped for where it goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from trailwatch.cli.scan_output import iso
from trailwatch.model.inert import for_terminal
from trailwatch.model.response import Call, Plan, Step, StepKind

if TYPE_CHECKING:
    from collections import Counter

    from trailwatch.respond.progress import Progress
    from trailwatch.respond.radius import Radius, Use

_SHOWN = 8
"""Of sessions, addresses and so on, the most frequent ones."""
_LISTED = 40
_VALUE_SHOWN = 160
_COUNTED = ("sessions", "services", "calls", "regions", "addresses", "agents")


def plan_row(plan: Plan, radius: Radius | None = None, notes: Iterable[str] = ()) -> dict[str, Any]:
    """Everything that a plan says."""
    return {
        "plan": plan.id,
        "created": iso(plan.created),
        "cause": plan.cause,
        "playbooks": list(plan.playbooks),
        "targets": [str(target) for target in plan.targets],
        "steps": [_step_row(number, step) for number, step in enumerate(plan.steps, 1)],
        "cuts": list(plan.cuts),
        "cannot": list(plan.cannot),
        "humans": list(plan.humans),
        "notes": list(notes),
        "problems": list(plan.problems),
        "radius": None if radius is None else _radius_row(radius),
    }


def _step_row(number: int, step: Step) -> dict[str, Any]:
    return {
        "number": number,
        "does": step.does,
        "action": step.action,
        "kind": step.kind.value,
        "reversible": step.reversible,
        "account": step.account,
        "region": step.region,
        "thing": step.thing,
        "found": step.found,
        "wanted": step.wanted,
        "calls": [_call_row(call) for call in step.calls],
    }


def _call_row(call: Call) -> dict[str, Any]:
    return {
        "call": call.title,
        "account": call.account,
        "region": call.region,
        "parameters": call.parameters,
    }


def _radius_row(radius: Radius) -> dict[str, Any]:
    return {
        "since": iso(radius.since),
        "until": iso(radius.until),
        "uses": [
            {
                "target": str(use.target),
                "events": use.events,
                "first": iso(use.first) if use.events else "",
                "last": iso(use.last) if use.events else "",
                **{name: dict(getattr(use, name).most_common()) for name in _COUNTED},
            }
            for use in radius.uses
        ],
        "unknown": list(radius.unknown),
    }


def plan_page(plan: Plan, radius: Radius | None = None, notes: Iterable[str] = ()) -> Iterator[str]:
    """A plan as lines for a terminal."""
    calls = sum(len(step.calls) for step in plan.steps)
    yield for_terminal(
        f"Plan {plan.id} for {plan.cause}: {calls} call{'' if calls == 1 else 's'} that change something"
    )
    if plan.playbooks:
        yield f"  playbooks: {', '.join(map(for_terminal, plan.playbooks))}"
    if plan.steps:
        yield ""
        yield "In this order:"
        for number, step in enumerate(plan.steps, 1):
            yield from _step_lines(number, step)
    yield from _list("What it cuts off", plan.cuts)
    if radius is not None:
        yield from _radius_lines(radius)
    yield from _list("What it does not reach", plan.cannot)
    yield from _list("What only people can do", plan.humans)
    yield from _list("Also look at", notes)
    yield from _list("What could not be found out", plan.problems)
    if not plan.steps and not plan.humans:
        yield ""
        yield "Nothing can be done."


def _step_lines(number: int, step: Step) -> Iterator[str]:
    yield for_terminal(f"  {number:>2}. {step.does}")
    if step.kind is StepKind.EVIDENCE:
        yield "        only reads; the journal keeps it as evidence"
        return
    for call in step.calls:
        yield for_terminal(
            f"        {call.title}  {_parameters(call)}" + (f"  in {call.region}" if call.region else "")
        )
    if not step.calls:
        yield "        nothing to call: it is so already"
    if not step.reversible:
        yield "        CANNOT BE UNDONE"


def _parameters(call: Call) -> str:
    shown = (f"{name}={value}" for name, value in call.parameters.items())
    return " ".join(one if len(one) <= _VALUE_SHOWN else one[: _VALUE_SHOWN - 3] + "..." for one in shown)


def _radius_lines(radius: Radius) -> Iterator[str]:
    if not radius.uses:
        return
    yield ""
    yield f"Who uses it, in the archive from {iso(radius.since)} to {iso(radius.until)}:"
    for use in radius.uses:
        yield from _use_lines(use)
    yield from (f"  unknown: {for_terminal(one)}" for one in radius.unknown)


def _use_lines(use: Use) -> Iterator[str]:
    if not use.events:
        yield for_terminal(f"  {use.target}: no events")
        return
    yield for_terminal(f"  {use.target}: {use.events:,} events, the first {iso(use.first)}, the last {iso(use.last)}")
    for name in _COUNTED:
        counter: Counter[str] = getattr(use, name)
        listed = ", ".join(f"{value} ({count:,})" for value, count in counter.most_common(_SHOWN))
        more = f", and {len(counter) - _SHOWN:,} more" if len(counter) > _SHOWN else ""
        if listed:
            yield for_terminal(f"    {name:<10} {listed}{more}")


def _list(title: str, lines: Iterable[str]) -> Iterator[str]:
    known = list(lines)
    if not known:
        return
    yield ""
    yield f"{title}:"
    yield from (f"  - {for_terminal(line)}" for line in known[:_LISTED])
    if len(known) > _LISTED:
        yield f"  ... and {len(known) - _LISTED:,} more; --format json has them all"


def progress_row(progress: Progress) -> dict[str, Any]:
    """How far a plan got."""
    plan = progress.plan
    return {
        "plan": plan.id,
        "created": iso(plan.created),
        "cause": plan.cause,
        "standing": progress.standing,
        "who": progress.who,
        "why": progress.why,
        "steps": [
            {
                **_step_row(number, step),
                "standing": state.standing.value,
                "before": state.before,
                "wanted": state.wanted if state.touched else step.wanted,
                "error": state.error,
            }
            for number, (step, state) in enumerate(zip(plan.steps, progress.steps, strict=True), 1)
        ],
    }


def progress_page(progress: Progress) -> Iterator[str]:
    """The same as lines for a terminal."""
    plan = progress.plan
    yield for_terminal(f"Plan {plan.id} for {plan.cause}: {progress.standing}")
    yield for_terminal(f"  by {progress.who} at {iso(plan.created)}" + (f": {progress.why}" if progress.why else ""))
    yield ""
    for number, (step, state) in enumerate(zip(plan.steps, progress.steps, strict=True), 1):
        yield for_terminal(f"  {number:>2}. {state.standing.value:<8} {step.does}")
        if state.error:
            yield for_terminal(f"      {state.error}")
