"""What is told of a case: what was done or was not, why, and the line that takes it back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from trailwatch.model.case import Case, CaseState
from trailwatch.model.inert import for_terminal
from trailwatch.model.message import Kind, Message
from trailwatch.model.response import StepKind
from trailwatch.model.severity import Severity

_HEADLINES = {
    CaseState.DONE: "locked out automatically",
    CaseState.FAILED: "automatic response did not wholly succeed",
    CaseState.REFUSED: "not locked out automatically",
    CaseState.WAITING: "may this be locked out?",
    CaseState.EXPIRED: "not locked out, because nobody answered",
    CaseState.DECLINED: "not locked out, as somebody decided",
}


def message_of(case: Case, now: int) -> Message:
    """The message about a case as it is now; its id is the same whenever it is made of the same case.

    Args:
        case: its target may bear any name that an attacker likes.
        now: seconds since 1970.
    """
    about = for_terminal(str(case.target))
    waits = case.state is CaseState.WAITING
    return Message(
        id=hashlib.sha256(f"case\0{case.id}\0{case.version}".encode()).hexdigest()[:32],
        created=now,
        principal="",
        alerts=(),
        headline=f"{_HEADLINES[case.state]}: {about}",
        body="\n".join(for_terminal(line) for line in _lines(case, now)),
        kind=Kind.RESPONSE,
        thread=case.thread,
        commands=tuple(_commands(case)),
        level=Severity.HIGH if case.state in (CaseState.DECLINED, CaseState.EXPIRED) else Severity.CRITICAL,
        plan=case.id if waits else "",
    )


def _lines(case: Case, now: int) -> Iterator[str]:
    yield f"It answers {case.cause}, by playbook {', '.join(case.playbooks)}."
    if case.reason:
        yield f"Why: {case.reason}"
    if case.decided_by:
        verb = "Declined" if case.state is CaseState.DECLINED else "Approved"
        yield f"{verb} by {case.decided_by}."
    if case.state is CaseState.WAITING:
        minutes = max(1, round((case.until - now) / 60))
        otherwise = "it is done" if case.acts_unasked else "nothing is done"
        yield f"Planned: {', '.join(dict.fromkeys(order.action for order in case.orders))}."
        yield f"Answer within {minutes} min; without an answer {otherwise}."
    if case.state in (CaseState.DONE, CaseState.FAILED) and case.plan is not None:
        for step in case.plan.steps:
            if step.kind is not StepKind.EVIDENCE:
                yield f"- {step.does}"
        for title, entries in (("Not reached", case.plan.cannot), ("Cut off", case.plan.cuts)):
            if entries:
                yield f"{title}:"
                yield from (f"- {entry}" for entry in entries)
    if case.state in (CaseState.REFUSED, CaseState.EXPIRED):
        yield "A person may still do it: `trailwatch respond plan` shows what would be done."


def _commands(case: Case) -> Iterator[str]:
    if case.state is CaseState.WAITING:
        yield f"trailwatch respond approve {case.id}"
        yield f"trailwatch respond decline {case.id}"
    elif case.plan is not None:
        yield f"trailwatch respond undo {case.plan.id}"
