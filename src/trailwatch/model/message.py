"""Message: what is told about some alerts, frozen when it is decided, so that every attempt says the same."""

from __future__ import annotations

import msgspec

from trailwatch.model.alert import Alert
from trailwatch.model.severity import Severity


class Message(msgspec.Struct, frozen=True):
    """One message to people. Notifiers render it for their channel and add nothing of their own."""

    id: str
    """Stable and unique; the e-mail Message-ID is made of it."""
    created: int
    """Seconds since 1970."""
    principal: str
    """Whose alerts these are; empty for a message about trailwatch itself."""
    alerts: tuple[Alert, ...]
    """Most severe first, then oldest first."""
    headline: str
    """One line of plain text without control characters."""
    body: str = ""
    """Plain text for a message that is about trailwatch itself and has no alerts."""

    @property
    def severity(self) -> Severity:
        return max((alert.severity for alert in self.alerts), default=Severity.HIGH)
