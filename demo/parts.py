"""What the demonstration starts and stops: the lab, a mail server, and `trailwatch` itself, all on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

TRAILWATCH = str(Path(sys.executable).with_name("trailwatch"))
LOOPBACK = "127.0.0.1"
RECIPIENT = "security@harbour.example"
_LONGEST_RUN_SECONDS = 90


class DemoError(Exception):
    """A part did not do what the demonstration needs; the text says which."""


@contextlib.contextmanager
def running_lab(seed: int) -> Iterator[dict[str, str]]:
    """`trailwatch lab` as a process of its own; the variables that it says to export."""
    lab = subprocess.Popen([TRAILWATCH, "lab", "--seed", str(seed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        ready = lab.stderr.readline() if lab.stderr else b""
        if b"the lab runs" not in ready or lab.stdout is None:
            raise DemoError(f"trailwatch lab did not start: {ready.decode(errors='replace').strip()}")
        text = os.read(lab.stdout.fileno(), 65_536).decode()
        yield dict(line.removeprefix("export ").split("=", 1) for line in text.splitlines())
    finally:
        lab.send_signal(signal.SIGTERM)
        lab.communicate(timeout=_LONGEST_RUN_SECONDS)


class Inbox:
    """Every mail that the server took, as it came over the wire."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 aiosmtpd's name
        self.raw.append(envelope.original_content)
        return "250 taken"

    def mails(self) -> list[EmailMessage]:
        """The mails, parsed."""
        return [message_from_bytes(raw, policy=default) for raw in self.raw]  # type: ignore[misc]


@contextlib.contextmanager
def running_mail_server() -> Iterator[tuple[Inbox, int]]:
    """An SMTP server that keeps what it gets, and its port."""
    with socket.create_server((LOOPBACK, 0)) as probe:
        port = probe.getsockname()[1]
    inbox = Inbox()
    server = Controller(inbox, hostname=LOOPBACK, port=port)
    server.start()
    try:
        yield inbox, port
    finally:
        server.stop()


CONFIG = """\
[check]
plan_requests_per_region = 5

[respond]
recheck = "1s"

[[notify]]
type = "console"
name = "terminal"
min_severity = "critical"
"""
MAIL_CONFIG = """
[[notify]]
type = "email"
name = "security team"
host = "{host}"
port = {port}
security = "plain"
sender = "trailwatch@harbour.example"
to = ["{recipient}"]
min_severity = "medium"
"""


@dataclass(frozen=True)
class Trailwatch:
    """The installed command, with a home of its own and nothing from the caller's environment."""

    home: Path
    variables: Mapping[str, str]

    def configure(self, mail_port: int | None) -> Path:
        """Writes trailwatch.toml; without a port nobody gets mail."""
        path = self.home / "trailwatch.toml"
        mail = MAIL_CONFIG.format(host=LOOPBACK, port=mail_port, recipient=RECIPIENT) if mail_port else ""
        path.write_text(CONFIG + mail)
        return path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs one command as cron would, without a terminal.

        Raises:
            DemoError: it failed.
        """
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
        done = subprocess.run(
            [TRAILWATCH, "--config", str(self.home / "trailwatch.toml"), *words],
            capture_output=True,
            text=True,
            timeout=_LONGEST_RUN_SECONDS,
            env={**kept, "HOME": str(self.home), **self.variables},
            check=False,
        )
        if done.returncode:
            raise DemoError(f"trailwatch {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
        return done

    def alerts(self) -> list[dict[str, Any]]:
        """Every alert in the store, oldest first."""
        lines = self.run("alerts", "list", "--state", "all", "--limit", "1000", "--format", "jsonl").stdout
        return [json.loads(line) for line in lines.splitlines()]
