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

    __slots__ = ("identity", "links", "principal", "who")

    def __init__(self, record: dict[str, Any]) -> None:
        self.principal: Principal = principal_of(record)
        self.who = str(self.principal)
        self.identity = identity_of(self.principal)
        self.links: tuple[Link, ...] = tuple(own_links(record))


class Callers:
    """The callers of events that were decoded to a struct with all `PATHS`."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Caller] = {}
        self._last: tuple[Any, Caller] | None = None

    def of(self, event: Any) -> Caller:
        """The caller of an event.

        Args:
            event: the struct of `trailwatch.detect.schema`.
        """
        if self._last is not None and self._last[0] is event:
            return self._last[1]
        values = _VALUES(event)
        known = self._known.get(values)
        if known is None:
            if len(self._known) >= CALLERS_KEPT:
                self._known.clear()
            known = self._known[values] = Caller(_record_of(values))
        self._last = event, known
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
