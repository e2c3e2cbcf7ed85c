"""Whether the service looks and its messages arrive, for whoever supervises it: `GET /healthz`.

What a cycle came to is put down when it ends, and judged when somebody asks: a cycle that hangs grows old.
"""

from __future__ import annotations

import ipaddress
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from types import TracebackType
from typing import Any, Self

import msgspec

from trailwatch.errors import ConfigError
from trailwatch.ports import Clock
from trailwatch.service.canary import overdue
from trailwatch.service.report import GOOD, PARTIAL, CycleReport, duration
from trailwatch.store.outbox import OutboxState
from trailwatch.store.store import Store

TOO_OLD_SECONDS = 600
"""The same as in `trailwatch status`."""
PATH = "/healthz"
LOOPBACK = "127.0.0.1"
LAST_PORT = 65535
ANSWER_SECONDS = 5.0
"""Who asks more slowly is hung up on."""


class _Seen(msgspec.Struct, frozen=True):
    """What was put down; times are seconds since 1970."""

    good: float = 0.0
    """When the last cycle that read something ended; 0 for never."""
    outcome: str = ""
    error: str = ""
    """Why the last cycle could not be run."""
    late: dict[str, int] = {}
    """Account and region to seconds."""
    failed: tuple[str, ...] = ()
    waiting: int = 0
    dead: int = 0
    overdue: dict[str, int] = {}
    """Notifier to the age of what it does not take."""
    canary_lost: tuple[str, ...] = ()


class Health:
    """What the last cycle came to.

    Args:
        clock: the time.
        canary_within: so many seconds may a canary take.
    """

    def __init__(self, clock: Clock, canary_within: float) -> None:
        self._clock = clock
        self._within = canary_within
        self._seen = _Seen()

    def ended(self, report: CycleReport, store: Store) -> None:
        """Puts down what a cycle came to; called by the thread that owns the store."""
        now = self._clock.now().timestamp()
        counts = store.outbox.counts()
        lost = overdue(store, int(self._within), int(now))
        self._seen = _Seen(
            good=now if report.outcome in (GOOD, PARTIAL) else self._seen.good,
            outcome=report.outcome,
            late=dict(report.late),
            failed=tuple(f"{one.account}/{one.region}" for one in (*report.unread, *report.unread_sources)),
            waiting=counts[OutboxState.WAITING],
            dead=counts[OutboxState.DEAD],
            overdue=dict(report.overdue),
            canary_lost=tuple(f"{one.account}/{one.region}" for one in lost),
        )

    def failed(self, error: Exception) -> None:
        """Puts down that a cycle could not be run."""
        self._seen = msgspec.structs.replace(self._seen, outcome="failed", error=str(error))

    def answer(self) -> tuple[bool, dict[str, Any]]:
        """Whether all is well, and what a supervisor gets to read."""
        seen, now = self._seen, self._clock.now().timestamp()
        age = max(0, int(now - seen.good)) if seen.good else None
        problems = list(_problems(seen, age))
        return not problems, {
            "healthy": not problems,
            "problems": problems,
            "last_good_cycle": f"{datetime.fromtimestamp(seen.good, UTC):%Y-%m-%dT%H:%M:%SZ}" if seen.good else None,
            "last_good_age_seconds": age,
            "last_outcome": seen.outcome,
            "regions_failed": list(seen.failed),
            "regions_late": seen.late,
            "outbox": {"waiting": seen.waiting, "dead": seen.dead, "overdue": seen.overdue},
            "canary_lost": list(seen.canary_lost),
        }


def _problems(seen: _Seen, age: int | None) -> Iterator[str]:
    if age is None:
        yield "no cycle has read anything yet"
    elif age > TOO_OLD_SECONDS:
        yield f"the last good cycle was {duration(age)} ago"
    if seen.error:
        yield f"the last cycle could not be run: {seen.error}"
    for place, seconds in sorted(seen.late.items()):
        yield f"{place} was not read for {duration(seconds)}"
    for name, seconds in sorted(seen.overdue.items()):
        yield f"messages to {name} could not be delivered for {duration(seconds)}"
    for place in seen.canary_lost:
        yield f"no canary came back from {place}"


class HealthServer:
    """Answers `GET /healthz` from a thread of its own, while it is used as a context manager.

    Args:
        listen: a port of the loopback, or `address:port`; port 0 takes a free one.
        health: what is answered.

    Raises:
        ConfigError: that is no address, or it cannot be listened on.
    """

    def __init__(self, listen: str, health: Health) -> None:
        host, port = _address(listen)

        class Asked(_Asked):
            state = health

        class Server(ThreadingHTTPServer):
            address_family = AF_INET6 if ":" in host else AF_INET
            daemon_threads = True

        try:
            self._server = Server((host, port), Asked)
        except OSError as error:
            raise ConfigError(
                "watch.listen", f"cannot listen on {listen}: {error.strerror or error}", "choose another address"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="healthz", daemon=True)

    @property
    def url(self) -> str:
        """Where it answers."""
        host, port = self._server.server_address[:2]
        name = str(host)
        return f"http://{f'[{name}]' if ':' in name else name}:{port}{PATH}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Asked(BaseHTTPRequestHandler):
    state: Health
    timeout = ANSWER_SECONDS
    server_version = "trailwatch"
    sys_version = ""

    def do_GET(self) -> None:
        if not _is_ours(self.headers.get("Host", "")):
            # a page in a browser that gave its own name this address asks with that name
            self._send(HTTPStatus.MISDIRECTED_REQUEST, {"error": "ask by address or as localhost"})
        elif self.path.partition("?")[0] != PATH:
            self._send(HTTPStatus.NOT_FOUND, {"error": f"there is only {PATH}"})
        else:
            healthy, content = self.state.answer()
            self._send(HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE, content)

    do_HEAD = do_GET  # noqa: N815 the name that http.server looks for

    def log_message(self, *_: object) -> None:
        """Nothing: whoever asks every few seconds would fill the log."""

    def _send(self, status: HTTPStatus, content: dict[str, Any]) -> None:
        body = json.dumps(content, indent=1).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _is_ours(host: str) -> bool:
    """Whether a Host header names an address or this machine's loopback; names of others are not answered."""
    name = host[1 : host.find("]")] if host.startswith("[") else host.partition(":")[0]
    if name.lower() == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or LOOPBACK
    if not _is_ours(f"[{host}]") or not port.isdecimal() or int(port) > LAST_PORT:
        remedy = "write 8710 or 127.0.0.1:8710"
        raise ConfigError("watch.listen", f"expected a port or address:port, got {listen!r}", remedy)
    return host, int(port)
