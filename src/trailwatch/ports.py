"""The doors: what comes in, what goes out, and what time it is. All on one page."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol, runtime_checkable

import msgspec

from trailwatch.model.address import AddressFacts
from trailwatch.model.coverage import Interval, LookupKey
from trailwatch.model.incident import Member, Ruling, Subject
from trailwatch.model.match import Reject
from trailwatch.model.message import Conversation, Message, Receipt, Reply
from trailwatch.model.response import Call, Draft, Entry, State, Step, Target
from trailwatch.model.sighting import EVERYTHING, Remembered, Sightings
from trailwatch.model.signal import Arrival, Feed, Kept, Link, Stay, Touched


class CoverageGain(msgspec.Struct, frozen=True):
    """What becomes covered when a delivery is committed."""

    key: LookupKey
    interval: Interval


class Delivery(msgspec.Struct, frozen=True):
    """One body of input after it was split into records; every record is still raw JSON text.

    The pipeline commits its matches, rejects and `gains` in one transaction, and calls `ack` after it.
    """

    origin: str
    records: Sequence[msgspec.Raw]
    positions: Sequence[int]
    """The number of each record within its origin: `range(len(records))` unless some were rejected."""
    rejects: Sequence[Reject] = ()
    left_out: tuple[tuple[str, int], ...] = ()
    """What is no event and why, with counts, such as `(("insight", 3),)`."""
    mended: int = 0
    """Places in it where text was no valid Unicode or JSON and was replaced."""
    gains: tuple[CoverageGain, ...] = ()
    archive: bool = False
    """Whether its fresh records are appended to the archive before the commit."""
    ack: Callable[[], None] | None = None


class Source(Protocol):
    """Where deliveries come from."""

    def poll(self) -> Iterable[Delivery]:
        """Deliveries one by one; the next one is asked for after the last was committed."""


class Notifier(Protocol):
    """Where messages go."""

    name: str

    def send(self, message: Message) -> str:
        """What the receiver answered, for the log.

        Raises:
            NotifyError: it was not accepted; `permanent` when trying again cannot help.
        """


@runtime_checkable
class Converser(Protocol):
    """A notifier whose messages about one incident stay together; `send_in` takes the place of `send`."""

    name: str

    def send_in(self, message: Message, conversation: Conversation) -> Receipt:
        """What the receiver answered, and the handle by which it finds the message again.

        Raises:
            NotifyError: as `Notifier.send`.
        """


@runtime_checkable
class Listener(Protocol):
    """A notifier that can hear what people say to its messages."""

    name: str

    def replies(self, handle: str) -> Sequence[Reply]:
        """What those who may say it said to this message and below it.

        Raises:
            NotifyError: the receiver does not answer.
        """


class Clock(Protocol):
    """Time as an argument."""

    def now(self) -> datetime:
        """Aware, UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Comes back after that time."""


class LinkState(Protocol):
    """Where links between identities are kept from one run to the next."""

    def add(self, links: Sequence[Link], now: int) -> set[str]:
        """Keeps links; the children of those that are new."""

    def parents(self, child: str) -> list[Link]:
        """The links whose child this is."""

    def remember(self, identity: str, path: Iterable[str], now: int) -> None:
        """The way back from this identity led over these."""

    def led_over(self, nodes: Collection[str]) -> set[str]:
        """The identities from which the way back led over one of these."""


class IncidentState(Protocol):
    """Where alerts are attributed to actors and put into incidents."""

    def subjects(self, alert_ids: Collection[str]) -> list[Subject]:
        """These alerts, as far as they are stored."""

    def subjects_of(self, identities: Collection[str]) -> list[Subject]:
        """The alerts whose way back begins at one of these."""

    def attribute(self, alert_id: str, actor_key: str, actor: str) -> None:
        """The alert began with this actor."""

    def members(self, actor_keys: Collection[str]) -> list[Member]:
        """Every alert of these actors."""

    def ages(self, ids: Collection[str]) -> dict[str, int]:
        """When each of these incidents was created."""

    def shared(self, ids: Collection[str], actor_keys: Collection[str]) -> set[str]:
        """Those of the incidents that also have alerts of other actors."""

    def taken(self, incident_id: str) -> bool:
        """Whether there is or was an incident with this id."""

    def keep(self, ruling: Ruling, now: int) -> int:
        """Writes down which alert belongs to which incident, and which became one; how many are put off with it."""


class SignalState(Protocol):
    """Where the signals of correlations are kept from one run to the next."""

    def begin(self, feeds: Sequence[Feed]) -> None:
        """Makes room for these correlations; called before anything else."""

    def add(self, signals: Sequence[Kept]) -> Arrival:
        """Keeps what is new."""

    def remove(self, signals: Sequence[Kept]) -> None:
        """Forgets these, as far as they are kept."""

    def fresh(self, arrival: Arrival) -> list[Touched]:
        """Groups that gained signals then, of correlations that may be judged at once.

        A group that has too few signals to hold is left out.
        """

    def everything(self) -> list[Touched]:
        """The same for all groups there are, in pieces of time."""

    def points(self, rule_id: str, group: int, after: int, before: int) -> list[tuple[int, str, str, int]]:
        """Time, rule, value and number of the signals of a group with `after` < time < `before`."""

    def members(self, rule_id: str, group: int, within: Iterable[Interval]) -> list[Kept]:
        """The signals of a group that lie in these stretches, by time."""

    def due(self, watermark: int, limit: int) -> list[Touched]:
        """Moments of correlations that could not be judged at once and now can, oldest first; `high` is `low`."""

    def judged(self, watermark: int, moments: Sequence[Touched]) -> None:
        """These moments need no more judging."""


class AddressBook(Protocol):
    """What is known of addresses."""

    def look_up(self, text: str) -> AddressFacts | None:
        """What is known of an address; None for what is none, such as the host name of a service."""

    def network(self, text: str) -> str:
        """The autonomous system as `AS64500` where it is known, else the /24 or /48; empty for no address."""


class SightingState(Protocol):
    """Where it is kept what was seen when, from one run to the next."""

    def sightings(self, numbers: Iterable[int]) -> dict[int, Sightings]:
        """The days of these combinations, as far as they are known."""

    def see(self, changed: Mapping[int, Remembered]) -> None:
        """Keeps the days of these combinations in place of what was kept of them."""

    def learn(self, account: str, since: int, lookup: str = EVERYTHING) -> None:
        """What a look-up shows of the account is known from this time on, or from an earlier one told before."""

    def learned(self) -> dict[tuple[str, str], int]:
        """For each account and look-up, the time from which on what it shows is known."""


class JourneyState(Protocol):
    """Where it is kept who was where."""

    def stay(self, stays: Sequence[Stay]) -> None:
        """Keeps these; the same one twice is one."""

    def stays(self, number: int, after: int, before: int) -> list[Stay]:
        """Where somebody was between these times, by time."""


class Cloud(Protocol):
    """Where the calls of a response go: one door for all accounts."""

    def call(self, call: Call) -> dict[str, Any]:
        """What AWS answered, of its metadata only the `RequestId`; read pages one by one with the tokens in it.

        Raises:
            ActionError: it was refused, or nobody answered; `code` as AWS spells it.
        """

    def identity(self, account: str) -> str:
        """ARN of whoever acts there; for a role the role's own.

        Raises:
            ActionError: there is no way into that account.
        """


class Lever(Protocol):
    """One kind of thing at AWS: how its state is read, and which calls bring it into another."""

    name: str
    reads: tuple[str, ...]
    """IAM actions that `read` needs."""
    writes: tuple[str, ...]
    """IAM actions that the calls need."""

    def read(self, step: Step, cloud: Cloud) -> State:
        """How it stands; None where it is not there.

        Raises:
            ActionError: that cannot be found out.
        """

    def calls(self, step: Step, found: State, wanted: State) -> Sequence[Call]:
        """What leads from one state to the other, in order; nothing where they are equal. Pure."""


class Past(Protocol):
    """What is known of events that are over."""

    def events(self, account: str, names: Collection[str]) -> Iterable[Mapping[str, Any]]:
        """The records of calls of these names that succeeded, the newest first."""


class Scene(NamedTuple):
    """What a plan is made from."""

    cloud: Cloud
    past: Past
    plan_id: str


class Action(Protocol):
    """One way to contain an intruder; one file each."""

    name: str
    """As playbooks name it: `lock-user`."""

    @property
    def permissions(self) -> tuple[str, ...]:
        """Every IAM action that it needs, and no other."""

    def targets(self, record: Mapping[str, Any]) -> Sequence[Target]:
        """Whom an event makes it act on; none for an event that proves nothing or is about something else. Pure."""

    def plan(self, target: Target, scene: Scene) -> Draft:
        """What it would do; only reads.

        Raises:
            ActionError: not even that can be found out.
        """

    def apply(self, step: Step, found: State, wanted: State) -> Sequence[Call]:
        """The calls that a step takes from the state that was found. Pure."""

    def verify(self, step: Step, cloud: Cloud) -> State:
        """How the step's thing stands now; for an evidence step, the evidence.

        Raises:
            ActionError: that cannot be found out.
        """

    def revert(self, step: Step, found: State, before: State) -> Sequence[Call]:
        """The calls that restore what stood there before. Pure."""


class Journal(Protocol):
    """Where it is kept what a response did, so that it can go on after a crash and be undone."""

    def append(self, entry: Entry) -> None:
        """Keeps it; it lasts when this returns.

        Raises:
            StoreError: it cannot be kept, or another process wrote an entry with this number of this plan.
        """

    def entries(self, plan_id: str) -> list[Entry]:
        """All of a plan, in order; empty for one that is not known."""

    def find(self, prefix: str, limit: int) -> list[str]:
        """Ids of plans that begin so."""

    def latest(self, limit: int) -> list[str]:
        """Ids of plans, the newest first."""
