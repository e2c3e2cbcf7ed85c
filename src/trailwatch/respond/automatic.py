"""Responding without a person: from trusted events to cases, and from cases to plans that are carried out.

A case is about one target. It is opened once, by events that prove who called or what was made; the guard is asked
when it is opened and again right before the first call. Every change of a case is kept together with the message that
tells of it, and only whoever kept the change that begins it carries it out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from trailwatch.config.automatic import AutomaticSettings
from trailwatch.decode.records import to_mapping
from trailwatch.detect.incidents import score
from trailwatch.errors import ActionError, DecodeError, SourceError, UsageError
from trailwatch.model.alert import Alert
from trailwatch.model.caps import Caps
from trailwatch.model.case import OPEN, Case, CaseState
from trailwatch.model.incident import Incident
from trailwatch.model.message import Message
from trailwatch.model.provenance import Provenance
from trailwatch.model.response import Order, Plan, StepKind, Target
from trailwatch.respond.apply import Equipment, apply
from trailwatch.respond.automatic_words import message_of
from trailwatch.respond.choose import Chooser, Chosen
from trailwatch.respond.guard import distrust, protection, ungrounded
from trailwatch.respond.held import held_of
from trailwatch.respond.plan import Drafting, make_plan
from trailwatch.respond.progress import read_progress

WHO = "automatic"
AGAIN_SECONDS = 86400
"""So long a decision about a target holds, unless it turns out that what was done does not hold."""
SPREAD_SECONDS = 120
"""IAM needs time until a change counts everywhere; calls until then do not show that it does not hold."""
LEASE_SECONDS = 300
"""After that whoever began a case is surely gone."""
SETTLED = (CaseState.DECLINED, CaseState.EXPIRED)


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

    def take(self, plan_id: str, now: int, caps: Caps) -> str:
        """Takes one of the responses that the caps leave, once for each plan; why there is none, or empty."""


class Answer(msgspec.Struct, frozen=True):
    """What somebody said to a case that waits."""

    approved: bool
    who: str


class Candidate(msgspec.Struct, frozen=True):
    """Alerts that belong together."""

    alerts: tuple[Alert, ...]
    thread: str
    """The conversation that they are told in: an incident's id, or a principal."""
    incident: Incident | None = None
    provenance: Mapping[str, Provenance] = {}
    """By event id, the way on which an event came."""
    otherwise: Provenance = Provenance.FILE
    """The way of all others."""


class Automatic:
    """Automatic response.

    Args:
        settings: what the user allows.
        chooser: asks the playbooks that may run by themselves, and no others.
        cases: where cases are kept.
        drafting: what plans are made with.
        equipment: what they are carried out with; its `stopped` is the freeze.
        own: gives the ARNs of whom trailwatch itself reads as; who acts is asked besides.
        answers: what people said to a case that waits.
    """

    def __init__(
        self,
        settings: AutomaticSettings,
        chooser: Chooser,
        cases: Cases,
        drafting: Drafting,
        equipment: Equipment,
        own: Callable[[], Sequence[str]],
        answers: Callable[[Case], Answer | None] = lambda _case: None,
    ) -> None:
        self._settings = settings
        self._chooser = chooser
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
        trusted = [one for alert in candidate.alerts if (one := self._trusted(alert, candidate)) is not None]
        if not trusted:
            return
        points = score(trusted, {})
        incident = candidate.incident
        if incident is not None:  # what others provoked must not make it worse than it is
            points = min(points, incident.score)
            incident = msgspec.structs.replace(incident, alerts=tuple(trusted), score=points)
        by_target: dict[Target, list[Order]] = {}
        for order in self._chooser.choose(trusted, incident).orders:
            if self._is_meant(order, trusted, points):
                by_target.setdefault(msgspec.structs.replace(order.target, evidence=b""), []).append(order)
        times = {one.event_id: one.time for alert in trusted for one in alert.evidence}
        for target, orders in by_target.items():
            newest = max(times[order.event_id] for order in orders)
            self._open(target, orders, candidate, newest)

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
                resumed = msgspec.structs.replace(case, until=now + LEASE_SECONDS)
                if self._keep(resumed, tell=False):
                    self._carry_out(_next(resumed), case.plan)

    def _trusted(self, alert: Alert, candidate: Candidate) -> Alert | None:
        """The alert with only those of its events that can be trusted; None where there is none."""
        now = self._now()
        kept = []
        for one in alert.evidence:
            way = candidate.provenance.get(one.event_id, candidate.otherwise)
            try:
                if not distrust(to_mapping(one.record), way, now, self._settings):
                    kept.append(one)
            except DecodeError:
                continue  # of a correlation, or cut short
        return msgspec.structs.replace(alert, evidence=tuple(kept)) if kept else None

    def _is_meant(self, order: Order, trusted: Iterable[Alert], points: int) -> bool:
        playbook = self._settings.playbooks.get(order.playbook)
        if playbook is None or points < playbook.min_score:
            return False
        if max(alert.severity for alert in trusted) < playbook.min_severity:
            return False
        return not ungrounded(order.target, to_mapping(order.target.evidence))

    def _open(self, target: Target, orders: Sequence[Order], candidate: Candidate, newest: int) -> None:
        now, case_id = self._now(), case_id_of(target)
        before = self._cases.find(case_id)
        if before is not None and self._stands(before, newest, now):
            return
        asked = [self._settings.playbooks[name] for name in dict.fromkeys(order.playbook for order in orders)]
        patience = int(max(one.approval for one in asked))
        case = Case(
            id=case_id,
            target=target,
            orders=tuple(orders),
            playbooks=tuple(dict.fromkeys(order.playbook for order in orders)),
            cause=_cause(candidate),
            thread=candidate.thread,
            state=CaseState.WAITING if patience else CaseState.APPROVED,
            changed=now,
            evidence=newest,
            until=now + patience if patience else 0,
            acts_unasked=all(one.on_silence == "act" for one in asked),
            version=before.version if before else 0,
        )
        reason = self._against(case)
        if reason:
            refused = before is not None and before.state is CaseState.REFUSED and before.reason == reason
            if not refused or (before is not None and now - before.changed >= AGAIN_SECONDS):
                self._refuse(case, reason)
        elif self._keep(case, tell=patience > 0) and not patience:
            self._begin(_next(case))

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
            self._begin(_next(decided))

    def _begin(self, case: Case) -> None:
        """Carries out an approved case, unless the guard is against it by now."""
        now = self._now()
        reason = self._against(case)
        if reason:
            self._refuse(case, reason)
            return
        plan = make_plan(case.cause, Chosen(case.orders, case.playbooks), self._drafting, now)
        if problem := _unfit(plan, case.target):
            self._keep(msgspec.structs.replace(case, state=CaseState.FAILED, changed=now, reason=problem, plan=plan))
            return
        begun = msgspec.structs.replace(
            case, state=CaseState.BEGUN, changed=now, until=now + LEASE_SECONDS, plan=plan, reason=""
        )
        if self._keep(begun, tell=False):
            self._carry_out(_next(begun), plan)

    def _carry_out(self, case: Case, plan: Plan) -> None:
        caps = Caps(self._settings.per_hour, self._settings.per_day)
        full = self._cases.take(plan.id, self._now(), caps)
        if full:
            self._refuse(msgspec.structs.replace(case, plan=None), f"the cap is reached: {full}")
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
        return self._cases.keep(case, message_of(_next(case), self._now()) if tell else None)

    def _now(self) -> int:
        return int(self._equipment.clock.now().timestamp())


def case_id_of(target: Target) -> str:
    """12 hex digits; the same for the same target, whatever led to it."""
    return hashlib.sha256(f"case\0{target}".encode("utf-8", "surrogatepass")).hexdigest()[:12]


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
    if not cases.keep(decided, None if answer.approved else message_of(_next(decided), now)):
        raise UsageError(f"case {case_id}", "somebody else answered at the same moment", "look at it again")
    return _next(decided)


def _next(case: Case) -> Case:
    """The case as it is once it was kept."""
    return msgspec.structs.replace(case, version=case.version + 1)


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


def _cause(candidate: Candidate) -> str:
    if candidate.incident is not None:
        return f"incident {candidate.incident.id}"
    return "alert " + ", ".join(alert.id[:12] for alert in candidate.alerts)
