"""What goes wrong on purpose: each fault is a small class, and several may be active at once.

A fault sees every call before it is carried out. It lets it pass (None), makes it late, answers an error,
or cuts the connection. Randomness is seeded, so a run can be repeated.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import Protocol

from trailwatch.lab.answers import Refusal
from trailwatch.lab.call import Call
from trailwatch.lab.denials import access_denied
from trailwatch.ports import Clock

_JUST_CUT = "cut"


class Cut(Exception):  # noqa: N818 it is what a fault does, not an error of the lab
    """The connection is closed without an answer."""


class Fault(Protocol):
    """One kind of trouble."""

    def strike(self, call: Call, chance: random.Random, clock: Clock) -> None:
        """Lets the call pass, or waits.

        Raises:
            Refusal: the call is answered with this error.
            Cut: the connection is closed.
        """


@dataclass(frozen=True)
class Aim:
    """Which calls a fault strikes; an empty word means any."""

    region: str = ""
    operation: str = ""

    def fits(self, call: Call) -> bool:
        return self.region in {"", call.region} and self.operation in {"", call.operation}


ANYWHERE = Aim()


@dataclass(frozen=True)
class Throttle:
    """Answers "Rate exceeded" to a share of the calls."""

    share: float
    aim: Aim = ANYWHERE

    def strike(self, call: Call, chance: random.Random, clock: Clock) -> None:  # noqa: ARG002 one shape for all faults
        if self.aim.fits(call) and chance.random() < self.share:
            code = "RequestLimitExceeded" if call.protocol == "ec2" else "ThrottlingException"
            raise Refusal(code, "Rate exceeded", 503 if call.protocol == "ec2" else 400)


@dataclass(frozen=True)
class ServerError:
    """Answers HTTP 500 to a share of the calls."""

    share: float
    aim: Aim = ANYWHERE

    def strike(self, call: Call, chance: random.Random, clock: Clock) -> None:  # noqa: ARG002 one shape for all faults
        if self.aim.fits(call) and chance.random() < self.share:
            raise Refusal("InternalFailure", "The request processing has failed because of an unknown error.", 500)


@dataclass(frozen=True)
class Latency:
    """Makes calls wait, in seconds; with `jitter` a random part of it on top."""

    seconds: float
    jitter: float = 0.0
    aim: Aim = ANYWHERE

    def strike(self, call: Call, chance: random.Random, clock: Clock) -> None:
        if self.aim.fits(call):
            clock.sleep(self.seconds + self.jitter * chance.random())


@dataclass(frozen=True)
class Deny:
    """Answers that the caller is not authorized, for a region or an operation."""

    aim: Aim = ANYWHERE

    def strike(self, call: Call, chance: random.Random, clock: Clock) -> None:  # noqa: ARG002 one shape for all faults
        if self.aim.fits(call):
            raise access_denied(call)


@dataclass
class Die:
    """Cuts the connection at one call, counted from 1 among those it aims at; `forever` from there on."""

    at: int
    forever: bool = False
    aim: Aim = ANYWHERE
    _seen: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def strike(self, call: Call, chance: random.Random, clock: Clock) -> None:  # noqa: ARG002 one shape for all faults
        if not self.aim.fits(call):
            return
        with self._lock:
            self._seen += 1
            seen = self._seen
        if seen == self.at or (self.forever and seen > self.at):
            raise Cut(_JUST_CUT)


@dataclass(frozen=True)
class Late:
    """A share of the events shows up in event history that many seconds later."""

    share: float
    seconds: float

    def strike(self, call: Call, chance: random.Random, clock: Clock) -> None:
        """Lets every call pass; the recorder asks for the delay."""

    def delay(self, chance: random.Random) -> float:
        return self.seconds if chance.random() < self.share else 0.0


class Faults:
    """The active faults, struck in the order in which they were added."""

    def __init__(self, seed: int, clock: Clock) -> None:
        self._active: list[Fault] = []
        self._chance = random.Random(seed)  # noqa: S311 repeatable trouble, no secret
        self._clock = clock

    def add(self, fault: Fault) -> Fault:
        """Makes a fault active and gives it back, for `remove`."""
        self._active.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        self._active.remove(fault)

    def clear(self) -> None:
        self._active.clear()

    def strike(self, call: Call) -> None:
        """Lets every active fault strike.

        Raises:
            Refusal, Cut: the first that does not let the call pass.
        """
        for fault in tuple(self._active):
            fault.strike(call, self._chance, self._clock)

    def event_delay(self) -> float:
        """Seconds by which the next event shows up later than usual."""
        return sum(fault.delay(self._chance) for fault in tuple(self._active) if isinstance(fault, Late))
