"""Messages as text on a stream: the terminal, or cron's own mail through standard error."""

from __future__ import annotations

import re
from datetime import tzinfo
from typing import TextIO

from trailwatch.errors import NotifyError
from trailwatch.model.message import Message
from trailwatch.notify.wording import as_text

_HEADING = re.compile(r"^ *[A-Z][A-Z ,]+$", re.MULTILINE)
_SEVERITY = re.compile(
    r"(?m)^(?:  \d{4}-\d\d-\d\d [\d:]{8} UTC)?(?:  )?\b(CRITICAL|HIGH|MEDIUM|LOW|INFORMATIONAL)(?=  )"
)
_COLOURS = {
    "CRITICAL": "bold white on red",
    "HIGH": "bold red",
    "MEDIUM": "yellow",
    "LOW": "cyan",
    "INFORMATIONAL": "dim",
}


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
        # cron's locale is often C: what it cannot write is shown as an escape instead of raising
        text = text.encode(encoding, "backslashreplace").decode(encoding)
        try:
            if self._stream.isatty():
                _print_coloured(text, self._stream)
            else:
                self._stream.write(text + "\n")
            self._stream.flush()
        except (OSError, ValueError) as error:
            raise NotifyError(self.name, f"cannot write: {error}", "open the stream again", permanent=True) from error
        return "written"


def _print_coloured(text: str, stream: TextIO) -> None:
    # only for a person at a terminal, so a cron run never pays for it; it honours NO_COLOR and TERM
    from rich.console import Console
    from rich.text import Text

    shown = Text(text + "\n")
    shown.highlight_regex(_HEADING, "bold")
    for found in _SEVERITY.finditer(text):
        shown.stylize(_COLOURS[found[1]], *found.span(1))
    Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True).print(shown, end="")
