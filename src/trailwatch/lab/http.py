"""The HTTP side of the lab: werkzeug's server, with connections that stay open.

werkzeug closes the connection after each answer and waits 10 ms for stray bytes; a poller that asks 17 regions
would measure that instead of itself.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

from moto.server import MotoRequestHandler

from trailwatch.lab.faults import Cut


class Connections:
    """The open connections, so that the lab can close them when it ends."""

    def __init__(self) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def add(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)

    def remove(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def close(self) -> None:
        """Cuts every connection that a client still keeps open."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class LabRequest(MotoRequestHandler):  # type: ignore[misc]  # werkzeug's classes are Any here
    """Serves one connection of a client; the server has `connections`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.remove(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 werkzeug's signature
        """Says nothing: the lab's calls are in its recorder."""

    def run_wsgi(self) -> None:
        if self.headers.get("Expect", "").strip().lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        begun: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> None:
            begun[:] = [status, headers]

        try:
            body = b"".join(self.server.app(self.make_environ(), start_response))
        except Cut:
            self.close_connection = True
            return
        self._answer(begun[0], begun[1], body)

    def _answer(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        code, _, phrase = status.partition(" ")
        self.send_response(int(code), phrase)
        names = {name.lower() for name, _ in headers}
        for name, value in headers:
            self.send_header(name, value)
        if "content-length" not in names:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
