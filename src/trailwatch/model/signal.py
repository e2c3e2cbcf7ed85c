"""What stage 1 hands to stage 2: small facts for stateful rules, and links between identities."""

from __future__ import annotations

import msgspec


class Brief(msgspec.Struct, frozen=True):
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


ACTOR = "actor"
"""In group-by, dedup and first-seen fields this stands for who it began with; lineage fills it in."""


class Signal(msgspec.Struct, frozen=True):
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
    """The value that is counted, summed or first seen, as text; empty where the rule needs none."""


class Link(msgspec.Struct, frozen=True):
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
