"""Case: one identity that something is to be done about without a person, and how far that got."""

from __future__ import annotations

import enum

import msgspec

from trailwatch.model.response import Order, Plan, Target


class CaseState(enum.Enum):
    REFUSED = "refused"
    """The guard was against it; a person may do it."""
    WAITING = "waiting"
    """Somebody is asked."""
    APPROVED = "approved"
    """Somebody said yes, or nobody had to; it is done next."""
    DECLINED = "declined"
    """Somebody said no."""
    EXPIRED = "expired"
    """Nobody answered in time, and then nothing is done."""
    BEGUN = "begun"
    """It is being done; if that was cut off, it goes on."""
    DONE = "done"
    FAILED = "failed"
    """Some step of it could not be done."""


OPEN = (CaseState.WAITING, CaseState.APPROVED, CaseState.BEGUN)
"""States in which something is still to come."""


class Case(msgspec.Struct, frozen=True):
    """What automatic response keeps of one target."""

    id: str
    target: Target
    orders: tuple[Order, ...]
    playbooks: tuple[str, ...]
    cause: str
    """What it answers, in words."""
    thread: str
    """The conversation that messages about it belong to: an incident's id, or a principal."""
    state: CaseState
    changed: int
    """When it came into this state, in seconds since 1970."""
    evidence: int
    """Time of the newest event that speaks for it."""
    reason: str = ""
    """Why it was refused, or failed."""
    until: int = 0
    """When waiting ends, or when whoever is doing it is surely gone."""
    acts_unasked: bool = False
    """Whether it is done when nobody answers."""
    decided_by: str = ""
    plan: Plan | None = None
    """Once it has begun."""
    version: int = 0
    """How often it was kept: whoever keeps it says which one they read."""
