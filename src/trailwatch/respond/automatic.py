"""Responding without a person: from trusted events to cases, and from cases to plans that are carried out.

A case is about one target. It is opened once, by events that prove who called or what was made; the guard is asked
when it is opened and again right before the first call. Every change of a case is kept together with the message that
tells of it, and only whoever kept the change that begins it carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from trailwatch.config.automatic import AutomaticSettings
from trailwatch.errors import ActionError, SourceError, UsageError
from trailwatch.model.caps import Caps
from trailwatch.model.case import OPEN, Case, CaseState
from trailwatch.model.response import Plan, StepKind, Target
from trailwatch.respond.apply import Equipment, apply
from trailwatch.respond.automatic_words import message_of
from trailwatch.respond.cases import Answer, Cases, case_id_of, decided_case, kept_once_more
from trailwatch.respond.choose import Chosen
from trailwatch.respond.guard import protection
from trailwatch.respond.held import held_of
from trailwatch.respond.plan import Drafting, make_plan
from trailwatch.respond.progress import read_progress
from trailwatch.respond.sieve import Candidate, Proven, Sieve

WHO = "automatic"
AGAIN_SECONDS = 86400
"""So long a decision about a target holds, unless it turns out that what was done does not hold."""
SPREAD_SECONDS = 120
"""IAM needs time until a change counts everywhere; calls until then do not show that it does not hold."""
LEASE_SECONDS = 300
"""After that whoever began a case is surely gone."""
FULL = "the cap is reached: "
SETTLED = (CaseState.DECLINED, CaseState.EXPIRED)


class Automatic:
    """Automatic response.

    Args:
        settings: what the user allows.
        sieve: says whom events prove something against.
        cases: where cases are kept.
        drafting: what plans are made with.
        equipment: what they are carried out with; its `stopped` is the freeze.
        own: gives the ARNs of whom trailwatch itself reads as; who acts is asked besides.
        answers: what people said to a case that waits.
    """

    def __init__(
        self,
        settings: AutomaticSettings,
        sieve: Sieve,
        cases: Cases,
        drafting: Drafting,
        equipment: Equipment,
        own: Callable[[], Sequence[str]],
        answers: Callable[[Case], Answer | None] = lambda _case: None,
    ) -> None:
        self._settings = settings
        self._caps = Caps(settings.per_hour, settings.per_day)
        self._sieve = sieve
        self._cases = cases
        self._drafting = drafting
        self._equipment = equipment
        self._own = own
        self._answers = answers

    def consider(self, candidate: Candidate) -> None:
        """Opens a case for each target that playbooks name, and carries out what nobody has to approve.

        Raises:
            StoreError: cases or the journal cannot be kept.
        """
        for found in self._sieve.targets(candidate, self._now()):
            self._open(found, candidate)

    def settle(self) -> None:
        """Goes on with every case in which something is to come: answers, ends of waiting, what was cut off.

        Raises:
            StoreError: cases or the journal cannot be kept.
        """
        now = self._now()
        for case in self._cases.open():
            if case.state is CaseState.WAITING:
                self._wait(case, now)
            elif case.state is CaseState.APPROVED:
                self._begin(case)
            elif now > case.until and case.plan is not None:
                self._resume(case, case.plan, now)

    def _open(self, found: Proven, candidate: Candidate) -> None:
        now, case_id = self._now(), case_id_of(found.target)
        before = self._cases.find(case_id)
        if before is not None and self._stands(before, found.newest, now):
            return
        playbooks = tuple(dict.fromkeys(order.playbook for order in found.orders))
        asked = [self._settings.playbooks[name] for name in playbooks]
        patience = int(max(one.approval for one in asked))
        case = Case(
            id=case_id,
            target=found.target,
            orders=found.orders,
            playbooks=playbooks,
            cause=candidate.cause,
            thread=candidate.thread,
            state=CaseState.WAITING if patience else CaseState.APPROVED,
            changed=now,
            evidence=found.newest,
            until=now + patience if patience else 0,
            acts_unasked=all(one.on_silence == "act" for one in asked),
            version=before.version if before else 0,
        )
        full = self._cases.full(now, self._caps)
        reason = self._against(case) or (full and FULL + full)
        if reason:
            known = before is not None and before.state is CaseState.REFUSED and before.reason == reason
            if not known or (before is not None and now - before.changed >= AGAIN_SECONDS):
                self._refuse(case, reason)
        elif self._keep(case, tell=patience > 0) and not patience:
            self._begin(kept_once_more(case))

    def _stands(self, before: Case, newest: int, now: int) -> bool:
        """Whether what was decided about the target still holds."""
        if before.state in OPEN:
            return True
        if before.state is CaseState.REFUSED or now - before.changed >= AGAIN_SECONDS:
            return False
        # whoever still calls after a lock-out was not locked out, unless a person let them in again
        return before.state in SETTLED or newest <= before.changed + SPREAD_SECONDS or self._was_undone(before)

    def _was_undone(self, case: Case) -> bool:
        progress = read_progress(self._equipment.journal, case.plan.id) if case.plan else None
        return progress is not None and progress.undone

    def _against(self, case: Case) -> str:
        """Why nothing may be done about the case's target now; empty where it may."""
        reason = self._equipment.stopped()
        if reason:
            return reason
        try:
            held = held_of(case.target, self._drafting.cloud)
            own = (*self._own(), self._drafting.cloud.identity(case.target.account))
        except (ActionError, SourceError) as error:
            return f"it cannot be found out whether it is protected: {error}"
        return protection(held, self._settings, own)

    def _wait(self, case: Case, now: int) -> None:
        answer = self._answers(case)
        if answer is not None:
            self._decide(case, answer, now)
        elif now >= case.until and case.acts_unasked:
            self._decide(case, Answer(approved=True, who="nobody, in the time there was"), now)
        elif now >= case.until:
            self._keep(msgspec.structs.replace(case, state=CaseState.EXPIRED, changed=now))

    def _decide(self, case: Case, answer: Answer, now: int) -> None:
        decided = decided_case(case, answer, now)
        if self._keep(decided, tell=not answer.approved) and answer.approved:
            self._begin(kept_once_more(decided))

    def _begin(self, case: Case) -> None:
        """Carries out an approved case, unless the guard is against it by now."""
        now = self._now()
        reason = self._against(case)
        if reason:
            self._refuse(case, reason)
            return
        plan = make_plan(case.cause, Chosen(case.orders, case.playbooks), self._drafting, now)
        if problem := _unfit(plan, case.target):
            self._keep(msgspec.structs.replace(case, state=CaseState.FAILED, changed=now, reason=problem))
            return
        begun = msgspec.structs.replace(
            case, state=CaseState.BEGUN, changed=now, until=now + LEASE_SECONDS, plan=plan, reason=""
        )
        if self._keep(begun, tell=False):
            self._carry_out(kept_once_more(begun), plan)

    def _resume(self, case: Case, plan: Plan, now: int) -> None:
        """Goes on with what was cut off; what was done so far stays, and can be undone."""
        reason = self._against(case)
        if reason:
            self._refuse(case, reason)
            return
        resumed = msgspec.structs.replace(case, until=now + LEASE_SECONDS)
        if self._keep(resumed, tell=False):
            self._carry_out(kept_once_more(resumed), plan)

    def _carry_out(self, case: Case, plan: Plan) -> None:
        full = self._cases.take(plan.id, self._now(), self._caps)
        if full:
            self._refuse(msgspec.structs.replace(case, plan=None), FULL + full)
            return
        why = f"{case.cause}; playbooks {', '.join(case.playbooks)}"
        if case.decided_by:
            why += f"; approved by {case.decided_by}"
        try:
            outcome = apply(plan, self._equipment, WHO, why)
        except UsageError as error:  # frozen meanwhile, or undone by a person
            self._refuse(case, str(error))
            return
        failed = "; ".join(outcome.failed)
        state = CaseState.FAILED if failed else CaseState.DONE
        self._keep(msgspec.structs.replace(case, state=state, changed=self._now(), reason=failed))

    def _refuse(self, case: Case, reason: str) -> None:
        refused = msgspec.structs.replace(case, state=CaseState.REFUSED, changed=self._now(), reason=reason)
        self._keep(refused)

    def _keep(self, case: Case, *, tell: bool = True) -> bool:
        return self._cases.keep(case, message_of(kept_once_more(case), self._now()) if tell else None)

    def _now(self) -> int:
        return int(self._equipment.clock.now().timestamp())


def _unfit(plan: Plan, target: Target) -> str:
    """Why a plan is nothing that may be carried out without a person; empty where it is."""
    changes = [step for step in plan.steps if step.kind is not StepKind.EVIDENCE]
    if not changes:
        return "; ".join((*plan.problems, *plan.cannot)) or "there is nothing that could be done"
    if any(not step.reversible for step in changes):
        return "the plan holds a step that nobody can take back"
    whose = {target.name, *(value for _, value in target.of)}
    for step in changes:
        for kind in ("user", "role", "group"):
            if step.account != target.account or step.thing.get(kind, target.name) not in whose:
                return f"a step of the plan is about somebody else: {step.does}"
    return ""
