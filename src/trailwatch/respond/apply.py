"""Carrying out a plan: every step is written into the journal before its call and after it.

A step asks how its thing stands and makes only the calls that are missing, so a plan may be applied again at any
time: after a crash it goes on, and where everything holds it changes nothing. One step that fails never keeps the
others from being taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, timedelta

import msgspec

from trailwatch.errors import ActionError, UsageError
from trailwatch.model.response import Call, EntryKind, Plan, State, Step, StepKind
from trailwatch.ports import Action, Clock, Cloud, Journal
from trailwatch.respond.cloud import request_of
from trailwatch.respond.lever import at_time
from trailwatch.respond.progress import Progress, Standing, StepProgress, Writer, read_progress

PAUSE_SECONDS = 5.0
"""Between two looks at what was changed; IAM takes about so long to spread."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of a plan."""

    plan: Plan
    good: int
    """Steps that hold."""
    calls: int
    """Calls that changed something and succeeded."""
    failed: tuple[str, ...] = ()
    """What each step that failed would have done, and why it could not."""
    again: int = 0
    """Steps that did not hold when they were looked at once more, and were taken again."""


class Equipment(msgspec.Struct, frozen=True):
    """What applying and undoing work with."""

    journal: Journal
    cloud: Cloud
    actions: Mapping[str, Action]
    clock: Clock
    stopped: Callable[[], str] = str
    """Why nothing may be done now, asked before every step; empty where nothing is against it."""
    margin_seconds: float = 0.0
    """So far beyond the moment of the change lies the time that stands for it in a wanted state."""
    recheck_seconds: float = 0.0
    """So long what was changed is looked at again."""


def apply(plan: Plan, tools: Equipment, who: str, why: str = "") -> Outcome:
    """Takes every step of the plan that is not taken yet, then looks whether they hold.

    Raises:
        UsageError: responses are stopped, or the plan was undone.
        StoreError: the journal cannot be written, so nothing more is called.
    """
    progress = read_progress(tools.journal, plan.id)
    if progress is not None and progress.undone:
        raise UsageError(f"plan {plan.id}", "it was undone", "make a new plan from what is there now")
    _refuse_when_stopped(tools)
    writer = Writer(tools.journal, plan.id, who, tools.clock, progress.next_number if progress else 0)
    if progress is None:
        writer.write(EntryKind.PLANNED, plan=plan, why=why)
        progress = Progress(plan, who, why, [StepProgress() for _ in plan.steps], 1)
    return _Application(progress, tools, writer).run()


def _refuse_when_stopped(tools: Equipment) -> None:
    reason = tools.stopped()
    if reason:
        raise UsageError("respond", reason, "`trailwatch respond freeze off` lets responses go on")


class _Application:
    def __init__(self, progress: Progress, tools: Equipment, writer: Writer) -> None:
        self._progress = progress
        self._tools = tools
        self._writer = writer
        self._calls = 0
        self._again = 0

    def run(self) -> Outcome:
        steps = self._progress.plan.steps
        for at in range(len(steps)):
            _refuse_when_stopped(self._tools)
            self._take(at)
        if self._calls:
            self._look_again()
        states = self._progress.steps
        good = sum(one.standing is Standing.DONE for one in states)
        failed = [
            f"{step.does}: {one.error}"
            for step, one in zip(steps, states, strict=True)
            if one.standing is Standing.FAILED
        ]
        if self._calls or not self._progress.finished:
            self._writer.write(EntryKind.FINISHED, good=good, failed=len(failed))
        return Outcome(self._progress.plan, good, self._calls, tuple(failed), self._again)

    def _take(self, at: int) -> bool:
        """Whether the step had to be taken, because its thing did not stand as wanted."""
        step, state = self._progress.plan.steps[at], self._progress.steps[at]
        if step.kind is not StepKind.CHANGE and state.standing is Standing.DONE:
            return False  # evidence is of one moment, and what is final is done once
        try:
            found = self._action(step).verify(step, self._tools.cloud)
            if step.kind is StepKind.EVIDENCE:
                self._write(EntryKind.EVIDENCE, at, Standing.DONE, state=found)
                return False
            return self._set(at, found)
        except ActionError as error:
            self._write(EntryKind.FAILED, at, Standing.FAILED, error=str(error))
            state.error = str(error)
            return False

    def _set(self, at: int, found: State) -> bool:
        step, state = self._progress.plan.steps[at], self._progress.steps[at]
        wanted = state.wanted if state.touched else at_time(step.wanted, self._moment())
        if found == wanted and state.standing is Standing.DONE:
            return False
        calls = self._action(step).apply(step, found, wanted)
        if not state.touched or calls:
            before = state.before if state.touched else found
            self._write(EntryKind.BEGUN, at, Standing.BEGUN, before=before, wanted=wanted, calls=calls)
            state.touched, state.before, state.wanted = True, before, wanted
        self._make(at, calls)
        self._write(EntryKind.DONE, at, Standing.DONE, state=wanted)
        return bool(calls)

    def _make(self, at: int, calls: Sequence[Call]) -> None:
        for call in calls:
            make(call, at, self._tools.cloud, self._writer)
            self._calls += 1

    def _look_again(self) -> None:
        """What was changed is looked at while IAM spreads it; whatever does not hold is set again."""
        clock = self._tools.clock
        end = clock.monotonic() + self._tools.recheck_seconds
        while (left := end - clock.monotonic()) > 0:
            clock.sleep(min(PAUSE_SECONDS, left))
            if self._tools.stopped():
                return
            for at, state in enumerate(self._progress.steps):
                kind = self._progress.plan.steps[at].kind
                if state.standing is Standing.DONE and kind is StepKind.CHANGE:
                    self._again += self._take(at)

    def _moment(self) -> str:
        moment = self._tools.clock.now().astimezone(UTC) + timedelta(seconds=self._tools.margin_seconds)
        return f"{moment:%Y-%m-%dT%H:%M:%SZ}"

    def _action(self, step: Step) -> Action:
        return action_of(step, self._tools.actions)

    def _write(self, kind: EntryKind, at: int, standing: Standing, **content: object) -> None:
        self._writer.write(kind, at, **content)
        self._progress.steps[at].standing = standing


def action_of(step: Step, actions: Mapping[str, Action]) -> Action:
    """The action that takes a step.

    Raises:
        ActionError: this trailwatch has none of that name.
    """
    try:
        return actions[step.action]
    except KeyError:
        raise ActionError(step.action, "there is no such action", "use the trailwatch that made the plan") from None


def make(call: Call, at: int, cloud: Cloud, writer: Writer) -> None:
    """One call and its entry.

    Raises:
        ActionError: it did not succeed; that is in the journal then.
    """
    try:
        answer = cloud.call(call)
    except ActionError as error:
        _write_called(call, at, cloud, writer, error.request, str(error))
        raise
    _write_called(call, at, cloud, writer, request_of(answer))


def _write_called(call: Call, at: int, cloud: Cloud, writer: Writer, request: str, error: str = "") -> None:
    caller = cloud.identity(call.account) if request else ""  # known already where AWS answered
    writer.write(EntryKind.CALLED, at, call=call, error=error, request=request, caller=caller)
