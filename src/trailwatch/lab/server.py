"""Lab: simulated AWS accounts behind a real HTTP endpoint on loopback."""

from __future__ import annotations

import random
import socket
import threading
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import Any, ClassVar, Self

from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from werkzeug.serving import BaseWSGIServer, make_server

from trailwatch.clock import SystemClock
from trailwatch.lab.accounts import Key, open_account, open_root_key
from trailwatch.lab.app import LabApp, Seen
from trailwatch.lab.faults import Fault, Faults
from trailwatch.lab.guard_duty import GuardDuty
from trailwatch.lab.history import EventHistory
from trailwatch.lab.http import Connections, LabRequest
from trailwatch.lab.identities import Identities
from trailwatch.lab.limits import Limits, LookupGate
from trailwatch.lab.recorder import Recorder
from trailwatch.lab.sign_in import SignIn
from trailwatch.ports import Clock

FIRST_ACCOUNT = "123456789012"
HOST = "127.0.0.1"


class Lab:
    """Simulated AWS accounts, used as a context manager; only one may run in a process, because moto is global.

    Args:
        account: number of the first account.
        port: 0 for a free one.
        limits: how fast and how late event history answers; those of AWS when not given.
        faults: what goes wrong from the beginning; more may be added to `faults` while the lab runs.
        seed: of every random choice that the lab makes itself.
        clock: gives the time of events.
    """

    _running: ClassVar[Lab | None] = None
    _guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(
        self,
        *,
        account: str = FIRST_ACCOUNT,
        port: int = 0,
        limits: Limits | None = None,
        faults: Iterable[Fault] = (),
        seed: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self.account = account
        self.clock = clock or SystemClock()
        self.limits = limits or Limits()
        self.faults = Faults(seed, self.clock)
        for fault in faults:
            self.faults.add(fault)
        self.recorder = Recorder()
        self.admin: Key
        """The administrator's key of the first account, once the lab runs."""
        self._identities = Identities()
        self._port = port
        self._app = LabApp(
            account=account,
            recorder=self.recorder,
            history=EventHistory(self.recorder, self.limits, LookupGate(self.limits, self.clock), self.clock),
            limits=self.limits,
            faults=self.faults,
            identities=self._identities,
            clock=self.clock,
            chance=random.Random(seed),  # noqa: S311 ids of events, no secrets
        )
        self._connections = Connections()
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The endpoint, such as `http://127.0.0.1:40123`."""
        if self._server is None:
            raise RuntimeError("the lab does not run; use it in a with statement")
        return f"http://{HOST}:{self._server.port}"

    @property
    def calls(self) -> deque[Seen]:
        """Every call that reached the lab, oldest first."""
        return self._app.seen

    @property
    def guard_duty(self) -> GuardDuty:
        """The findings of the lab's accounts."""
        return self._app.guard_duty

    def environment(self, key: Key | None = None, region: str = "us-east-1") -> dict[str, str]:
        """The variables that point any AWS client to this lab; the process's own environment is left alone."""
        key = key or self.admin
        variables = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }
        return variables | ({"AWS_SESSION_TOKEN": key.session_token} if key.session_token else {})

    def open_account(self, account: str) -> Key:
        """An administrator's key of one more account."""
        return open_account(account)

    def root_key(self, account: str = "") -> Key:
        """An access key of an account's root user."""
        return open_root_key(account or self.account, self._identities)

    def console_login(
        self, user: str = "root", *, account: str = "", success: bool = True, mfa: bool = False, **more: str
    ) -> dict[str, Any]:
        """Signs somebody in to the console, which has no API; gives back the record.

        Args:
            user: IAM user name, or `root`.
            account: empty for the first account.
            success: False for a wrong password.
            mfa: whether a second factor was used.
            more: `region`, `source_address`, `user_agent`.
        """
        return self._app.console_login(SignIn(user=user, account=account, success=success, mfa=mfa, **more))

    def start(self) -> Self:
        """Begins to serve, on clean accounts."""
        with Lab._guard:
            if Lab._running is not None:
                raise RuntimeError("another lab runs in this process; stop it first, because moto's state is global")
            Lab._running = self
        try:
            BackendDict.reset()
            reset_model_data()
            self.admin = open_account(self.account)
            self._server = _serve(self._port, self._app)
            self._server.connections = self._connections
        except BaseException:
            Lab._running = None
            raise
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ends serving and closes every connection."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._connections.close()
            self._server = self._thread = None
            Lab._running = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _serve(port: int, app: LabApp) -> BaseWSGIServer:
    """A server on a socket of our own: werkzeug would leave the process when the port is taken."""
    with socket.create_server((HOST, port)) as listener:
        return make_server(
            HOST, listener.getsockname()[1], app, threaded=True, request_handler=LabRequest, fd=listener.fileno()
        )
