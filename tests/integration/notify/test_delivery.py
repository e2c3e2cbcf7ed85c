"""Outbox, relay and every channel against receivers that fail in every way: nothing lost, nothing twice."""

import asyncio
import email
import email.policy
import re
import socket
from collections import Counter
from contextlib import contextmanager
from datetime import UTC

import boto3
import pytest
from aiosmtpd.controller import Controller
from botocore.config import Config

from trailwatch.config.notifiers import Email, Webhook
from trailwatch.model.message import Kind, Message
from trailwatch.notify.apprise import AppriseNotifier
from trailwatch.notify.email import EmailNotifier
from trailwatch.notify.slack import SlackNotifier, client_of
from trailwatch.notify.slack_webhook import SlackWebhookNotifier
from trailwatch.notify.sns import SnsNotifier
from trailwatch.notify.webhook import WebhookNotifier
from trailwatch.relay import Policy, relay
from trailwatch.store.outbox import OutboxState
from trailwatch.testing import FixedClock

from .receivers import ACCEPTS, DROPS, DROPS_HALF_WAY, HANGS, STOPS, Answer, Receiver, SlackApi, refused

START = 1_790_000_000
MINUTE, HOUR = 60, 3600
TIMEOUT = 1.0
NUMBER = re.compile(r"number-(\d+)-of-(\w+)")


class OverHttp:
    def __init__(self, receiver, notifier):
        self.receiver, self.notifier = receiver, notifier

    def fail(self, how):
        self.receiver.behaviour = HTTP_FAILURES[how]

    def mend(self):
        self.receiver.behaviour = ACCEPTS

    def got(self):
        # a bot edits the message that it sent first, which repeats nothing
        sent = [arrived for arrived in self.receiver.accepted if not arrived.path.endswith("chat.update")]
        return [NUMBER.search(arrived.body.decode()).groups() for arrived in sent]


HTTP_FAILURES = {
    "time-out": HANGS,
    "too many": refused(429, b"slow down", Retry_After="600"),
    "server error": refused(500),
    "drops the connection": DROPS,
    "drops half way": DROPS_HALF_WAY,
}


class Smtp:
    """A mail server that fails as it is told."""

    def __init__(self):
        self.mails = []
        self.failure = ""

    async def handle_DATA(self, server, _session, envelope):  # noqa: N802 aiosmtpd's name
        if self.failure == "time-out":
            await asyncio.sleep(TIMEOUT + 0.3)
            return "451 too late to be heard"
        if self.failure == "too many":
            return "421 4.7.0 too many messages"
        if self.failure == "server error":
            return "451 4.3.0 try again later"
        if self.failure:
            if self.failure == "drops half way":
                server.transport.write(b"250-2.0")
            server.transport.abort()
            return "250 never seen"
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 2.0.0 queued"

    def fail(self, how):
        self.failure = how

    def mend(self):
        self.failure = ""

    def got(self):
        return [NUMBER.search(mail["Message-ID"]).groups() for mail in self.mails]


@contextmanager
def over_smtp():
    server = Smtp()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(server, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        settings = Email(
            name="x", to=("a@example.org",), host="127.0.0.1", port=port,
            timeout=TIMEOUT,
        )  # fmt: skip
        server.notifier = EmailNotifier("x", settings, None, UTC, hostname="watch.example.org")
        yield server
    finally:
        controller.stop()


def _http(make):
    @contextmanager
    def opened():
        with Receiver().serving() as receiver:
            yield OverHttp(receiver, make(receiver))

    return opened


def _slack(receiver):
    SlackApi(receiver)
    return SlackNotifier("x", client_of("xoxb-invented", f"{receiver.url}/api/", TIMEOUT), "C01", UTC)


def _webhook(receiver):
    settings = Webhook(name="x", url=receiver.url, timeout=TIMEOUT)
    return WebhookNotifier("x", settings, receiver.url, "shared", UTC)


def _sns(receiver):
    receiver.reply = lambda _: Answer(
        200, b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"
    )
    config = Config(retries={"total_max_attempts": 1}, read_timeout=TIMEOUT)

    def client(region):
        return boto3.client(
            "sns", region, endpoint_url=receiver.url, config=config,
            aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="invented",
        )  # fmt: skip

    return SnsNotifier("x", "arn:aws:sns:eu-west-1:123456789012:alerts", client, UTC)


CHANNELS = {
    "email": over_smtp,
    "sns": _http(_sns),
    "slack webhook": _http(lambda receiver: SlackWebhookNotifier("x", f"{receiver.url}/hook", UTC, TIMEOUT)),
    "slack bot": _http(_slack),
    "webhook": _http(_webhook),
    "apprise": _http(
        lambda receiver: AppriseNotifier("x", receiver.url.replace("http", "json", 1) + "/?rto=1&cto=1", UTC)
    ),
}


def message(number, incident):
    headline = f"number-{number}-of-{incident}"
    return Message(f"id-{headline}", START, "", (), headline, "body", kind=Kind.RESPONSE, thread=incident)


def run(store, clock, notifier, policy=None):
    return relay(store, {"x": notifier}, clock, clock.monotonic() + 1000, policy=policy or Policy())


@pytest.mark.parametrize("how", HTTP_FAILURES)
@pytest.mark.parametrize("name", CHANNELS)
def test_a_receiver_that_fails_and_comes_back_after_an_hour_gets_everything_once_and_in_order(store, name, how):
    clock = FixedClock.at(START)
    with CHANNELS[name]() as channel:
        channel.fail(how)
        for number in range(3):
            for incident in ("a", "b"):
                store.outbox.add(message(number, incident), ["x"], int(clock.seconds))
        for _ in range(3):
            report = run(store, clock, channel.notifier)
            assert report.sent == 0
            clock.seconds += 20 * MINUTE
        assert channel.got() == []
        channel.mend()
        for _ in range(8):
            run(store, clock, channel.notifier)
            clock.seconds += HOUR

        assert store.outbox.counts()[OutboxState.SENT] == 6
        got = channel.got()
    assert Counter(got) == {(str(number), incident): 1 for number in range(3) for incident in "ab"}
    for incident in "ab":
        assert [number for number, of in got if of == incident] == ["0", "1", "2"]


@pytest.mark.parametrize("name", [name for name in CHANNELS if name != "email"])
def test_an_answer_that_breaks_off_after_the_message_was_taken_repeats_that_one_at_most(store, name):
    clock = FixedClock.at(START)
    with CHANNELS[name]() as channel:
        store.outbox.add(message(0, "a"), ["x"], START)
        store.outbox.add(message(1, "a"), ["x"], START)
        channel.receiver.behaviour = STOPS
        run(store, clock, channel.notifier)
        taken = len(channel.got())
        channel.mend()
        for _ in range(4):
            clock.seconds += HOUR
            run(store, clock, channel.notifier)
        got = [number for number, _ in channel.got()]

    assert store.outbox.counts()[OutboxState.SENT] == 2
    assert set(got) == {"0", "1"}
    assert len(got) <= 2 + taken
    assert sorted(got) == got, "the second never before the first"


def test_a_receiver_that_asks_to_be_left_alone_is_for_all_its_messages(store):
    clock = FixedClock.at(START)
    with CHANNELS["webhook"]() as channel:
        channel.fail("too many")
        for incident in "abc":
            store.outbox.add(message(0, incident), ["x"], START)
        run(store, clock, channel.notifier)
        for _ in range(9):
            clock.seconds += MINUTE
            run(store, clock, channel.notifier)
        assert len(channel.receiver.arrived) == 1, "ten minutes were asked for"
        channel.mend()
        clock.seconds += 2 * MINUTE

        assert run(store, clock, channel.notifier).sent == 3
