"""What a response consists of: whom it is about, the calls that it makes, and what the journal keeps of them.

Everything here is plain data, so that a plan can be shown, kept, sent and compared.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

State = Any
"""How a thing stands, as JSON: a text, a mapping, a list; None for a thing that is not there."""

APPLY_TIME = "<time of the change>"
"""Stands within a wanted state for the moment at which the step is taken."""

RANDOM = "<a random text that nobody keeps>"
"""Stands as a call's parameter for a text that is made when the call goes out, and is written down nowhere."""


class TargetKind(enum.Enum):
    """What a response can be about."""

    USER = "user"
    """An IAM user, by name."""
    ROLE = "role"
    """A role, by name."""
    KEY = "key"
    """An access key of a user, by its id."""
    ROOT = "root"
    """The root user of an account."""
    POLICY = "policy"
    """A policy that was attached to or written into a user or role: `of` says which."""
    FUNCTION = "function"
    """A Lambda function, by name or ARN."""
    TRAIL = "trail"
    """A trail, by name or ARN."""


class Target(msgspec.Struct, frozen=True):
    """Whom or what an action is about."""

    kind: TargetKind
    account: str
    name: str
    """As AWS's calls name it: without a path, for a key its id."""
    region: str = ""
    """Empty for what belongs to no region, as all of IAM."""
    of: tuple[tuple[str, str], ...] = ()
    """What else finds it, such as `(("user", "bob"), ("policy", "sync"))`."""
    evidence: bytes = b""
    """The raw record that led to it; empty where a person named it."""

    def detail(self, name: str) -> str:
        """One of the parts of `of`; empty where it is not there."""
        return dict(self.of).get(name, "")

    def __str__(self) -> str:
        more = "".join(f", {name} {value}" for name, value in self.of)
        return f"{self.kind.value} {self.name}{more} in {self.account}" + (f", {self.region}" if self.region else "")


class Order(msgspec.Struct, frozen=True):
    """One action about one target, and who asked for it."""

    action: str
    target: Target
    playbook: str = ""
    """Empty where a person named the target."""
    alert_id: str = ""
    event_id: str = ""
    """The event that led to the target."""


class Call(msgspec.Struct, frozen=True):
    """One call of AWS's API, ready to be made."""

    account: str
    service: str
    """As boto3 names it."""
    operation: str
    """As AWS names it: `PutUserPolicy`."""
    parameters: dict[str, Any]
    region: str = ""
    """Empty for a service that has none."""

    @property
    def title(self) -> str:
        """`iam:PutUserPolicy`."""
        return f"{self.service}:{self.operation}"


class Made(msgspec.Struct, frozen=True):
    """A call that AWS answered: what its event is known by."""

    request: str
    """AWS's id of the request."""
    account: str
    service: str
    """As boto3 names it."""
    operation: str
    caller: str
    """ARN of who made it; for a role the role's own."""


class StepKind(enum.Enum):
    EVIDENCE = "evidence"
    """Reads and keeps; changes nothing."""
    CHANGE = "change"
    """Brings one thing into the state that is wanted; what stood there before is kept and can be restored."""
    FINAL = "final"
    """A change that nobody can take back."""


class Step(msgspec.Struct, frozen=True):
    """One thing that is brought into one state, which is one call in nearly every case."""

    action: str
    """Name of the action that takes it."""
    lever: str
    """Which kind of thing: how it is read and set. See `trailwatch.ports.Lever`."""
    account: str
    thing: dict[str, str]
    """Which one, such as `{"user": "bob", "policy": "trailwatch-lock-1a2b"}`."""
    does: str
    """In words, for people."""
    region: str = ""
    wanted: State = None
    """`APPLY_TIME` within a text in it stands for the moment at which it is taken."""
    found: State = None
    """How it stood when the plan was made."""
    calls: tuple[Call, ...] = ()
    """What would be called then; empty where it already stood as wanted."""
    kind: StepKind = StepKind.CHANGE

    @property
    def reversible(self) -> bool:
        return self.kind is not StepKind.FINAL


class Draft(msgspec.Struct, frozen=True):
    """What an action would do about one target."""

    steps: tuple[Step, ...] = ()
    cannot: tuple[str, ...] = ()
    """What it does not reach, in words, with what to do instead."""
    cuts: tuple[str, ...] = ()
    """What it cuts off besides the intruder, in words."""
    problems: tuple[str, ...] = ()
    """What could not be found out; the rest of the plan holds."""


class Plan(msgspec.Struct, frozen=True):
    """What is to be done, in order."""

    id: str
    created: int
    """Seconds since 1970."""
    cause: str
    """What it answers: `alert 1f...`, `incident 2a...`, `user bob in 111122223333`."""
    playbooks: tuple[str, ...]
    """Names; empty for a plan about somebody whom a person named."""
    targets: tuple[Target, ...]
    steps: tuple[Step, ...]
    humans: tuple[str, ...] = ()
    """What only people can do, in order."""
    cannot: tuple[str, ...] = ()
    cuts: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class EntryKind(enum.Enum):
    """What the journal keeps; `content` of an entry is the mapping that is told here."""

    PLANNED = "planned"
    """`{"plan": ..., "why": ...}`: somebody decided to carry it out."""
    EVIDENCE = "evidence"
    """`{"state": ...}`: what an evidence step read."""
    BEGUN = "begun"
    """`{"before": ..., "wanted": ..., "calls": [...]}`: written before the first call of a step."""
    CALLED = "called"
    """`{"call": ..., "error": ..., "request": ..., "caller": ...}`: written after each call; `error` is empty when it
    succeeded, `request` (AWS's id of it) and `caller` (an ARN) when nobody answered."""
    DONE = "done"
    """`{"state": ...}`: the step holds."""
    FAILED = "failed"
    """`{"error": ...}`: the step was given up; it may be tried again."""
    FINISHED = "finished"
    """`{"good": n, "failed": n}`: every step was tried and what holds was looked at once more."""
    UNDO_BEGUN = "undo-begun"
    """`{"found": ..., "wanted": ..., "calls": [...], "forced": bool}`: written before the first call back."""
    UNDONE = "undone"
    """`{"state": ...}`: what stood there before stands there again; for the plan as a whole, when all of it does."""
    UNDO_REFUSED = "undo-refused"
    """`{"found": ..., "expected": ..., "why": ...}`: somebody changed it since; nothing was called."""


class Entry(msgspec.Struct, frozen=True):
    """One line of the journal; nothing is ever changed in it, and (plan, number) is unique."""

    plan_id: str
    number: int
    """From 0, without gaps."""
    time: int
    """Seconds since 1970."""
    kind: EntryKind
    who: str
    """Who acts: a person's login and host, or `automatic`."""
    step: int = -1
    """Index into the plan's steps; -1 for the plan as a whole."""
    content: dict[str, Any] = {}

    @property
    def made(self) -> Made | None:
        """The call that it tells of; None where it tells of none, or where AWS did not answer."""
        call, request = self.content.get("call"), self.content.get("request")
        if self.kind is not EntryKind.CALLED or not request or not isinstance(call, dict):
            return None
        return Made(request, call["account"], call["service"], call["operation"], self.content["caller"])
