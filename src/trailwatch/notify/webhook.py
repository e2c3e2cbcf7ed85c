"""Messages as JSON by POST, signed with a secret that the receiver shares."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

from trailwatch.config.notifiers import Webhook
from trailwatch.model.message import Message
from trailwatch.notify.http import post
from trailwatch.notify.payload import as_json

SIGNATURE = "X-Trailwatch-Signature"
TIMESTAMP = "X-Trailwatch-Timestamp"
MESSAGE_ID = "X-Trailwatch-Id"


class WebhookNotifier:
    """Sends each message in one request, as `trailwatch.ports.Notifier`.

    Args:
        name: how outputs call it.
        settings: certificates and time-out.
        url: where it goes.
        secret: what signs; None leaves messages unsigned.
        zone: for local times in texts; None for the machine's.
        now: the time that is signed with the message.
    """

    def __init__(
        self,
        name: str,
        settings: Webhook,
        url: str,
        secret: str | None,
        zone: tzinfo | None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = name
        self._settings = settings
        self._url = url
        self._secret = secret
        self._zone = zone
        self._now = now

    def send(self, message: Message) -> str:
        body = as_json(message, self._zone)
        headers = {"Content-Type": "application/json", MESSAGE_ID: message.id}
        if self._secret:
            timestamp = str(int(self._now().timestamp()))
            headers |= {TIMESTAMP: timestamp, SIGNATURE: signature(self._secret, timestamp, body)}
        return post(
            self.name, self._url, body, headers, timeout=self._settings.timeout, ca_file=self._settings.ca_file
        )


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """`v1=` and the HMAC-SHA256, in hex, of the timestamp, a dot and the body."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
