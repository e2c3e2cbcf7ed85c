"""Messages as text on a stream: the terminal, or cron's own mail through standard error."""

from __future__ import annotations

from datetime import tzinfo
from typing import TextIO

from trailwatch.errors import NotifyError
from trailwatch.model.message import Message
from trailwatch.notify.wording import as_text


class ConsoleNotifier:
    """Writes each message to a stream, as `trailwatch.ports.Notifier`.

    Args:
        name: how outputs call it.
        stream: where it goes.
        zone: for local times; None for the machine's.
    """

    def __init__(self, name: str, stream: TextIO, zone: tzinfo | None) -> None:
        self.name = name
        self._stream = stream
        self._zone = zone

    def send(self, message: Message) -> str:
        text = as_text(message, self._zone)
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            # cron's locale is often C: what it cannot write is shown as an escape instead of raising
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self._stream.write("\n")
            self._stream.flush()
        except (OSError, ValueError) as error:
            raise NotifyError(self.name, f"cannot write: {error}", "open the stream again", permanent=True) from error
        return "written"
