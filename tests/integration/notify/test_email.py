"""E-mail as a real SMTP server on loopback receives it."""

import asyncio
import contextlib
import email
import email.policy
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from trailwatch.config.notifiers import Email
from trailwatch.errors import NotifyError
from trailwatch.model.message import Conversation, Kind
from trailwatch.model.severity import Severity
from trailwatch.notify.email import EmailNotifier

MADRID = ZoneInfo("Europe/Madrid")


class Inbox:
    """What arrived, and the answers that the server gives instead of its usual ones."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.senders: list[str] = []
        self.logins: list[str] = []
        self.answers: dict[str, str] = {}
        self.drop_at = ""
        self.pause = 0.0

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 aiosmtpd's name
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 aiosmtpd's name
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 aiosmtpd's name
        await asyncio.sleep(self.pause)
        if self.drop_at == "DATA":
            server.transport.abort()
            return "250 never seen"
        answer = self.answers.get("DATA", "250 2.0.0 queued as 4XyZ")
        if answer.startswith("250"):
            self.raw.append(envelope.content)
            self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
            self.recipients.append(envelope.rcpt_tos)
            self.senders.append(envelope.mail_from)
        return answer

    async def handle_QUIT(self, server: Any, _session: Any, _envelope: Any) -> str:  # noqa: N802 aiosmtpd's name
        if self.drop_at == "QUIT":
            server.transport.abort()
        return self.answers.get("QUIT", "221 Bye")

    def log_in(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, auth_data: Any) -> AuthResult:
        assert isinstance(auth_data, LoginPassword)
        self.logins.append(auth_data.login.decode())
        return AuthResult(success=auth_data.password == b"correct horse", handled=False)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate with its key, for localhost and 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def start(inbox: Inbox) -> Iterator[Callable[..., int]]:
    """Starts an SMTP server with the given options; its port comes back."""
    with contextlib.ExitStack() as running:

        def run(**options: Any) -> int:
            controller = Controller(inbox, hostname="127.0.0.1", port=_free_port(), **options)
            controller.start()
            running.callback(controller.stop)
            return int(controller.port)

        yield run


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def notifier(port: int, *, password: str | None = None, **settings: Any) -> EmailNotifier:
    fields: dict[str, Any] = {
        "name": "mail",
        "to": ("ops@example.org",),
        "host": "127.0.0.1",
        "port": port,
        "timeout": 5.0,
    }
    return EmailNotifier("mail", Email(**fields | settings), password, MADRID, hostname="watch.example.org")


def test_a_message_arrives_as_text_and_html_through_a_plain_relay_without_login(start, inbox, samples):
    answer = notifier(start()).send(samples.attack())

    (mail,) = inbox.mails
    text, html = mail.iter_parts()
    assert answer == "250 2.0.0 queued as 4XyZ"
    assert (
        mail["Subject"] == "[trailwatch] CRITICAL Trail logging stopped - role deploy as mallory in 123456789012 (+1)"
    )
    assert (mail["From"], mail["To"]) == ("trailwatch <trailwatch@watch.example.org>", "ops@example.org")
    assert inbox.senders == ["trailwatch@watch.example.org"]
    assert mail["Message-ID"] == "<m-0001@watch.example.org>"
    assert mail["Date"] == "Mon, 21 Sep 2026 14:14:20 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Trailwatch-Severity"] == "critical"
    assert mail.get_content_type() == "multipart/alternative"
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    for said in (
        "arn:aws:iam::123456789012:role/deploy",
        "mallory@example.org",
        "ASIAEXAMPLEKEY000000",
        "203.0.113.7",
        "eu-west-1",
        "2026-09-21 14:13:20 UTC",
        "16:13:20 CEST",
        "T1562.008",
        "trailwatch alerts show 5f0c2d7e9b3a1c48",
        "trailwatch alerts ack 5f0c2d7e9b3a1c48",
        "AccessDenied",
    ):
        assert said in text.get_content()
        assert said in html.get_content()


def test_every_line_on_the_wire_is_short_ascii(start, inbox, samples):
    record = samples.record(userAgent="é" * 2000)
    notifier(start()).send(samples.message(samples.alert(samples.evidence(record))))

    (raw,) = inbox.raw
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 78 + len("\r\n")


def test_starttls_with_a_login(start, inbox, samples, certificate):
    port = start(tls_context=_server_side(certificate), authenticator=inbox.log_in, require_starttls=True)

    notifier(port, security="starttls", ca_file=str(certificate), user="watch", password="correct horse").send(
        samples.attack()
    )

    assert len(inbox.mails) == 1
    assert inbox.logins == ["watch"]


def test_tls_from_the_first_byte(start, inbox, samples, certificate):
    port = start(ssl_context=_server_side(certificate))

    notifier(port, security="tls", ca_file=str(certificate)).send(samples.attack())

    assert len(inbox.mails) == 1


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_certificate_that_is_not_trusted_gets_no_mail_and_is_tried_again(
    start, inbox, samples, certificate, security
):
    server = _server_side(certificate)
    port = start(**({"ssl_context": server} if security == "tls" else {"tls_context": server}))

    with pytest.raises(NotifyError, match=r"certificate is not trusted.*set ca_file") as failure:
        notifier(port, security=security).send(samples.attack())

    assert not failure.value.permanent
    assert inbox.mails == []


def test_a_server_without_starttls_gets_no_mail_and_no_password(start, inbox, samples):
    port = start(authenticator=inbox.log_in, auth_require_tls=False)

    with pytest.raises(NotifyError, match=r"STARTTLS.*correct security") as failure:
        notifier(port, security="starttls", user="watch", password="correct horse").send(samples.attack())

    assert not failure.value.permanent
    assert (inbox.mails, inbox.logins) == ([], [])


def test_a_wrong_password_is_temporary_so_that_the_mail_goes_once_it_is_corrected(start, inbox, samples, certificate):
    port = start(tls_context=_server_side(certificate), authenticator=inbox.log_in, require_starttls=True)

    with pytest.raises(NotifyError, match=r"535.*correct user, password_env") as failure:
        notifier(port, security="starttls", ca_file=str(certificate), user="watch", password="wrong").send(
            samples.attack()
        )

    assert not failure.value.permanent
    assert "wrong" not in str(failure.value)


def test_a_refused_recipient_is_named_and_the_others_get_the_mail(start, inbox, samples):
    inbox.answers["gone@example.org"] = "550 5.1.1 no such user"

    answer = notifier(start(), to=("gone@example.org", "ops@example.org")).send(samples.attack())

    assert inbox.recipients == [["ops@example.org"]]
    assert answer == "250 2.0.0 queued as 4XyZ; refused for gone@example.org: 550 5.1.1 no such user"


@pytest.mark.parametrize(
    ("answers", "permanent"),
    [
        ({"ops@example.org": "550 5.1.1 no such user"}, True),
        ({"ops@example.org": "451 4.7.1 greylisted"}, False),
        ({"MAIL": "553 5.7.1 sender refused"}, True),
        ({"MAIL": "452 4.3.1 disk full"}, False),
        ({"DATA": "554 5.6.0 looks like spam"}, True),
        ({"DATA": "421 4.3.2 shutting down"}, False),
    ],
)
def test_a_5xx_answer_is_permanent_and_a_4xx_answer_is_not(start, inbox, samples, answers, permanent):
    inbox.answers.update(answers)

    with pytest.raises(NotifyError) as failure:
        notifier(start()).send(samples.attack())

    (answer,) = answers.values()
    assert failure.value.permanent is permanent
    assert answer in str(failure.value)


def test_one_recipient_refused_for_ever_and_one_for_now_is_temporary(start, inbox, samples):
    inbox.answers.update({"gone@example.org": "550 no such user", "ops@example.org": "450 try later"})

    with pytest.raises(NotifyError, match=r"550 no such user; ops@example\.org: 450 try later") as failure:
        notifier(start(), to=("gone@example.org", "ops@example.org")).send(samples.attack())

    assert not failure.value.permanent


def test_a_connection_dropped_in_the_middle_is_temporary(start, inbox, samples):
    inbox.drop_at = "DATA"

    with pytest.raises(NotifyError, match="it is tried again") as failure:
        notifier(start()).send(samples.attack())

    assert not failure.value.permanent


@pytest.mark.parametrize("rude", ["drop", "refuse"])
def test_a_mail_that_was_accepted_stays_sent_when_the_goodbye_fails(start, inbox, samples, rude):
    if rude == "drop":
        inbox.drop_at = "QUIT"
    else:
        inbox.answers["QUIT"] = "554 no goodbye"

    assert notifier(start()).send(samples.attack()).startswith("250")
    assert len(inbox.mails) == 1


def test_nobody_listening_is_temporary(samples):
    with pytest.raises(
        NotifyError, match=r"mail \(127.0.0.1:\d+\): mail not accepted: Connection refused"
    ) as failure:
        notifier(_free_port()).send(samples.attack())

    assert not failure.value.permanent


def test_a_server_that_does_not_answer_costs_one_timeout(samples):
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(NotifyError, match="no answer within 1 s; it is tried again") as failure,
    ):
        notifier(silent.getsockname()[1], timeout=1.0).send(samples.attack())

    assert not failure.value.permanent


def test_a_server_that_drips_its_answer_is_left_after_one_timeout(samples):
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                while not stop.wait(0.05):
                    connection.sendall(b"220-wait\r\n")

        talking = threading.Thread(target=drip)
        talking.start()
        with pytest.raises(NotifyError, match="no answer within 1 s") as failure:
            notifier(server.getsockname()[1], timeout=1.0).send(samples.attack())
        stop.set()
        talking.join()

    assert not failure.value.permanent


def test_a_greeting_that_refuses_service_is_temporary(samples):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"554 no service\r\n")

        talking = threading.Thread(target=refuse)
        talking.start()
        with pytest.raises(NotifyError, match="554 no service") as failure:
            notifier(server.getsockname()[1]).send(samples.attack())
        talking.join()

    assert not failure.value.permanent


def test_a_slow_server_that_stays_within_the_timeout_gets_the_mail(start, inbox, samples):
    inbox.pause = 0.3

    assert notifier(start(), timeout=2.0).send(samples.attack()).startswith("250")


def test_what_a_server_answers_is_shown_inert(start, inbox, samples):
    inbox.answers["DATA"] = "554 \x1b[2Jgone"

    with pytest.raises(NotifyError) as failure:
        notifier(start()).send(samples.attack())

    assert "\x1b" not in str(failure.value)


def test_sending_again_says_the_same_under_the_same_id(start, inbox, samples):
    sender = notifier(start())
    sender.send(samples.attack())
    sender.send(samples.attack())

    first, second = inbox.mails
    assert first.items()[:6] == second.items()[:6]
    assert first["Message-ID"] == second["Message-ID"]
    assert [part.get_content() for part in first.iter_parts()] == [part.get_content() for part in second.iter_parts()]


def test_a_message_about_trailwatch_itself_has_its_headline_as_subject(start, inbox, samples):
    message = samples.message(headline="No good cycle for 15 minutes", body="The last one ended at 14:00.\nSee cron.")

    notifier(start()).send(message)

    (mail,) = inbox.mails
    text, html = mail.iter_parts()
    assert mail["Subject"] == "[trailwatch] No good cycle for 15 minutes"
    for part in (text, html):
        assert "The last one ended at 14:00.\nSee cron." in part.get_content().replace("\r\n", "\n")


def test_a_sender_of_ones_own_gives_its_domain_to_the_message_id(start, inbox, samples):
    notifier(start(), sender="Watch <watch@alerts.example.com>").send(samples.attack())

    (mail,) = inbox.mails
    assert (mail["From"], mail["Message-ID"]) == ("Watch <watch@alerts.example.com>", "<m-0001@alerts.example.com>")
    assert inbox.senders == ["watch@alerts.example.com"]


@pytest.mark.parametrize(("security", "port"), [("plain", 25), ("starttls", 587), ("tls", 465)])
def test_the_port_follows_from_the_security(security, port):
    assert f":{port})" in notifier(0, security=security)._origin


def test_more_of_an_incident_goes_into_the_same_conversation(start, inbox, samples):
    first = samples.attack()
    later = msgspec.structs.replace(first, id="m-0003", kind=Kind.UPDATE, body="1 new alert.")
    mail = notifier(start())
    mail.send_in(first, Conversation())
    mail.send_in(later, Conversation(earlier=("m-0001", "m-0002"), opening=first))

    opening, reply = inbox.mails
    assert opening["References"] is None
    assert opening["Message-ID"] == "<m-0001@watch.example.org>"
    assert reply["In-Reply-To"] == "<m-0002@watch.example.org>"
    assert reply["References"].split() == ["<m-0001@watch.example.org>", "<m-0002@watch.example.org>"]
    assert reply["Subject"] == f"Re: {opening['Subject']}"
    assert reply.get_body(("plain",)).get_content().startswith("1 new alert.")


def test_what_makes_an_incident_worse_says_so_in_the_subject(start, inbox, samples):
    first = samples.message(samples.alert(rule=samples.rule(severity=Severity.MEDIUM, title="Role assumed")))
    worse = msgspec.structs.replace(samples.attack(), id="m-0003", kind=Kind.UPDATE)
    notifier(start()).send_in(worse, Conversation(earlier=("m-0001",), opening=first))

    assert inbox.mails[0]["Subject"].startswith("Re: [trailwatch] CRITICAL Trail logging stopped")
