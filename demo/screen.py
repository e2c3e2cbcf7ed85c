"""How the demonstration looks: colours on a terminal, plain lines in a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

_ORDER = ("critical", "high", "medium", "low", "informational")
_COLOURS = {"critical": "bold white on red", "high": "bold red", "medium": "yellow", "low": "cyan"}
_LOG_WIDTH = 110
_MAIL_LINES = 46


class Screen:
    """Prints the story; keeps it for a picture."""

    def __init__(self) -> None:
        probe = Console()
        width = None if probe.is_terminal else _LOG_WIDTH
        self._console = Console(width=width, record=True, highlight=False)
        self._step = 0

    def title(self, text: str) -> None:
        self._console.print()
        self._console.print(Rule(Text(text, style="bold"), align="left"))

    def step(self, text: str) -> None:
        """The next numbered step."""
        self._step += 1
        self._console.print()
        self._console.print(Text.assemble((f" {self._step} ", "bold white on blue"), " ", (text, "bold")))

    def line(self, text: str, style: str = "") -> None:
        self._console.print(Padding(Text(text, style=style), (0, 0, 0, 4), expand=False))

    def command(self, words: str) -> None:
        """A command as one would type it."""
        self._console.print(Text.assemble("    ", ("$ ", "dim"), (words, "bold cyan")))

    def alerts(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        """A table of alerts, the oldest first and of those the most severe."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for name in ("time", "severity", "what", "who", "region"):
            table.add_column(name, overflow="fold")
        for alert in sorted(alerts, key=lambda alert: (alert["first_time"], _ORDER.index(alert["severity"]))):
            severity = alert["severity"]
            table.add_row(
                f"{datetime.fromisoformat(alert['first_time']):%H:%M:%S}",
                Text(f" {severity} ", style=_COLOURS.get(severity, "")),
                Text(alert["title"]),
                Text(alert["principal"].rpartition(":")[2]),
                Text(alert["region"]),
            )
        self._console.print()
        self._console.print(table)

    def mail(self, mail: EmailMessage, saved: Path) -> None:
        """A mail as it arrived: its headers, and the beginning of its text."""
        headers = [f"{name}: {mail[name]}" for name in ("From", "To", "Subject", "Date", "Message-ID") if mail[name]]
        body = mail.get_body(preferencelist=("plain",))
        lines = str(body.get_content()).splitlines() if body else []
        text = Text("\n".join(headers), style="cyan")
        text.append("\n\n" + "\n".join(lines[:_MAIL_LINES]), style="default")
        if len(lines) > _MAIL_LINES:
            text.append(
                f"\n... {len(lines) - _MAIL_LINES} more lines in {saved.parent.name}/{saved.name}", style="dim"
            )
        self._console.print()
        self._console.print(Panel(text, title="the mail, as the server received it", border_style="dim"))

    def verdict(self, proofs: Sequence[tuple[bool, str]]) -> None:
        """What was to be shown, and whether it was."""
        self._console.print()
        for good, text in proofs:
            mark = ("  yes ", "bold green") if good else ("  NO  ", "bold white on red")
            self._console.print(Text.assemble(mark, text))
        self._console.print()

    def save(self, path: Path) -> None:
        """The whole screen as an SVG picture."""
        self._console.save_svg(str(path), title="make demo")
