"""What an intruder writes into any field of a record arrives inert in every channel."""

import csv
import email
import email.policy
import html.parser
import io
import json
import re
import tempfile
import unicodedata
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from trailwatch.cli import scan, scan_output
from trailwatch.config.load import NOTIFIERS
from trailwatch.config.notifiers import Email, Webhook
from trailwatch.model.alert import Alert
from trailwatch.model.message import Conversation, Message
from trailwatch.notify.apprise import AppriseNotifier
from trailwatch.notify.console import ConsoleNotifier
from trailwatch.notify.email import EmailNotifier
from trailwatch.notify.jsonl import JsonLinesNotifier
from trailwatch.notify.slack import SlackNotifier, client_of
from trailwatch.notify.sns import SnsNotifier
from trailwatch.notify.webhook import WebhookNotifier

from .receivers import Receiver, SlackApi

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
    "slack": f"{MARK}<!channel> <@U0EVE> <http://evil.example/|click here> *bold* `code` ```block```",
    "markdown": f"{MARK} [click](http://evil.example/) ![x](http://evil.example/x.png) @everyone @here",
    "formula": f'=HYPERLINK("http://evil.example","{MARK}")',
    "json": f'{MARK}","severity":"low","x":"',
    "shell": f"{MARK}$(reboot) `reboot`; reboot | sh",
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


def by_sns(message: Message) -> dict[str, str]:
    request = SnsNotifier("topic", "arn:aws:sns:eu-west-1:123456789012:alerts", lambda _: None, UTC).request(message)
    assert len(request["Subject"]) < 100
    assert request["Subject"].isascii()
    assert len(request["Message"].encode()) < 256 * 1024
    assert {one["StringValue"] for one in request["MessageAttributes"].values()} <= {
        *("critical", "high", "alert", "notice", "123456789012"),
    }
    return {"text": request["Message"]}


def by_slack(message: Message) -> dict[str, str]:
    """What Slack parses for markup, and what it shows as it is."""
    with Receiver().serving() as receiver:
        api = SlackApi(receiver)
        client = client_of("xoxb-invented", f"{receiver.url}/api/", 5.0)
        SlackNotifier("slack", client, "C01", UTC, ("U1",)).send_in(message, Conversation())
        [posted] = api.messages.values()
        parsed, shown = posted["text"], []
        _assert_slack_shows(posted["blocks"], shown)
    # whatever is left of a bracket would be the beginning of a mention or a link
    assert not set(parsed) & set("<>")
    assert (posted["parse"], posted["link_names"], posted["unfurl_links"]) == ("none", False, False)
    return {"parsed": parsed + "\n", "text": "\n".join(shown)}


def _assert_slack_shows(blocks: list[dict[str, Any]], shown: list[str]) -> None:
    """Only elements in which nothing is markup, within what Slack takes."""
    assert len(blocks) <= 50
    for block in blocks:
        assert block["type"] in ("header", "rich_text", "context")
        for part in (block.get("text"), *block.get("elements", ())):
            if part is None:
                continue
            assert part["type"] in ("plain_text", "rich_text_section", "rich_text_preformatted")
            if part["type"] == "plain_text":
                assert len(part["text"]) <= (150 if block["type"] == "header" else 3000)
                shown.append(part["text"])
            for element in part.get("elements", ()):
                assert element["type"] == "text"
                assert 0 < len(element["text"]) <= 3000
                shown.append(element["text"])


def by_webhook(message: Message) -> dict[str, str]:
    with Receiver().serving() as receiver:
        settings = Webhook(name="hook", url=receiver.url)
        WebhookNotifier("hook", settings, receiver.url, "shared", UTC).send(message)
        [arrived] = receiver.arrived
    assert arrived.body.isascii()
    assert all("\n" not in value for value in arrived.headers.values())
    return _strings_of(arrived.json)


def as_jsonl(message: Message) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alerts.jsonl"
        JsonLinesNotifier("file", path, UTC).send(message)
        body = path.read_bytes()
    assert body.isascii()
    assert body.count(b"\n") == 1
    return _strings_of(json.loads(body))


def _strings_of(data: Any) -> dict[str, str]:
    assert data["severity"] in ("critical", "high"), "no text closes its string"
    found: list[str] = []
    waiting = [data]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, dict | list):
            waiting += one.values() if isinstance(one, dict) else one
    return {"text": "\n".join(found)}


def by_apprise(message: Message) -> dict[str, str]:
    with Receiver().serving() as receiver:
        AppriseNotifier("json", receiver.url.replace("http", "json", 1), UTC).send(message)
        told = receiver.arrived[0].json
    assert "@everyone" not in told["message"] + told["title"]
    assert "](" not in told["message"] + told["title"]
    assert not set(told["message"] + told["title"]) & set("<>")
    return {"title": told["title"] + "\n", "text": told["message"]}


CHANNELS = {
    "console": on_console,
    "terminal": on_terminal,
    "email": by_email,
    "sns": by_sns,
    "slack": by_slack,
    "webhook": by_webhook,
    "jsonl": as_jsonl,
    "apprise": by_apprise,
}


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
    if channel != "apprise":  # its few lines have no room for fields
        assert "ASIASHOWN" in parts["text"]


def as_csv(alert: Alert) -> str:
    stream = io.StringIO()
    scan_output.write_csv([scan_output.alert_row(alert)], scan_output.ALERT_FIELDS, stream)
    _, cells = csv.reader(io.StringIO(stream.getvalue()))
    assert [cell for cell in cells if cell.lstrip().startswith(FORMULA_STARTS)] == []
    return stream.getvalue()


def as_table(alert: Alert) -> str:
    stream = io.StringIO()
    scan_output.write_table([scan_output.alert_row(alert)], scan_output.ALERT_COLUMNS, stream)
    assert stream.getvalue().count("\n") == 2, "a line for each row, whatever stands in it"
    return stream.getvalue()


def as_lines_of_json(alert: Alert) -> str:
    stream = io.StringIO()
    scan_output.write_jsonl([scan_output.alert_row(alert)], stream)
    assert stream.getvalue().isascii()
    assert json.loads(stream.getvalue())["severity"] == "critical"
    return stream.getvalue()


FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "|", "%")
FORMATS = {"csv": as_csv, "table": as_table, "jsonl": as_lines_of_json}


def test_every_format_of_a_scan_is_in_the_table():
    [option] = [param for param in scan.command.params if param.name == "form"]

    assert set(option.type.choices) == set(FORMATS)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_text_is_inert_in_every_file(samples, attack, field, form):
    record = samples.record(**FIELDS[field](HOSTILE[attack]))
    evidence = samples.evidence(record, reason=f"{field} is {HOSTILE[attack]}")
    alert = samples.alert(evidence, title=HOSTILE[attack], principal=HOSTILE[attack], actor=HOSTILE[attack])

    text = FORMATS[form](alert)

    assert MARK in text
    assert not acting_characters(text)


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
        | {"h1", "h2", "h3", "div", "span", "strong", "ul", "li", "br", "a", "code"}
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
