"""Receivers on loopback that speak HTTP for real, answer as they are told, and keep what arrived."""

import json
import socket
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

PATIENCE = 5.0
"""Seconds that a receiver hangs at most; every test is over long before."""


class Arrived(NamedTuple):
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(self.body.decode()))


class Answer(NamedTuple):
    status: int = 200
    body: bytes = b"ok"
    headers: tuple[tuple[str, str], ...] = ()


HANGS, DROPS, DROPS_HALF_WAY, DRIPS, STOPS = "hangs", "drops", "drops half way", "drips", "stops"
"""`STOPS`: says that it took the message, and then no more."""
Behaviour = Answer | str
ACCEPTS = Answer()


class Receiver:
    """What arrived, and what is answered: `behaviour` to everything, or what `reply` says."""

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.behaviour: Behaviour = ACCEPTS
        self.reply: Callable[[Arrived], Answer] | None = None
        self.released = threading.Event()
        self.url = ""

    @property
    def accepted(self) -> list[Arrived]:
        return self._accepted

    @contextmanager
    def serving(self) -> Iterator["Receiver"]:
        receiver = self
        self._accepted: list[Arrived] = []

        class Handling(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                receiver.answer(self, Arrived(self.path, dict(self.headers), self.rfile.read(length)))

            do_GET = do_PUT = do_POST  # noqa: N815 the library's names

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handling)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            self.released.set()
            server.shutdown()
            server.server_close()
            thread.join(PATIENCE)

    def answer(self, connection: BaseHTTPRequestHandler, arrived: Arrived) -> None:
        self.arrived.append(arrived)
        behaviour = self.behaviour
        connection.close_connection = True
        if behaviour == HANGS:
            self.released.wait(PATIENCE)
        elif behaviour == DRIPS:
            self._drip(connection)
        elif behaviour == DROPS:
            connection.connection.shutdown(socket.SHUT_RDWR)
        elif behaviour == DROPS_HALF_WAY:
            self._say(connection, b"HTTP/1.1 2")
        elif behaviour == STOPS:
            self._accepted.append(arrived)
            self._say(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly a lit")
        else:
            assert isinstance(behaviour, Answer)
            answer = behaviour
            if answer.status < 300:
                self._accepted.append(arrived)
                answer = self.reply(arrived) if self.reply else answer
            connection.send_response(answer.status)
            for name, value in answer.headers:
                connection.send_header(name, value)
            connection.send_header("Content-Length", str(len(answer.body)))
            connection.send_header("Connection", "close")
            connection.end_headers()
            connection.wfile.write(answer.body)

    @staticmethod
    def _say(connection: BaseHTTPRequestHandler, text: bytes) -> None:
        connection.wfile.write(text)
        connection.wfile.flush()
        connection.connection.shutdown(socket.SHUT_RDWR)

    def _drip(self, connection: BaseHTTPRequestHandler) -> None:
        """A byte now and then: no single wait is long, the whole never ends."""
        try:
            connection.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.released.wait(0.05):
                connection.wfile.write(b"X")
                connection.wfile.flush()
        except OSError:
            return


def refused(status: int, body: bytes = b"no", **headers: str) -> Answer:
    return Answer(status, body, tuple((name.replace("_", "-"), value) for name, value in headers.items()))


class SlackApi:
    """As much of Slack as a bot uses: messages with time stamps, threads, edits, reactions and replies."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        receiver.reply = self._reply
        self.messages: dict[str, dict[str, Any]] = {}
        self.edits: list[tuple[str, dict[str, Any]]] = []
        self.calls: list[str] = []
        self.reactions: dict[str, list[dict[str, Any]]] = {}
        self.gone: set[str] = set()
        self._count = 0

    @property
    def roots(self) -> list[str]:
        return [stamp for stamp, message in self.messages.items() if not message.get("thread_ts")]

    def below(self, root: str) -> list[dict[str, Any]]:
        return [message for message in self.messages.values() if message.get("thread_ts") == root]

    def react(self, stamp: str, name: str, *users: str) -> None:
        self.reactions.setdefault(stamp, []).append({"name": name, "users": list(users), "count": len(users)})

    def say(self, root: str, user: str, text: str, **more: Any) -> str:
        stamp = self._stamp()
        self.messages[stamp] = {"ts": stamp, "thread_ts": root, "user": user, "text": text, **more}
        return stamp

    def _stamp(self) -> str:
        self._count += 1
        return f"1790000000.{self._count:06d}"

    def _reply(self, arrived: Arrived) -> Answer:
        method = arrived.path.strip("/").rpartition("/")[2].partition("?")[0]
        self.calls.append(method)
        assert arrived.headers["Authorization"] == "Bearer xoxb-invented"
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(arrived.path).query))
        is_json = "json" in arrived.headers.get("Content-Type", "")
        given = query | (arrived.json if is_json else arrived.form)
        answer = getattr(self, method.replace(".", "_"))(given)
        return Answer(200, json.dumps(answer).encode(), (("Content-Type", "application/json"),))

    def chat_postMessage(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 Slack's name
        if given.get("thread_ts") in self.gone:
            return {"ok": False, "error": "thread_not_found"}
        stamp = self._stamp()
        self.messages[stamp] = {**given, "ts": stamp, "user": "UBOT", "bot_id": "B1"}
        return {"ok": True, "channel": given["channel"], "ts": stamp}

    def chat_update(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["ts"] in self.gone:
            return {"ok": False, "error": "message_not_found"}
        self.edits.append((given["ts"], given))
        self.messages[given["ts"]] |= given
        return {"ok": True, "channel": given["channel"], "ts": given["ts"]}

    def reactions_get(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["timestamp"] in self.gone:
            return {"ok": False, "error": "message_not_found"}
        return {"ok": True, "message": {"reactions": self.reactions.get(given["timestamp"], [])}}

    def conversations_replies(self, given: dict[str, Any]) -> dict[str, Any]:
        root = given["ts"]
        found = [m for stamp, m in self.messages.items() if stamp == root or m.get("thread_ts") == root]
        return {"ok": True, "messages": found, "has_more": False}
