"""How far a response got: everything follows from the journal's entries of its plan."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec

from trailwatch.errors import StoreError
from trailwatch.model.response import Entry, EntryKind, Plan, State
from trailwatch.ports import Clock, Journal


class Standing(enum.Enum):
    """Where a step stands."""

    WAITING = "waiting"
    """Nothing was done for it."""
    BEGUN = "begun"
    """It was cut off on the way: whether its call reached AWS is not known."""
    DONE = "done"
    FAILED = "failed"
    UNDOING = "undoing"
    """It was cut off on the way back."""
    UNDONE = "undone"


class StepProgress(msgspec.Struct):
    """What the journal says of one step."""

    standing: Standing = Standing.WAITING
    touched: bool = False
    """Whether a call may have been made for it, so that `before` counts."""
    before: State = None
    """How the thing stood before the first call."""
    wanted: State = None
    """The state that was set, with its time in it."""
    error: str = ""

    @property
    def changed(self) -> bool:
        """Whether there is something to restore: a thing that already stood as wanted was left alone."""
        return self.touched and self.before != self.wanted


class Progress(msgspec.Struct):
    """What the journal says of a plan."""

    plan: Plan
    who: str
    why: str
    steps: list[StepProgress]
    next_number: int
    undone: bool = False
    """Whether it was undone, wholly or up to where that was cut off."""
    finished: bool = False

    @property
    def standing(self) -> str:
        """`undone`, `applied`, `failed in part` or `cut off`."""
        changes = [one for one, step in zip(self.steps, self.plan.steps, strict=True) if step.reversible]
        if self.undone:
            halfway = any(one.changed and one.standing is not Standing.UNDONE for one in changes)
            return "undone in part" if halfway else "undone"
        if any(one.standing is Standing.FAILED for one in self.steps):
            return "failed in part"
        return "applied" if self.finished else "cut off"


def read_progress(journal: Journal, plan_id: str) -> Progress | None:
    """How far a plan got; None for one that the journal does not know.

    Raises:
        StoreError: the journal cannot be read, or its first entry holds no plan.
    """
    entries = journal.entries(plan_id)
    return progress_of(entries) if entries else None


def progress_of(entries: Sequence[Entry]) -> Progress:
    """The same from the entries, in order, at least one."""
    first = entries[0]
    try:
        plan = msgspec.convert(first.content.get("plan"), Plan)
    except msgspec.ValidationError as error:
        raise StoreError(f"plan {first.plan_id}", f"its first entry holds no plan: {error}") from error
    why = str(first.content.get("why", ""))
    progress = Progress(plan, first.who, why, [StepProgress() for _ in plan.steps], entries[-1].number + 1)
    for entry in entries:
        _fold(progress, entry)
    return progress


def _fold(progress: Progress, entry: Entry) -> None:
    content = entry.content
    if entry.kind is EntryKind.FINISHED:
        progress.finished = True
    if entry.kind is EntryKind.UNDONE:
        progress.undone = True
    if entry.step < 0:
        return
    step = progress.steps[entry.step]
    match entry.kind:
        case EntryKind.BEGUN:
            if not step.touched:
                step.before = content["before"]
            step.touched, step.wanted, step.standing = True, content["wanted"], Standing.BEGUN
        case EntryKind.DONE | EntryKind.EVIDENCE:
            step.standing, step.error = Standing.DONE, ""
        case EntryKind.FAILED:
            step.standing, step.error = Standing.FAILED, str(content.get("error", ""))
        case EntryKind.UNDO_BEGUN:
            step.standing, progress.undone = Standing.UNDOING, True
        case EntryKind.UNDONE:
            step.standing = Standing.UNDONE
        case _:
            pass


class Writer:
    """Appends a plan's entries, numbered one after the other."""

    def __init__(self, journal: Journal, plan_id: str, who: str, clock: Clock, number: int = 0) -> None:
        self._journal = journal
        self._plan_id = plan_id
        self._who = who
        self._clock = clock
        self._number = number

    def write(self, kind: EntryKind, step: int = -1, **content: object) -> None:
        """One more entry; it lasts when this returns.

        Raises:
            StoreError: it cannot be kept, or another process works on this plan.
        """
        time = int(self._clock.now().timestamp())
        plain = msgspec.to_builtins(content)
        self._journal.append(Entry(self._plan_id, self._number, time, kind, self._who, step, plain))
        self._number += 1
