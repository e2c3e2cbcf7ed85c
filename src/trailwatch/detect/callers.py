"""Who calls, from the plain fields of an event; worked out once for each caller, who comes again and again."""

from __future__ import annotations

from typing import Any

from trailwatch.detect.links import identity_of, own_links
from trailwatch.detect.schema import values_at
from trailwatch.model.principal import Principal, principal_of
from trailwatch.model.signal import Link

CALLERS_KEPT = 4096
PATHS = (
    "recipientAccountId",
    "userIdentity.type",
    "userIdentity.arn",
    "userIdentity.accountId",
    "userIdentity.accessKeyId",
    "userIdentity.principalId",
    "userIdentity.userName",
    "userIdentity.invokedBy",
    "userIdentity.inScopeOf.sourceArn",
    "userIdentity.onBehalfOf.userId",
    "userIdentity.sessionContext.sourceIdentity",
    "userIdentity.sessionContext.ec2RoleDelivery",
    "userIdentity.sessionContext.sessionIssuer.arn",
    "userIdentity.sessionContext.sessionIssuer.userName",
)
"""Every field that `principal_of` and `own_links` read, but whether there was a second factor: nobody asks here."""
_VALUES = values_at(PATHS)


class Caller:
    """What the fields about the caller say, put in other words."""

    __slots__ = ("identity", "links", "principal", "untold", "who")

    def __init__(self, record: dict[str, Any]) -> None:
        self.principal: Principal = principal_of(record)
        self.who = str(self.principal)
        self.identity = identity_of(self.principal)
        self.links: tuple[Link, ...] = tuple(own_links(record))
        self.untold = True
        """For whoever tells the links but once."""


class Callers:
    """The callers of events that were decoded to a struct with all `PATHS`."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Caller] = {}
        self._latest: dict[Any, tuple[Any, Any, Caller]] = {}
        """By access key, or what else tells callers apart best: account and fields of the latest, and who it was."""

    def of(self, event: Any) -> Caller:
        """The caller of an event.

        Args:
            event: the struct of `trailwatch.detect.schema`.
        """
        identity, account = event.userIdentity, event.recipientAccountId
        name = identity.accessKeyId
        if type(name) is not str:
            name = identity.arn if type(identity.arn) is str else identity.invokedBy
        latest = self._latest.get(name)
        if latest is not None and latest[0] == account and latest[1] == identity:
            return latest[2]  # in half the time that it takes to look at every field here
        caller = self.with_values(_VALUES(event))
        if len(self._latest) >= CALLERS_KEPT:
            self._latest.clear()
        self._latest[name] = account, identity, caller
        return caller

    def with_values(self, values: tuple[Any, ...]) -> Caller:
        """The caller of an event that has these values at `PATHS`."""
        known = self._known.get(values)
        if known is None:
            if len(self._known) >= CALLERS_KEPT:
                self._known.clear()
            known = self._known[values] = Caller(_record_of(values))
        return known


def _record_of(values: tuple[Any, ...]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for path, value in zip(PATHS, values, strict=True):
        if type(value) is str:
            *way, last = path.split(".")
            part = record
            for name in way:
                part = part.setdefault(name, {})
            part[last] = value
    return record
