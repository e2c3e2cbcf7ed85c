"""Webhooks as a receiver on loopback gets them."""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trailwatch.config.notifiers import Webhook
from trailwatch.errors import NotifyError
from trailwatch.notify.http import LONGEST_REST_SECONDS, seconds
from trailwatch.notify.slack_webhook import SlackWebhookNotifier
from trailwatch.notify.webhook import WebhookNotifier

from .receivers import DRIPS, DROPS, DROPS_HALF_WAY, HANGS, STOPS, refused

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PAGE = Path(__file__).parents[3] / "docs" / "notifications.md"


def webhook(receiver, secret="shared", **settings):  # noqa: S107 invented
    settings = Webhook(name="hook", url=f"{receiver.url}/alerts?team=a", timeout=1.0, **settings)
    return WebhookNotifier("hook", settings, settings.url, secret, UTC, now=lambda: NOW)


def slack_webhook(receiver):
    return SlackWebhookNotifier("slack", f"{receiver.url}/services/T0/B0/secret", UTC, 1.0)


CHANNELS = {"webhook": webhook, "slack": slack_webhook}


def test_a_webhook_gets_the_message_as_json_signed_with_the_time(receiver, samples):
    message = samples.attack()

    assert webhook(receiver).send(message) == "200 ok"

    [arrived] = receiver.arrived
    assert arrived.path == "/alerts?team=a"
    assert arrived.headers["Content-Type"] == "application/json"
    assert arrived.headers["X-Trailwatch-Id"] == message.id
    signed = arrived.headers["X-Trailwatch-Timestamp"].encode() + b"." + arrived.body
    expected = hmac.new(b"shared", signed, hashlib.sha256).hexdigest()
    assert arrived.headers["X-Trailwatch-Signature"] == f"v1={expected}"
    told = arrived.json
    assert (told["version"], told["severity"], told["kind"]) == (1, "critical", "alert")
    assert [alert["title"] for alert in told["alerts"]] == [
        "Trail logging stopped",
        "Access key made for another user",
    ]
    assert told["alerts"][1]["event_count"] == 3
    assert told["alerts"][0]["commands"][0] == "trailwatch alerts show 5f0c2d7e9b3a1c48"


def test_the_check_on_the_page_accepts_what_is_sent_and_nothing_else(receiver, samples):
    source = re.search(r"```python\n(import hashlib.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert source
    names: dict = {}
    exec(compile(source[1], str(PAGE), "exec"), names)  # noqa: S102 the page's own code is what is tested
    webhook(receiver).send(samples.attack())
    [arrived] = receiver.arrived
    is_genuine, now = names["is_genuine"], NOW.timestamp()

    assert is_genuine(arrived.headers, arrived.body, "shared", now)
    assert not is_genuine(arrived.headers, arrived.body, "another", now)
    assert not is_genuine(arrived.headers, arrived.body + b" ", "shared", now)
    assert not is_genuine(arrived.headers, arrived.body, "shared", now + 301), "an old message cannot be played again"
    assert not is_genuine({**arrived.headers, "X-Trailwatch-Timestamp": "1"}, arrived.body, "shared", 1)
    assert not is_genuine({}, arrived.body, "shared", now)


def test_without_a_secret_nothing_is_signed(receiver, samples):
    webhook(receiver, secret=None).send(samples.attack())

    assert "X-Trailwatch-Signature" not in receiver.arrived[0].headers


def test_a_slack_webhook_gets_blocks_with_the_command_to_paste(receiver, samples):
    slack_webhook(receiver).send(samples.attack())

    told = receiver.arrived[0].json
    assert told["text"] == "CRITICAL Trail logging stopped - role deploy as mallory in 123456789012 (+1)"
    assert told["blocks"][0]["text"]["text"] == "CRITICAL  Trail logging stopped"
    [pasted] = [
        element["elements"][0]["text"]
        for block in told["blocks"]
        for element in block.get("elements", ())
        if element["type"] == "rich_text_preformatted"
    ]
    assert pasted.splitlines() == [
        "trailwatch alerts show 5f0c2d7e9b3a1c48",
        "trailwatch alerts ack 5f0c2d7e9b3a1c48",
    ]
    assert told["unfurl_links"] is False
    assert len(told["blocks"]) <= 50


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize(
    ("behaviour", "said", "permanent", "rest"),
    [
        (HANGS, "no answer in time", False, None),
        (DRIPS, "no answer in time", False, None),
        (DROPS, "it dropped the connection", False, None),
        (DROPS_HALF_WAY, "its answer is no HTTP", False, None),
        (refused(429, b"slow down", Retry_After="120"), "429 slow down", False, 120.0),
        (refused(500, b"oops\x1b[2J"), r"500 oops\x1b[2J", False, None),
        (refused(503, Retry_After="Mon, 02 Mar 2020 09:00:00 GMT"), "503 no", False, 0.0),
        (refused(401), "401 no", False, None),
        (refused(404, b"no_service"), "404 no_service", False, None),
        (refused(302, Location="http://evil.example/"), "302", False, None),
        (refused(400, b"invalid_blocks"), "400 invalid_blocks", True, None),
        (refused(413), "413 no", True, None),
    ],
    ids=lambda value: str(getattr(value, "status", value))[:12],
)
def test_what_is_not_accepted_says_why_and_whether_to_try_again(
    receiver, samples, channel, behaviour, said, permanent, rest
):
    receiver.behaviour = behaviour

    with pytest.raises(NotifyError) as caught:
        CHANNELS[channel](receiver).send(samples.attack())

    assert said in str(caught.value)
    assert caught.value.permanent is permanent
    assert caught.value.retry_after == rest
    assert "secret" not in str(caught.value).replace("the secret", ""), "a URL that is a secret stays one"
    assert len(receiver.arrived) == 1, "a redirect leads nowhere, and nothing is tried twice"


@pytest.mark.parametrize("channel", CHANNELS)
def test_what_was_accepted_stays_accepted_when_the_rest_of_the_answer_is_lost(receiver, samples, channel):
    receiver.behaviour = STOPS

    assert CHANNELS[channel](receiver).send(samples.attack()) == "200 only a lit"


def test_a_receiver_that_is_not_there_is_tried_again(samples, receiver):
    hook = webhook(receiver)
    hook._url = "http://127.0.0.1:1/"

    with pytest.raises(NotifyError, match="Connection refused; it is tried again") as caught:
        hook.send(samples.attack())

    assert not caught.value.permanent


@pytest.mark.parametrize("url", ["ftp://example.org/", "file:///etc/passwd", "", "example.org"])
def test_only_web_addresses_are_called(samples, receiver, url):
    hook = webhook(receiver)
    hook._url = url

    with pytest.raises(NotifyError, match="expected an https:// URL"):
        hook.send(samples.attack())


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, None),
        ("", None),
        ("30", 30.0),
        ("-5", 0.0),
        ("1e9", LONGEST_REST_SECONDS),
        ("nan", None),
        ("soon", None),
        (f"{NOW + timedelta(days=9000):%a, %d %b %Y %H:%M:%S GMT}", LONGEST_REST_SECONDS),
    ],
)
def test_the_time_that_a_receiver_asks_for_is_bounded(header, wanted):
    assert seconds(header) == wanted
