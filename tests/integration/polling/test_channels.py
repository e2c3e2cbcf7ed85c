"""`check` and `notify` with channels that answer: threads, acknowledgements, approvals, and tests of the way."""

import json
import re
import socket
import time

import pytest

from trailwatch.clock import SystemClock
from trailwatch.model.message import Kind, Message
from trailwatch.service.listening import Listening
from trailwatch.service.report import CycleReport
from trailwatch.wiring import notifiers_of

from ..notify.receivers import (  # noqa: TID252 test folders are no packages that could be named from the top
    DROPS,
    Receiver,
    SlackApi,
    refused,
)
from .test_cycle import happened

ANN, EVE = "U0ANN", "U0EVE"
SLACK = """
[rules]
shipped = false
dirs = ['{folder}/rules']
[telling]
update_every = "0s"
[[notify]]
type = "slack"
name = "chat"
token_env = "SLACK_TOKEN"
channel = "C01"
approvers = ["U0ANN"]
api = "{url}/api/"
[[notify]]
type = "jsonl"
name = "file"
path = '{folder}/told.jsonl'
"""
SERVICE = "cloudtrail.amazonaws.com"


@pytest.fixture
def slack():
    with Receiver().serving() as receiver:
        yield SlackApi(receiver)


@pytest.fixture
def watched(machine, slack):
    """A machine that tells a channel and a file of stopped trails and new users."""
    machine.add_rule("trail_stopped", "high", "StopLogging")
    machine.add_rule("user_created", "critical", "CreateUser")
    machine.environment["SLACK_TOKEN"] = "xoxb-invented"
    settings = SLACK.format(url=slack.receiver.url, folder=machine.folder)
    machine.configure("pace = '0.01s'\nregions = ['us-east-1']", settings)
    return machine


def see(machine, name, seconds_ago=60):
    machine.lab.recorder.add(happened(seconds_ago, name=name, eventSource=SERVICE))


def states(machine):
    listed = machine.run("alerts", "list", "--state", "all", "--format", "jsonl").stdout.splitlines()
    return {json.loads(line)["rule"]: json.loads(line)["state"] for line in listed}


def test_an_incident_is_a_thread_that_follow_ups_go_into(watched, slack):
    see(watched, "StopLogging")
    first = watched.run("check")
    see(watched, "CreateUser", 30)
    second = watched.run("check")

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    [root] = slack.roots
    [reply] = slack.below(root)
    assert slack.messages[root]["text"].startswith("HIGH trail_stopped")
    assert reply["text"].startswith("CRITICAL user_created")
    assert slack.edits[0][0] == root


def test_a_reaction_of_somebody_who_may_acknowledges_at_once(watched, slack):
    see(watched, "StopLogging")
    watched.run("check")
    slack.react(slack.roots[0], "eyes", EVE)
    watched.run("check")
    assert states(watched) == {"trail_stopped": "open"}

    slack.react(slack.roots[0], "eyes", ANN)
    watched.run("check")
    assert states(watched) == {"trail_stopped": "acked"}
    shown = watched.run(
        "alerts", "show", json.loads(watched.run("alerts", "list", "--format", "jsonl").stdout)["alert_id"]
    )
    assert f"acknowledged by {ANN} through chat" in shown.stdout


def test_whoever_acknowledges_sees_in_the_thread_and_in_the_first_message_that_it_was_heard(watched, slack):
    see(watched, "StopLogging")
    watched.run("check")
    [root] = slack.roots
    slack.react(root, "eyes", ANN)
    slack.say(root, ANN, "ack")
    for _ in range(2):
        assert watched.run("check").returncode == 0

    [confirmed] = [message for message in slack.below(root) if message.get("bot_id")]
    assert f"acknowledged by {ANN}" in confirmed["text"]
    assert "1 alert acknowledged." in json.dumps(confirmed["blocks"])
    assert f"1 later message in the thread; the last: acknowledged by {ANN}" in json.dumps(slack.messages[root])
    assert len((watched.folder / "told.jsonl").read_text().splitlines()) == 1, "the others are not disturbed"


def test_somebody_who_opens_it_again_is_not_overruled_by_the_same_reaction(watched, slack):
    see(watched, "StopLogging")
    watched.run("check")
    slack.say(slack.roots[0], ANN, "ack")
    watched.run("check")
    with watched.store() as store:
        [alert] = store.alerts.find("", 10)
        from trailwatch.model.alert import AlertState

        store.alerts.handle(alert.id, AlertState.OPEN, None, "not yet", int(time.time()))
    watched.run("check")

    assert states(watched) == {"trail_stopped": "open"}


def test_slack_being_away_delays_nothing_and_is_said(watched, slack):
    see(watched, "StopLogging")
    watched.run("check")
    slack.receiver.behaviour = DROPS
    see(watched, "CreateUser", 30)

    result = watched.run("check")

    assert "answers cannot be read: chat: not accepted" in result.stdout
    told = [json.loads(line) for line in (watched.folder / "told.jsonl").read_text().splitlines()]
    assert [one["subject"].split()[0] for one in told] == ["HIGH", "CRITICAL"]


class Case:
    """A conversation in which approval is asked, and what is heard of it."""

    def __init__(self, machine, slack):
        from trailwatch.config.load import load

        self.slack = slack
        self.config = load(str(machine.config), machine.environment).config
        self.environment = machine.environment
        self.store = machine.store()
        self.clock = SystemClock()

    def ask(self, plan, thread="incident"):
        from trailwatch.relay import relay

        now = int(time.time())
        message = Message(
            f"asks-{plan}", now, "", (), f"may I run {plan}?", "body", kind=Kind.RESPONSE, thread=thread, plan=plan
        )
        self.store.outbox.add(message, ["chat"], now)
        assert relay(self.store, self.notifiers(), self.clock, self.clock.monotonic() + 30).sent == 1
        return list(self.slack.messages)[-1]

    def notifiers(self):
        import sys

        return {"chat": notifiers_of(self.config, self.environment, sys.stderr)["chat"]}

    def listen(self):
        report = CycleReport(self.clock.now())
        listening = Listening(self.store, self.notifiers, self.clock)
        listening.conclude(report, [])
        listening.follow_up(report, [])

    def approvals(self, plan):
        return [(one.reply.who, one.reply.verb) for one in self.store.conversations.approvals(plan)]


@pytest.fixture
def case(watched, slack):
    made = Case(watched, slack)
    with made.store:
        yield made


def test_a_reaction_on_the_message_that_asks_approves_once_and_only_by_those_who_may(case, slack):
    asked = case.ask("PLAN1")
    slack.react(asked, "white_check_mark", EVE)
    case.listen()
    assert case.approvals("PLAN1") == []

    slack.react(asked, "white_check_mark", ANN)
    case.listen()
    case.listen()
    assert case.approvals("PLAN1") == [(ANN, "approve")]


def test_a_text_approves_the_plan_that_it_names_or_the_only_one_that_was_asked_before(case, slack):
    root = case.ask("PLAN1")
    slack.say(root, ANN, "approve")
    case.ask("PLAN2")
    case.listen()
    assert (case.approvals("PLAN1"), case.approvals("PLAN2")) == ([(ANN, "approve")], [])

    slack.say(root, ANN, "approve")
    case.listen()
    assert case.approvals("PLAN2") == [], "two are asked: which one is meant is not certain"

    slack.say(root, ANN, "decline PLAN2")
    case.listen()
    assert case.approvals("PLAN2") == [(ANN, "decline")]


def test_an_approval_of_one_conversation_is_none_of_another(case, slack):
    case.ask("PLAN1", "one")
    other = case.ask("PLAN2", "two")
    slack.say(other, ANN, "approve PLAN1")
    case.listen()

    assert case.approvals("PLAN1") == []


def test_every_notifier_is_tried_and_each_says_what_became_of_it(watched, slack):
    result = watched.run("notify", "test")

    assert result.returncode == 0, result.stderr
    assert re.fullmatch(
        r"chat: accepted: posted C01/1790000000\.000001\nfile: accepted: \d+ bytes written\n", result.stdout
    )
    [posted] = slack.messages.values()
    assert posted["text"].startswith("TEST: a message through chat, nothing happened")
    with watched.store() as store:
        assert store.outbox.entries(limit=-1) == []


def test_one_that_fails_is_said_and_the_others_are_tried_all_the_same(watched, slack):
    slack.receiver.behaviour = refused(401, b'{"ok": false, "error": "invalid_auth"}')

    result = watched.run("notify", "test")

    assert result.returncode == 1
    assert "file: accepted" in result.stdout
    assert result.stderr == "FAILED: chat: not accepted: invalid_auth; correct the token, its scopes or channel\n"


def test_one_notifier_can_be_tried_alone_and_one_that_is_not_there_is_named(watched, slack):
    assert watched.run("notify", "test", "file").stdout.startswith("file: accepted")
    assert slack.calls == []

    result = watched.run("notify", "test", "chatt")
    assert result.returncode == 2
    assert "there is no notifier 'chatt'; use one of chat, file" in result.stderr


def test_the_list_says_what_each_gets_and_whether_it_delivers(watched, slack):
    slack.receiver.behaviour = refused(500)
    see(watched, "StopLogging")
    watched.run("check")

    result = watched.run("notify", "list")

    lines = result.stdout.splitlines()
    assert re.match(r"chat +slack +from medium on +1 +no: chat: not accepted", lines[1])
    assert re.match(r"file +jsonl +from medium on +0 +yes", lines[2])


def test_a_notifier_that_cannot_be_made_keeps_no_other_from_delivering(watched):
    broken = '[[notify]]\ntype = "apprise"\nname = "odd"\nurl_env = "ODD_URL"\n'
    watched.config.write_text(watched.config.read_text() + broken)
    watched.environment["ODD_URL"] = "nosuch://service"
    see(watched, "StopLogging")

    result = watched.run("check")

    assert result.returncode == 0
    assert "not delivered: odd" in result.stdout
    assert len((watched.folder / "told.jsonl").read_text().splitlines()) == 1
    refused_by_check = watched.run("config", "check")
    assert refused_by_check.returncode == 2
    assert "notify odd: Apprise cannot use the URL" in refused_by_check.stderr


def test_a_secret_that_is_not_set_is_told_before_anything_is_read(watched):
    del watched.environment["SLACK_TOKEN"]

    result = watched.run("check")

    assert result.returncode == 2
    assert "notify chat: the environment variable SLACK_TOKEN is not set" in result.stderr
    assert watched.lookups() == []


HANGING = """
[rules]
shipped = false
dirs = ['{folder}/rules']
[[notify]]
type = "webhook"
name = "hanging"
url = "{url}"
timeout = "200s"
"""


def test_a_receiver_that_accepts_and_never_answers_keeps_no_later_run_from_reading_and_gets_it_later(machine):
    machine.add_rule("trail_stopped", "high", "StopLogging")
    check = "pace = '0.01s'\nregions = ['us-east-1']\nbudget = '1s'"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        machine.configure(check, HANGING.format(url=url, folder=machine.folder))
        see(machine, "StopLogging")
        first = machine.start("check")
        ended = within(60, lambda: machine.state.exists() and last_cycle(machine))
        second = machine.run("check")
        assert first.poll() is None, "it waits for the receiver still"
    line = first.communicate(timeout=60)[0]

    assert (ended.outcome, ended.process) == ("good", first.pid)
    assert "1 message waiting" in line
    assert " good: 1 region" in second.stdout
    assert "1 message waiting" in second.stdout
    with machine.store() as store:
        [(state, attempts)] = store.database.all("SELECT state, attempts FROM outbox")
    assert (state, attempts) == ("waiting", 1)

    with Receiver().serving() as receiver:
        machine.configure(check, HANGING.format(url=receiver.url, folder=machine.folder))
        machine.run("outbox", "retry", "1")
        assert "1 message sent" in machine.run("check").stdout
        assert len(receiver.accepted) == 1


def last_cycle(machine):
    with machine.store() as store:
        return store.cycles.last()


def within(seconds, ask):
    """What `ask` says as soon as it says something."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = ask()
        if found:
            return found
        time.sleep(0.1)
    return pytest.fail(f"nothing within {seconds} s")
