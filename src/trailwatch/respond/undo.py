"""The way back: what stood there before stands there again, step by step from the last to the first.

Where somebody changed a thing after the response did, nothing at all is restored unless that is asked for: what they
did may be the better repair.
"""

from __future__ import annotations

import msgspec

from trailwatch.errors import ActionError, StoreError
from trailwatch.model.response import EntryKind, Plan, State, Step, StepKind
from trailwatch.ports import Journal
from trailwatch.respond.apply import Equipment, action_of, make
from trailwatch.respond.progress import Progress, Standing, Writer, read_progress

PLANS_ASKED = 500
"""So many of the newest plans are looked at for what leans on another."""


class Conflict(msgspec.Struct, frozen=True):
    """A thing that stands neither as the response left it nor as it stood before."""

    step: int
    does: str
    """What the step did, in words."""
    expected: State
    found: State
    why: str = ""
    """Why it cannot even be looked at; empty where it can."""


class Undone(msgspec.Struct, frozen=True):
    """What became of undoing a plan."""

    plan: Plan
    restored: int
    """Steps that were taken back now or before."""
    calls: int
    conflicts: tuple[Conflict, ...] = ()
    """Where there are any and `force` was not given, nothing was restored."""
    failed: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    """What the steps did that nobody can take back."""


def undo(plan_id: str, tools: Equipment, who: str, *, force: bool = False) -> Undone:
    """Restores what a plan changed; asked again after it was cut off, it goes on.

    Args:
        plan_id: the whole id.
        tools: what it works with.
        who: who asks for it.
        force: restore also what somebody changed since.

    Raises:
        StoreError: the journal knows no such plan, or cannot be written.
    """
    progress = read_progress(tools.journal, plan_id)
    if progress is None:
        raise StoreError(f"plan {plan_id}", "the journal does not know it", "`trailwatch respond status` lists plans")
    writer = Writer(tools.journal, plan_id, who, tools.clock, progress.next_number)
    return _WayBack(progress, tools, writer).go(force=force)


def relied_on(progress: Progress, journal: Journal) -> list[tuple[str, str]]:
    """Other plans that found done what undoing this one takes back: their ids, and what it is in words.

    A plan about somebody who is locked already changes nothing, and leans on the lock that is there.
    """
    mine = {
        _thing(step): step.does
        for step, state in zip(progress.plan.steps, progress.steps, strict=True)
        if step.kind is StepKind.CHANGE and state.changed and state.standing is not Standing.UNDONE
    }
    found = []
    for plan_id in journal.latest(PLANS_ASKED):
        other = read_progress(journal, plan_id) if plan_id != progress.plan.id else None
        if other is None or other.undone:
            continue
        for step, state in zip(other.plan.steps, other.steps, strict=True):
            if step.kind is StepKind.CHANGE and state.touched and not state.changed and _thing(step) in mine:
                found.append((plan_id, mine[_thing(step)]))
    return found


def _thing(step: Step) -> tuple[str, str, str, tuple[tuple[str, str], ...]]:
    return step.lever, step.account, step.region, tuple(sorted(step.thing.items()))


class _WayBack:
    def __init__(self, progress: Progress, tools: Equipment, writer: Writer) -> None:
        self._progress = progress
        self._tools = tools
        self._writer = writer
        self._calls = 0

    def go(self, *, force: bool) -> Undone:
        steps, states = self._progress.plan.steps, self._progress.steps
        stays = [
            step.does for step, one in zip(steps, states, strict=True) if step.kind is StepKind.FINAL and one.changed
        ]
        changed = [at for at, one in enumerate(states) if steps[at].kind is StepKind.CHANGE and one.changed]
        wanted = [at for at in reversed(changed) if states[at].standing is not Standing.UNDONE]
        conflicts = self._conflicts(wanted)
        if conflicts and not force:
            for one in conflicts:
                why = one.why or "somebody changed it since"
                content = {"found": one.found, "expected": one.expected, "why": why}
                self._writer.write(EntryKind.UNDO_REFUSED, one.step, **content)
            return Undone(self._progress.plan, 0, 0, tuple(conflicts), stays=tuple(stays))
        failed = []
        for at in wanted:
            try:
                self._restore(at, forced=any(one.step == at for one in conflicts))
            except ActionError as error:
                self._writer.write(EntryKind.FAILED, at, error=str(error))
                failed.append(f"{steps[at].does}: {error}")
        if not failed and (self._calls or not self._progress.undone):
            self._writer.write(EntryKind.UNDONE)
        restored = len(changed) - len(failed)
        return Undone(self._progress.plan, restored, self._calls, tuple(conflicts), tuple(failed), tuple(stays))

    def _conflicts(self, wanted: list[int]) -> list[Conflict]:
        found = []
        for at in wanted:
            step, state = self._progress.plan.steps[at], self._progress.steps[at]
            try:
                now = self._look(at)
            except ActionError as error:
                found.append(Conflict(at, step.does, state.wanted, None, str(error)))
                continue
            if now not in (state.wanted, state.before):
                found.append(Conflict(at, step.does, state.wanted, now))
        return found

    def _restore(self, at: int, *, forced: bool) -> None:
        step, state = self._progress.plan.steps[at], self._progress.steps[at]
        now = self._look(at)
        calls = action_of(step, self._tools.actions).revert(step, now, state.before)
        if calls:
            content = {"found": now, "wanted": state.before, "calls": calls, "forced": forced}
            self._writer.write(EntryKind.UNDO_BEGUN, at, **content)
        for call in calls:
            make(call, at, self._tools.cloud, self._writer)
            self._calls += 1
        self._writer.write(EntryKind.UNDONE, at, state=state.before)

    def _look(self, at: int) -> State:
        step = self._progress.plan.steps[at]
        return action_of(step, self._tools.actions).verify(step, self._tools.cloud)
