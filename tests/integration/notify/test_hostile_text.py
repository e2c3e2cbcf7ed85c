"""What an intruder writes into any field of a record arrives inert in every channel."""

import email
import email.policy
import html.parser
import io
import json
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest

from trailwatch.config.load import NOTIFIERS
from trailwatch.config.notifiers import Email
from trailwatch.model.message import Message
from trailwatch.notify.console import ConsoleNotifier
from trailwatch.notify.email import EmailNotifier

MARK = "zqxmarkzqx"
"""Stands in every hostile text, so that a test can tell that the text arrived at all."""

HOSTILE = {
    "html": f'{MARK}</td><script>alert(1)</script><img src="http://evil.example/x.png" onerror=alert(1)>',
    "attribute": f'{MARK}" style="position:fixed" onmouseover=\'x()',
    "template": f"{MARK}{{{{ 7 * 7 }}}}{{% include '/etc/passwd' %}}",
    "header": f"{MARK}\r\nBcc: thief@evil.example\r\n\r\nanother body",
    "ansi": f"{MARK}\x1b[2J\x1b[31m\x1b]0;title\x07\x9b31m",
    "direction": f"{MARK}\u202egnp.exe\u2066\u200f\u061c",
    "invisible": f"{MARK}\u200b\u2060\ufeff\u00ad",
    "surrogate": f"{MARK}\ud800\udfff",
    "nul": f"{MARK}\x00\x08\x7f",
    "line_breaks": f"{MARK}\u2028x\u2029y\x0bz\x0c\x85",
    "link": f"{MARK} http://evil.example/reset www.evil.example",
    "huge": MARK + "A" * 1_000_000,
    "encoded_word": f"=?utf-8?q?{MARK}=0D=0ABcc:_x@evil.example?=",
}

FIELDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "userAgent": lambda text: {"userAgent": text},
    "sourceIPAddress": lambda text: {"sourceIPAddress": text},
    "errorCode": lambda text: {"errorCode": text},
    "eventName": lambda text: {"eventName": text},
    "awsRegion": lambda text: {"awsRegion": text},
    "requestParameters": lambda text: {"requestParameters": {"name": text}},
    "user name": lambda text: {
        "userIdentity": {"type": "IAMUser", "userName": text, "arn": f"arn:aws:iam::1:user/{text}"}
    },
    "session name": lambda text: {
        "userIdentity": {
            "type": "AssumedRole",
            "arn": f"arn:aws:sts::123456789012:assumed-role/deploy/{text}",
            "accessKeyId": text,
            "sessionContext": {"sourceIdentity": text, "sessionIssuer": {"userName": text, "arn": text}},
        }
    },
}


def on_console(message: Message) -> dict[str, str]:
    stream = io.StringIO()
    ConsoleNotifier("console", stream, UTC).send(message)
    return {"text": stream.getvalue()}


def on_terminal(message: Message) -> dict[str, str]:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    ConsoleNotifier("console", stream, UTC).send(message)
    # colours of our own are no danger
    return {"text": re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())}


def by_email(message: Message) -> dict[str, str]:
    settings = Email(name="mail", to=("ops@example.org",))
    raw = EmailNotifier("mail", settings, None, UTC, hostname="watch.example.org").compose(message).as_bytes()
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert mail.keys() == [
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Trailwatch-Severity",
        "MIME-Version", "Content-Type",
    ]  # fmt: skip
    assert mail["Bcc"] is None
    text, page = mail.iter_parts()
    return {
        "subject": mail["Subject"] + "\n",
        "text": text.get_content().replace("\r\n", "\n"),
        "html": page.get_content().replace("\r\n", "\n"),
    }


CHANNELS = {"console": on_console, "terminal": on_terminal, "email": by_email}


def test_every_notifier_is_in_the_table():
    assert set(NOTIFIERS) - set(CHANNELS) == set()


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_text_arrives_inert(samples, attack, field, channel):
    record = samples.record(**FIELDS[field](HOSTILE[attack]))
    evidence = samples.evidence(record, reason=f"{field} is {HOSTILE[attack]}")
    alert = samples.alert(
        evidence, title=f"Seen: {HOSTILE[attack]}", context={"said": HOSTILE[attack], HOSTILE[attack]: "x"}
    )

    parts = CHANNELS[channel](samples.message(alert, principal=HOSTILE[attack], headline=HOSTILE[attack]))

    for part in parts.values():
        assert MARK in part
        assert not acting_characters(part)
        assert len(part) < 100_000
        assert "http://evil" not in part
        assert "www.evil" not in part
        assert "\nBcc:" not in part
    if "html" in parts:
        assert_harmless_page(parts["html"])


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_rule_authors_text_may_hold_anything_too(samples, channel):
    text = HOSTILE["html"] + HOSTILE["ansi"]
    rule = samples.rule(
        title=text, description=text, triage=(text,), false_positives=(text,), references=(f"javascript:{text}",),
        tactics=(text,), slug=text, respond=text,
    )  # fmt: skip

    parts = CHANNELS[channel](samples.message(samples.alert(rule=rule)))

    for part in parts.values():
        assert not acting_characters(part)
    if "html" in parts:
        assert_harmless_page(parts["html"])


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_message_about_trailwatch_itself_is_inert_too(samples, channel):
    text = "".join(HOSTILE[name] for name in ("html", "ansi", "direction", "nul", "link"))

    parts = CHANNELS[channel](samples.message(headline=text, body=text))

    for part in parts.values():
        assert not acting_characters(part)
        assert "http://evil" not in part
    if "html" in parts:
        assert_harmless_page(parts["html"])


@pytest.mark.parametrize("channel", CHANNELS)
def test_secrets_of_a_record_leave_by_no_channel(samples, channel):
    secrets = ["FwoGZXIvYXdzEXAMPLESESSIONTOKEN", "wJalrXUtnFEMIEXAMPLEKEY", "hunter2-hunter2"]
    record = samples.record(
        requestParameters={"name": "x", "password": secrets[2], "masterUserPassword": secrets[2]},
        responseElements={
            "credentials": {"sessionToken": secrets[0], "secretAccessKey": secrets[1], "accessKeyId": "ASIASHOWN"}
        },
        userAgent=f"agent that repeats {secrets[2]}",
    )
    rule = samples.rule(fields=("responseElements.credentials", "requestParameters.password"))
    reason = f"sessionToken is {secrets[0]}, cut short it is {secrets[0][:20]}..."
    evidence = samples.evidence(record, reason=reason)

    parts = CHANNELS[channel](samples.message(samples.alert(evidence, rule=rule, context={"token": secrets[1]})))

    for part in parts.values():
        assert [secret for secret in secrets if secret[:15] in part.replace("\n", "")] == []
    assert "ASIASHOWN" in parts["text"]


def test_evidence_that_is_no_json_is_still_told(samples):
    evidence = samples.evidence(raw=b'{"broken": \xff')

    parts = by_email(samples.message(samples.alert(evidence)))

    assert "203.0.113.7" in parts["text"]
    assert "arn:aws:iam::123456789012:role/deploy" in parts["subject"]


def acting_characters(text: str) -> set[str]:
    """Characters that a terminal, a mail reader or an eye would follow instead of showing."""
    found = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")}
    return {json.dumps(c) for c in found - {"\n"}}


class _Page(html.parser.HTMLParser):
    ALLOWED = frozenset(
        {"html", "head", "meta", "title", "style", "body", "table", "thead", "tbody", "tr", "td", "th"}
        | {"h1", "h2", "h3", "div", "span", "strong", "ul", "li", "br", "a"}
    )

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.ALLOWED:
            self.problems.append(f"<{tag}>")
        for name, value in attrs:
            if (
                name.startswith("on")
                or name == "src"
                or (name == "href" and not str(value).startswith("https://docs."))
            ):
                self.problems.append(f"{tag} {name}={value}")
            if name == "style" and re.search(r"url\(|position|expression|@import", str(value)):
                self.problems.append(f"{tag} {name}={value}")


def assert_harmless_page(page: str) -> None:
    """No tag, attribute or address that the template did not mean."""
    reader = _Page()
    reader.feed(page)
    assert reader.problems == []
