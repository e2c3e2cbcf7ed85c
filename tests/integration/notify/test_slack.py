"""The Slack bot against an API on loopback that keeps messages, threads, edits, reactions and replies."""

from datetime import UTC

import msgspec
import pytest

from trailwatch.errors import NotifyError
from trailwatch.model.message import Conversation, Kind, Message
from trailwatch.model.severity import Severity
from trailwatch.notify.slack import SlackNotifier, client_of

from .receivers import DROPS, DROPS_HALF_WAY, HANGS, Answer, refused

ANN, BOB, EVE = "U0ANN", "U0BOB", "U0EVE"


def bot(receiver, *approvers):
    return SlackNotifier("slack", client_of("xoxb-invented", f"{receiver.url}/api/", 1.0), "C01", UTC, approvers)


@pytest.fixture
def slack(receiver):
    return bot(receiver, ANN, BOB)


def update(samples, **changes):
    return msgspec.structs.replace(samples.attack(), id="m-0002", kind=Kind.UPDATE, body="1 new alert.", **changes)


def after(opening, handle, *ids):
    return Conversation(earlier=(opening.id, *ids), opening=opening, handle=handle)


def shown(message):
    return [
        element["text"]
        for block in message["blocks"]
        for part in (block, *block.get("elements", ()))
        for element in (*(part.get("elements") or ()), part.get("text"))
        if isinstance(element, dict) and "text" in element
    ]


def test_the_first_message_of_an_incident_opens_a_thread(slack, slack_api, samples):
    receipt = slack.send_in(samples.attack(), Conversation())

    [root] = slack_api.roots
    assert receipt.handle == f"C01/{root}"
    posted = slack_api.messages[root]
    assert posted["channel"] == "C01"
    assert posted["text"] == "CRITICAL Trail logging stopped - role deploy as mallory in 123456789012 (+1)"
    assert posted["blocks"][0]["text"]["text"] == "CRITICAL  Trail logging stopped"
    assert posted["blocks"][-1]["elements"][0]["text"] == "Somebody is on it? React with eyes or reply `ack`."


def test_more_of_it_goes_into_the_thread_and_the_first_message_is_brought_up_to_date(slack, slack_api, samples):
    first = samples.attack()
    opened = slack.send_in(first, Conversation()).handle
    later = slack.send_in(update(samples), after(first, opened))

    root = slack_api.roots[0]
    [reply] = slack_api.below(root)
    assert later.handle == f"C01/{reply['ts']}"
    assert reply["reply_broadcast"] is False
    [(edited, now)] = slack_api.edits
    assert edited == root
    assert "1 later message in the thread; the last: Trail logging stopped" in shown(now)
    assert slack_api.calls == ["chat.postMessage", "chat.update", "chat.postMessage"]


def test_what_makes_it_worse_is_shown_in_the_channel_too(slack, slack_api, samples):
    alert = samples.alert(rule=samples.rule(severity=Severity.MEDIUM))
    first = samples.message(alert)
    opened = slack.send_in(first, Conversation()).handle
    slack.send_in(update(samples), after(first, opened, "m-1b"))

    [reply] = slack_api.below(slack_api.roots[0])
    assert reply["reply_broadcast"] is True
    assert shown(slack_api.edits[0][1])[1].startswith("Now CRITICAL. 2 later messages in the thread")


def test_a_thread_that_somebody_removed_is_begun_anew(slack, slack_api, samples):
    first = samples.attack()
    opened = slack.send_in(first, Conversation()).handle
    slack_api.gone.add(slack_api.roots[0])

    receipt = slack.send_in(update(samples), after(first, opened))

    assert receipt.handle == f"C01/{slack_api.roots[1]}"


def test_a_response_and_what_it_asks_goes_into_the_incidents_thread(slack, slack_api, samples):
    first = samples.attack()
    opened = slack.send_in(first, Conversation()).handle
    asks = Message(
        "m-9", samples.start, "", (), "locked the user mallory", "It can be undone.", kind=Kind.RESPONSE,
        thread="incident", commands=("trailwatch respond approve CASE1",), plan="CASE1", level=Severity.HIGH,
    )  # fmt: skip
    slack.send_in(asks, after(first, opened))

    [reply] = slack_api.below(slack_api.roots[0])
    assert "trailwatch respond approve CASE1" in shown(reply)
    assert reply["blocks"][-1]["elements"][0]["text"].startswith("Approve: react with a check mark")


def test_reactions_and_replies_of_those_who_may_are_heard_and_no_others(slack, slack_api, samples):
    opened = slack.send_in(samples.attack(), Conversation()).handle
    root = slack_api.roots[0]
    slack_api.react(root, "eyes", EVE, ANN)
    slack_api.react(root, "white_check_mark::skin-tone-2", BOB)
    slack_api.react(root, "tada", ANN)
    slack_api.say(root, EVE, "approve")
    slack_api.say(root, BOB, "approve CASE1 please")
    slack_api.say(root, ANN, "  Ack, looking at it")
    slack_api.say(root, ANN, "I do not approve of this")
    slack_api.say(root, BOB, "approve", bot_id="B7")

    heard = {(reply.who, reply.verb, reply.about, reply.is_text) for reply in slack.replies(opened)}

    assert heard == {
        (ANN, "ack", "", False),
        (BOB, "approve", "", False),
        (BOB, "approve", "CASE1", True),
        (ANN, "ack", "", True),
    }


def test_without_approvers_nothing_is_asked_and_no_answer_is_offered(receiver, slack_api, samples):
    notifier = bot(receiver)
    opened = notifier.send_in(samples.attack(), Conversation()).handle

    assert notifier.replies(opened) == ()
    assert slack_api.calls == ["chat.postMessage"]
    assert slack_api.messages[slack_api.roots[0]]["blocks"][-1]["type"] == "rich_text"


def test_a_removed_message_has_no_reactions(slack, slack_api, samples):
    opened = slack.send_in(samples.attack(), Conversation()).handle
    slack_api.gone.add(slack_api.roots[0])

    assert slack.replies(opened) == []


@pytest.mark.parametrize(
    ("behaviour", "said", "permanent", "rest"),
    [
        (HANGS, "", False, None),
        (DROPS, "", False, None),
        (DROPS_HALF_WAY, "", False, None),
        (refused(429, b'{"ok": false, "error": "ratelimited"}', Retry_After="30"), "ratelimited", False, 30.0),
        (refused(500, b"<html>oops"), "", False, None),
    ],
    ids=lambda value: str(getattr(value, "status", value))[:12],
)
def test_what_slack_does_not_accept_is_told_and_tried_once(
    slack, receiver, samples, behaviour, said, permanent, rest
):
    receiver.behaviour = behaviour

    with pytest.raises(NotifyError, match="slack: not accepted") as caught:
        slack.send_in(samples.attack(), Conversation())

    assert said in str(caught.value)
    assert (caught.value.permanent, caught.value.retry_after) == (permanent, rest)
    assert len(receiver.arrived) == 1


@pytest.mark.parametrize(
    ("code", "permanent", "remedy"),
    [
        ("invalid_auth", False, "correct the token"),
        ("not_in_channel", False, "correct"),
        ("invalid_blocks", True, ""),
    ],
)
def test_what_slack_says_is_wrong_decides_whether_to_try_again(slack, receiver, samples, code, permanent, remedy):
    receiver.reply = lambda _: Answer(200, b'{"ok": false, "error": "%s"}' % code.encode())

    with pytest.raises(NotifyError, match=code) as caught:
        slack.send_in(samples.attack(), Conversation())

    assert caught.value.permanent is permanent
    assert remedy in str(caught.value)
    assert "xoxb" not in str(caught.value)
