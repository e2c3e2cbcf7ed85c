"""Cases: where they are kept, how they are called, and what people answer to them."""

from __future__ import annotations

import hashlib
from typing import Protocol

import msgspec

from trailwatch.errors import UsageError
from trailwatch.model.caps import Caps
from trailwatch.model.case import Case, CaseState
from trailwatch.model.message import Message
from trailwatch.model.response import Target
from trailwatch.respond.automatic_words import message_of


class Cases(Protocol):
    """Where cases are kept."""

    def find(self, case_id: str) -> Case | None:
        """The case as it is now."""

    def open(self) -> list[Case]:
        """Those in which something is still to come, the oldest first."""

    def keep(self, case: Case, message: Message | None) -> bool:
        """Keeps the case together with what is to be told of it.

        False, with nothing kept, where somebody else kept it since it was read.
        """

    def full(self, now: int, caps: Caps) -> str:
        """Why the caps leave nothing by now; empty where they leave something."""

    def take(self, plan_id: str, now: int, caps: Caps) -> str:
        """Takes one of the responses that the caps leave, once for each plan; why there is none, or empty."""


class Answer(msgspec.Struct, frozen=True):
    """What somebody said to a case that waits."""

    approved: bool
    who: str


def case_id_of(target: Target) -> str:
    """12 hex digits; the same for the same target, whatever led to it."""
    plain = msgspec.structs.replace(target, of=tuple(part for part in target.of if part[0] != "path"))
    return hashlib.sha256(f"case\0{plain}".encode("utf-8", "surrogatepass")).hexdigest()[:12]


def decided_case(case: Case, answer: Answer, now: int) -> Case:
    """A waiting case after somebody answered."""
    state = CaseState.APPROVED if answer.approved else CaseState.DECLINED
    return msgspec.structs.replace(case, state=state, changed=now, decided_by=answer.who)


def decide(cases: Cases, case_id: str, answer: Answer, now: int) -> Case:
    """The case after somebody answered; what was approved is carried out by whoever settles cases next.

    Raises:
        UsageError: there is no such case, or it does not wait.
        StoreError: cases cannot be kept.
    """
    case = cases.find(case_id)
    if case is None:
        raise UsageError(f"case {case_id}", "there is no such case", "the message that asks for approval names it")
    if case.state is not CaseState.WAITING or now >= case.until:
        state = "expired" if case.state is CaseState.WAITING else case.state.value
        raise UsageError(
            f"case {case_id}", f"it does not wait, it is {state}", "`trailwatch respond plan` makes a plan"
        )
    decided = decided_case(case, answer, now)
    if not cases.keep(decided, None if answer.approved else message_of(kept_once_more(decided), now)):
        raise UsageError(f"case {case_id}", "somebody else answered at the same moment", "look at it again")
    return kept_once_more(decided)


def kept_once_more(case: Case) -> Case:
    """The case as it is once it was kept."""
    return msgspec.structs.replace(case, version=case.version + 1)
