"""Messages as e-mail over SMTP: text and HTML in one, each attempt the same bytes."""

from __future__ import annotations

import contextlib
import functools
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING

from trailwatch.config.notifiers import Email
from trailwatch.errors import NotifyError
from trailwatch.model.message import Conversation, Message, Receipt
from trailwatch.notify.plain import inert
from trailwatch.notify.wording import as_html, as_text, subject

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PORTS = {"plain": 25, "starttls": 587, "tls": 465}
_PERMANENT = 5
"""First digit of an SMTP reply code that says: do not try again."""
_GOODBYE_SECONDS = 2.0
_SHORTEST_TIMEOUT_SECONDS = 1.0


class _Connection(smtplib.SMTP):
    """Waits `timeout` for each whole answer, and remembers what the server said when it took the mail."""

    answer = ""
    _overdue = False

    def getreply(self) -> tuple[int, bytes]:
        # the socket's own timeout begins again with each byte, so a server that drips could hold a cycle for ever
        watch = threading.Timer(self.timeout, self._cut)
        watch.daemon = True
        watch.start()
        try:
            return super().getreply()
        except smtplib.SMTPServerDisconnected as error:
            if self._overdue or isinstance(error.__context__, TimeoutError):
                raise smtplib.SMTPServerDisconnected(f"no answer within {self.timeout:g} s") from error
            raise
        finally:
            watch.cancel()

    def _cut(self) -> None:
        self._overdue = True
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)

    def data(self, msg: ReadableBuffer | str) -> tuple[int, bytes]:
        code, text = super().data(msg)
        self.answer = _reply(code, text)
        return code, text


class _TlsConnection(_Connection, smtplib.SMTP_SSL):
    pass


class EmailNotifier:
    """Sends each message to all recipients in one transaction, as `trailwatch.ports.Converser`.

    A recipient that the server refuses does not hold the mail back from the others: it is sent, and the answer names
    the refused ones. Only a 5xx answer to this very mail is permanent; a wrong password, an untrusted certificate or
    a missing STARTTLS is temporary, because the mail must still go once the setting is right.

    Args:
        name: how outputs call it.
        settings: server, security, sender and recipients.
        password: for `settings.user`; None for a relay without login.
        zone: for local times; None for the machine's.
        hostname: this host as the sender's domain and in Message-ID; None to ask the system.
    """

    def __init__(
        self,
        name: str,
        settings: Email,
        password: str | None,
        zone: tzinfo | None,
        *,
        hostname: str | None = None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._password = password
        self._zone = zone
        self._given_hostname = hostname
        self._port = settings.port or PORTS[settings.security]
        self._origin = f"{name} ({settings.host}:{self._port})"

    @functools.cached_property
    def _hostname(self) -> str:
        # asking the system can mean asking a slow name server, so only who sends pays for it
        return _domain(self._given_hostname or socket.getfqdn())

    def send(self, message: Message) -> str:
        return self.send_in(message, Conversation()).answer

    def send_in(self, message: Message, conversation: Conversation) -> Receipt:
        mail = self.compose(message, conversation)
        try:
            connection = self._connect()
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            raise self._failure(error, may_be_permanent=False) from error
        try:
            refused = connection.send_message(mail, self._envelope_sender(), list(self._settings.to))
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            raise self._failure(error, may_be_permanent=True) from error
        else:
            return Receipt(_accepted(connection.answer, refused))
        finally:
            # the mail's fate is known: a server that is rude at the end changes nothing
            _leave(connection)

    def compose(self, message: Message, conversation: Conversation | None = None) -> EmailMessage:
        """The mail; the same message gives the same mail but for the MIME boundary.

        Args:
            message: what is told.
            conversation: what this notifier delivered before of the same incident; mail readers show it with that.
        """
        earlier = conversation.earlier if conversation else ()
        mail = EmailMessage(policy=SMTP)
        mail["From"] = self._sender()
        mail["To"] = ", ".join(self._settings.to)
        mail["Subject"] = _subject(message, conversation)
        mail["Date"] = format_datetime(datetime.fromtimestamp(message.created, UTC))
        mail["Message-ID"] = self._id(message.id)
        if earlier:
            mail["In-Reply-To"] = self._id(earlier[-1])
            mail["References"] = " ".join(self._id(one) for one in earlier)
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Trailwatch-Severity"] = message.severity.value
        mail.set_content(as_text(message, self._zone), cte="quoted-printable")
        mail.add_alternative(as_html(message, self._zone), subtype="html", cte="quoted-printable")
        return mail

    def _id(self, message_id: str) -> str:
        return f"<{re.sub(r'[^A-Za-z0-9._-]', '-', message_id)}@{self._domain()}>"

    def _sender(self) -> str:
        return self._settings.sender or f"trailwatch <trailwatch@{self._hostname}>"

    def _envelope_sender(self) -> str:
        return parseaddr(self._sender())[1]

    def _domain(self) -> str:
        """Of the sender: receivers trust an id of another domain less."""
        return _domain(self._envelope_sender().rpartition("@")[2])

    def _connect(self) -> _Connection:
        settings = self._settings
        timeout = max(settings.timeout, _SHORTEST_TIMEOUT_SECONDS)
        connection: _Connection
        if settings.security == "tls":
            connection = _TlsConnection(
                settings.host, self._port, self._hostname, timeout=timeout, context=self._trust()
            )
        else:
            connection = _Connection(settings.host, self._port, self._hostname, timeout=timeout)
        try:
            if settings.security == "starttls":
                connection.starttls(context=self._trust())
            if settings.user:
                connection.login(settings.user, self._password or "")
        except BaseException:
            _leave(connection)
            raise
        return connection

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._settings.ca_file or None)

    def _failure(self, error: Exception, *, may_be_permanent: bool) -> NotifyError:
        codes = _reply_codes(error)
        permanent = may_be_permanent and bool(codes) and all(code // 100 == _PERMANENT for code in codes)
        return NotifyError(
            self._origin, f"mail not accepted: {_told(error)}", _remedy(error, permanent), permanent=permanent
        )


def _subject(message: Message, conversation: Conversation | None) -> str:
    """That of the first mail again, because some readers keep together only what is called the same.

    A mail about something worse than the first says so itself.
    """
    opening = conversation.opening if conversation else None
    if opening is None:
        return subject(message)
    return f"Re: {subject(message if message.severity > opening.severity else opening)}"


def _accepted(answer: str, refused: Mapping[str, tuple[int, bytes]]) -> str:
    if not refused:
        return answer
    names = "; ".join(f"{inert(name)}: {_reply(code, text)}" for name, (code, text) in sorted(refused.items()))
    return f"{answer}; refused for {names}"


def _leave(connection: smtplib.SMTP) -> None:
    with contextlib.suppress(smtplib.SMTPException, OSError):
        if connection.sock is not None:
            connection.sock.settimeout(_GOODBYE_SECONDS)
            connection.quit()
    connection.close()


def _reply_codes(error: Exception) -> list[int]:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return [code for code, _ in error.recipients.values()]
    if isinstance(error, smtplib.SMTPResponseException):
        return [error.smtp_code]
    # SMTPUTF8 is needed for an address and the server has none; no answer code says so
    return [550] if isinstance(error, smtplib.SMTPNotSupportedError | UnicodeError) else []


def _told(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        refused = sorted(error.recipients.items())
        return "; ".join(f"{inert(name)}: {_reply(code, text)}" for name, (code, text) in refused)
    if isinstance(error, smtplib.SMTPResponseException):
        return _reply(error.smtp_code, error.smtp_error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {inert(error.verify_message)}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return inert(error.strerror)
    return inert(str(error)) or type(error).__name__


def _remedy(error: Exception, permanent: bool) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "correct user, password_env or password_file"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "set ca_file, or use the name that the certificate is for as host"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "correct security, user or to"
    if permanent:
        return "correct sender or to, or ask the server's owner"
    return "it is tried again"


def _reply(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {inert(words)}"


def _domain(hostname: str) -> str:
    # a machine without a name must not give mail without a domain
    return re.sub(r"[^A-Za-z0-9.-]", "-", hostname).strip(".-") or "localhost"
