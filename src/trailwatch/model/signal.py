"""What stage 1 hands to stage 2: small facts for stateful rules, and links between identities."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Brief(msgspec.Struct, frozen=True, gc=False):
    """What a person needs to know of an event when its record is not at hand."""

    event_id: str
    time: int
    """Event time in seconds since 1970."""
    account: str
    region: str
    event_source: str
    event_name: str
    principal: str
    """`Principal.key`."""
    who: str
    """The principal as text for people."""
    access_key: str
    source_ip: str
    user_agent: str
    error_code: str
    identity: str = ""
    """From where lineage goes back, see `trailwatch.detect.links.identity_of`; empty for the principal."""


ACTOR = "actor"
"""In group-by, dedup and first-seen fields this stands for who it began with; lineage fills it in."""


class Signal(msgspec.Struct, frozen=True, gc=False):
    """One match of one rule, as one stateful rule wants it."""

    rule_id: str
    """The stateful rule that eats it."""
    base_id: str
    """The rule that matched."""
    key: tuple[str, ...]
    """Values of the group-by fields, in the rule's order; the principal's key where `actor` stands."""
    time: int
    brief: Brief
    value: str = ""
    """The value that is counted, summed or a place, as text; empty where the rule needs none."""
    record: bytes = b""
    """The raw record, for rules with a memory alone; empty where it is looked up when it is needed."""
    origin: str = ""
    """Where the record came from, for rules with a memory alone."""
    position: int = -1
    read_only: bool | None = None
    """Whether the event says that it changed nothing, for rules with a memory alone; None where it was not looked."""


def rekeyed(key: tuple[str, ...], paths: Sequence[str], actor: str) -> tuple[str, ...]:
    """The key with the actor's where `actor` stands among the paths that the key was made of."""
    return tuple(actor if path == ACTOR else value for path, value in zip(paths, key, strict=True))


class Link(msgspec.Struct, frozen=True, gc=False):
    """The fact that one identity issued, created or became another.

    An identity is `key:ASIA...` or `key:AKIA...` (an access key), `arn:...` (a user, role or session), or
    `sso:...`, `saml:...`, `web:...` for somebody outside AWS.
    """

    kind: str
    """`assumed`, `federated`, `session`, `created-key`, `created-user`, `signed-in`, ..."""
    parent: str
    child: str
    time: int
    event_id: str
    account: str
    parent_text: str = ""
    """The parent for people, such as `user alice in 111122223333`."""
    child_text: str = ""


class Feed(msgspec.Struct, frozen=True):
    """What a state has to know of a correlation to keep its signals; all spans in seconds."""

    rule_id: str
    bases: tuple[str, ...]
    """Ids of the rules that its signals come from."""
    span: int
    slot: int
    """Signals are kept together by stretches of event time of this length."""
    keep: int
    """How long before everything that may still arrive its signals are needed."""
    settles: int = 0
    """How long after a moment it may be judged; 0 where it may be judged at once."""
    needed: int = 1
    """So few signals within two spans never make it hold."""
    several: bool = False
    """Whether signals of one rule alone never make it hold."""


class Kept(msgspec.Struct, frozen=True, gc=False):
    """A signal as a state keeps it: unique by all but its content."""

    rule_id: str
    group: int
    """Stands for the key: 63 bits of a digest."""
    time: int
    id: int
    """Stands for the event, or for the correlation, key and moment: 63 bits of a digest."""
    base_id: str
    value: str
    content: bytes
    """Whatever the reader of the state needs of it."""


class Arrival(msgspec.Struct, frozen=True):
    """What became of some signals that were kept."""

    late: int
    """So many came later than they could count in full."""
    mark: int
    """For `fresh`: what is new."""
    rule_ids: tuple[str, ...]


class Touched(msgspec.Struct, frozen=True):
    """Some signals of one group that are new."""

    rule_id: str
    group: int
    low: int
    """Time of the earliest."""
    high: int
    """Time of the latest."""
    around: int = 0
    """How many signals of the group are in the windows that these have a say in, where that was counted."""


class Stay(msgspec.Struct, frozen=True):
    """The fact that somebody was at a place."""

    number: int
    """Stands for the rule, the account and who it was: 63 bits of a digest."""
    time: int
    latitude: float
    longitude: float
    brief: Brief
    record: bytes = b""
    origin: str = ""
    """Where the record came from."""
    position: int = -1
