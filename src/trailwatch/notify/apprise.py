"""Messages through Apprise, which speaks to a hundred services: Teams, PagerDuty, Opsgenie, ntfy, Matrix and more."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import tzinfo

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType

from trailwatch.errors import ConfigError, NotifyError
from trailwatch.model.message import Message
from trailwatch.model.severity import Severity
from trailwatch.notify.plain import inert
from trailwatch.notify.wording import as_brief, subject

TYPES = {
    Severity.CRITICAL: NotifyType.FAILURE,
    Severity.HIGH: NotifyType.FAILURE,
    Severity.MEDIUM: NotifyType.WARNING,
    Severity.LOW: NotifyType.INFO,
    Severity.INFORMATIONAL: NotifyType.INFO,
}
LONGEST_SECONDS = 20.0
SECRET_LENGTH = 6
"""Parts of the URL that are at least so long are kept out of errors."""
_MENTION = re.compile(r"@(?=\w)")


class AppriseNotifier:
    """Sends each message to one service, as `trailwatch.ports.Notifier`.

    Args:
        name: how outputs call it.
        url: Apprise's own, which is a secret.
        zone: for local times; None for the machine's.

    Raises:
        ConfigError: Apprise does not know that kind of URL.
    """

    def __init__(self, name: str, url: str, zone: tzinfo | None) -> None:
        self.name = name
        self._zone = zone
        self._secrets = {part for part in re.split(r"[/:@?&=\s]+", url) if len(part) >= SECRET_LENGTH}
        asset = AppriseAsset(
            app_id="trailwatch",
            app_desc="trailwatch",
            app_url="",
            async_mode=False,
            interpret_escapes=False,
            interpret_emojis=False,
            secure_logging=True,
            service_timeout=LONGEST_SECONDS,
        )
        self._services = Apprise(asset=asset)
        with _said() as said:
            known = self._services.add(url)
        if not known or len(self._services) != 1:
            reason = self._without_secrets("; ".join(said)) or "no such service"
            raise ConfigError(
                f"notify {name}", f"Apprise cannot use the URL: {reason}", "write one URL as Apprise's pages show"
            )

    def send(self, message: Message) -> str:
        with _said() as said:
            accepted = self._services.notify(
                title=harmless(subject(message)),
                body=harmless(as_brief(message, self._zone)),
                notify_type=TYPES[message.severity],
                body_format=NotifyFormat.TEXT,
            )
        if not accepted:
            reason = self._without_secrets("; ".join(said)) or "the service did not say why"
            raise NotifyError(self.name, f"not accepted: {reason}", "it is tried again")
        return "accepted"

    def _without_secrets(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return inert(text)


def harmless(text: str) -> str:
    """The text without what one or another service takes for markup: mentions, links, Slack's angle brackets."""
    plain = _MENTION.sub("(at)", text).replace("](", "] (")
    return plain.replace("<", "\u2039").replace(">", "\u203a")


@contextmanager
def _said() -> Iterator[list[str]]:
    """What Apprise logs meanwhile: the only place where it tells why something failed."""
    lines: list[str] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    listening = Listening(logging.WARNING)
    logger = logging.getLogger("apprise")
    logger.addHandler(listening)
    try:
        yield lines
    finally:
        logger.removeHandler(listening)
