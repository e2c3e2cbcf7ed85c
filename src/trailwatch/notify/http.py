"""One POST, as channels over HTTP need it: no redirects, a bounded answer, and an end to slow servers."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from trailwatch.errors import NotifyError
from trailwatch.notify.plain import inert
from trailwatch.version import __version__

ANSWER_KEPT = 300
ANSWER_READ = 64 * 1024
SHORTEST_TIMEOUT_SECONDS = 1.0
LONGEST_REST_SECONDS = 3600.0
TRIED_AGAIN = frozenset({408, 425, 429})
"""Client errors that pass by themselves."""
SETTING_IS_WRONG = frozenset({401, 403, 404, 407})
"""Tried again as well: the message must still go once the setting is right."""


class _Watched:
    """Cuts the connection when the whole answer takes too long: a socket's time-out begins anew with each byte."""

    sock: Any
    timeout: Any
    _overdue = False

    def getresponse(self) -> http.client.HTTPResponse:
        watch = threading.Timer(float(self.timeout), self._cut)
        watch.daemon = True
        watch.start()
        try:
            answer: http.client.HTTPResponse = super().getresponse()  # type: ignore[misc]  # of the class beside it
            if self._overdue:
                # what looks like the end of the headers is our own cut
                answer.close()
                raise TimeoutError
            body = answer.read(ANSWER_READ)
        except (OSError, http.client.HTTPException) as error:
            if self._overdue:
                raise TimeoutError from error
            raise
        finally:
            watch.cancel()
        answer.read = lambda *_: body  # type: ignore[method-assign]  # it was read under the watch
        return answer

    def _cut(self) -> None:
        self._overdue = True
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


class _Connection(_Watched, http.client.HTTPConnection):
    pass


class _TlsConnection(_Watched, http.client.HTTPSConnection):
    pass


class _Plain(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, request)


class _Tls(urllib.request.HTTPSHandler):
    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._trust = context

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_TlsConnection, request, context=self._trust)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A message goes where the configuration says, and nowhere else."""
        return


def post(
    origin: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout: float,
    ca_file: str = "",
) -> str:
    """What the receiver answered, with its status, on one line. Honours the usual proxy variables.

    Args:
        origin: the notifier, for errors; the URL may be secret and is never in them.
        url: http or https.
        body: what is sent.
        headers: Content-Type among them.
        timeout: seconds for connecting and for the whole answer.
        ca_file: certificates to trust; empty for the system's.

    Raises:
        NotifyError: it was not accepted.
    """
    if not url.startswith(("https://", "http://")):
        raise NotifyError(origin, "expected an https:// URL", "correct it")
    request = urllib.request.Request(  # noqa: S310 its scheme was just looked at
        url, data=body, method="POST", headers={"User-Agent": f"trailwatch/{__version__}", **headers}
    )
    try:
        trust = ssl.create_default_context(cafile=ca_file or None)
        opener = urllib.request.build_opener(_Plain(), _Tls(trust), _NoRedirects())
        with opener.open(request, timeout=max(timeout, SHORTEST_TIMEOUT_SECONDS)) as answer:
            return _shown(answer.status, answer.read(ANSWER_READ))
    except urllib.error.HTTPError as error:
        raise refusal(origin, error.code, error.read(ANSWER_READ), error.headers.get("Retry-After")) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotifyError(origin, f"not accepted: {_told(error)}", "it is tried again") from error


def refusal(origin: str, status: int, body: bytes, retry_after: str | None) -> NotifyError:
    """The error for an answer that is no success."""
    client_error = 400 <= status < 500  # noqa: PLR2004 the class of statuses
    permanent = client_error and status not in TRIED_AGAIN | SETTING_IS_WRONG
    remedy = "it is tried again"
    if permanent:
        remedy = "the receiver will never take this message; look at its answer"
    elif status in SETTING_IS_WRONG or 300 <= status < 400:  # noqa: PLR2004 the class of statuses
        remedy = "correct the URL or the secret; it is tried again"
    return NotifyError(
        origin, f"not accepted: {_shown(status, body)}", remedy, permanent=permanent, retry_after=seconds(retry_after)
    )


def seconds(retry_after: str | None) -> float | None:
    """The header as seconds from now; None where it says nothing that can be read."""
    if not retry_after:
        return None
    try:
        wanted = float(retry_after)
    except ValueError:
        try:
            when = email.utils.parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        wanted = (when - datetime.now(when.tzinfo or UTC)).total_seconds()
    return min(max(0.0, wanted), LONGEST_REST_SECONDS) if wanted == wanted else None  # noqa: PLR0124 not a number


def _shown(status: int, body: bytes) -> str:
    text = inert(body.decode("utf-8", "replace").strip(), ANSWER_KEPT)
    return f"{status} {text}".strip()


def _told(error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {inert(reason.verify_message)}"
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(reason, http.client.RemoteDisconnected | ConnectionResetError | http.client.IncompleteRead):
        return "it dropped the connection"
    if isinstance(reason, http.client.BadStatusLine):
        return f"its answer is no HTTP: {inert(str(reason))}"
    if isinstance(reason, OSError) and reason.strerror:
        return inert(reason.strerror)
    return inert(str(reason)) or type(reason).__name__
