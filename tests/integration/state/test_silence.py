"""Notifiers that do not deliver: told through the others, once, and once when it is over."""

import random

import pytest

from trailwatch.errors import NotifyError
from trailwatch.model.message import Conversation, Kind, Message, Receipt
from trailwatch.model.severity import Severity
from trailwatch.relay import Policy, relay
from trailwatch.store.outbox import OutboxState, Outcome

from .parts import START, Mailbox, outage, refusal

MINUTE, HOUR = 60, 3600
POLICY = Policy(notices=("mail", "chat", "file"))


def message(number, thread="a", kind=Kind.ALERT):
    return Message(f"m{number}", START, "alice", (), f"message {number}", kind=kind, thread=thread)


class Team:
    def __init__(self, store, clock, policy=POLICY):
        self.store, self.clock, self.policy = store, clock, policy
        self.boxes = {name: Mailbox(name) for name in ("mail", "chat", "file")}

    def __getattr__(self, name):
        return self.boxes[name]

    def run(self):
        return relay(
            self.store, self.boxes, self.clock, self.clock.monotonic() + 30, random.Random(1), policy=self.policy
        )

    def minutes(self, count):
        for _ in range(count):
            self.run()
            self.clock.seconds += MINUTE

    def told(self, name):
        return [one.headline for one in self.boxes[name].got]


@pytest.fixture
def team(store, clock):
    return Team(store, clock)


def test_a_notifier_that_is_down_is_told_through_the_others_once_and_once_when_it_is_back(team, store):
    team.mail.down = outage("451 out of order")
    store.outbox.add(message(1), ["mail", "chat"], START)
    team.minutes(120)

    assert team.told("chat") == ["message 1", "notifier mail does not deliver"]
    assert team.told("file") == ["notifier mail does not deliver"]
    [notice] = team.file.got
    assert (notice.kind, notice.severity) == (Kind.NOTICE, Severity.HIGH)
    assert "451 out of order" in notice.body
    assert notice.commands == ("trailwatch outbox list --notifier mail", "trailwatch notify test mail")

    team.mail.down = None
    team.minutes(120)
    assert team.told("mail") == ["message 1"], "nobody is told of its own silence"
    assert team.told("file")[1:] == ["notifier mail delivers again"]


def test_what_passes_by_itself_is_told_to_nobody(team, store):
    team.mail.down = outage()
    store.outbox.add(message(1), ["mail"], START)
    team.minutes(10)
    team.mail.down = None
    team.minutes(60)

    assert team.told("mail") == ["message 1"]
    assert team.told("file") == team.told("chat") == []


def test_a_notifier_that_comes_and_goes_is_not_told_of_all_the_time(team, store):
    for number in range(60):
        team.mail.down = refusal() if number % 2 else None
        store.outbox.add(message(number), ["mail"], START)
        team.minutes(4)

    assert 4 <= team.told("file").count("notifier mail does not deliver") <= 5, "in four hours"


def test_all_are_down_and_the_first_to_come_back_hears_of_the_others(team, store):
    for box in team.boxes.values():
        box.down = outage()
    store.outbox.add(message(1), ["mail", "chat", "file"], START)
    team.minutes(60)
    team.file.down = None
    team.minutes(60)

    told = ["message 1", "notifier chat does not deliver", "notifier mail does not deliver"]
    assert sorted(team.told("file")) == told


def test_what_waited_for_a_notifier_leaves_as_soon_as_it_is_back(team, store):
    team.mail.down = outage()
    for number in range(6):
        store.outbox.add(message(number, f"thread{number}"), ["mail"], START)
    team.minutes(8 * 60)
    team.mail.down = None
    team.minutes(61)

    assert len(team.mail.got) == 6, "and not each after its own pause of up to an hour more"
    times = {attempt.ended for number in range(6) for attempt in store.outbox.attempts(f"m{number}", "mail")[-1:]}
    assert max(times) - min(times) <= 2 * MINUTE


def test_only_those_who_hear_of_trailwatch_itself_are_told(store, clock):
    team = Team(store, clock, Policy(notices=("chat",)))
    team.mail.down = outage()
    store.outbox.add(message(1), ["mail"], START)
    team.minutes(60)

    assert (team.told("chat"), team.told("file")) == (["notifier mail does not deliver"], [])


def test_what_is_refused_for_good_goes_to_the_fallback_at_once_and_people_hear_of_it(store, clock):
    team = Team(store, clock, Policy(fallback="file", notices=("mail", "chat", "file")))
    team.mail.down = refusal("550 no such user")
    store.outbox.add(message(1), ["mail"], START)
    report = team.run()

    assert report.dead == 1
    assert team.told("file") == ["message 1", "notifier mail does not deliver"]
    assert "At least one message was given up" in team.chat.got[0].body
    assert store.outbox.counts() == {
        OutboxState.WAITING: 0, OutboxState.SENDING: 0, OutboxState.SENT: 3, OutboxState.DEAD: 1,
    }  # fmt: skip


def test_a_message_is_given_up_as_the_settings_say_and_the_fallback_has_it_then(store, clock):
    team = Team(store, clock, Policy(give_up=2 * HOUR, attempts=4, fallback="file"))
    team.mail.down = outage()
    store.outbox.add(message(1), ["mail"], START)
    team.minutes(119)
    assert team.told("file") == []
    team.minutes(120)

    assert team.told("file") == ["message 1"]
    assert len(store.outbox.attempts("m1", "mail")) >= 4


def test_a_fallback_that_refuses_too_ends_it(store, clock):
    team = Team(store, clock, Policy(fallback="file"))
    team.mail.down = team.file.down = refusal()
    store.outbox.add(message(1), ["mail"], START)
    team.minutes(120)

    assert store.outbox.counts()[OutboxState.DEAD] == 2


def test_a_fallback_that_had_the_message_anyhow_does_not_get_it_twice(store, clock):
    team = Team(store, clock, Policy(fallback="file"))
    team.mail.down = refusal()
    store.outbox.add(message(1), ["mail", "file"], START)
    team.minutes(10)

    assert team.told("file") == ["message 1"]


def test_messages_for_a_notifier_that_is_gone_end_with_the_fallback(store, clock):
    team = Team(store, clock, Policy(fallback="file", give_up=HOUR))
    store.outbox.add(message(1), ["gone"], START)
    clock.seconds += 2 * HOUR
    team.minutes(2)

    assert team.told("file") == ["message 1"]


class Threads(Mailbox):
    """Keeps with each message what it was told of the conversation."""

    def __init__(self, name="chat"):
        super().__init__(name)
        self.before = []

    def send_in(self, message, conversation):
        self.send(message)
        self.before.append(conversation)
        return Receipt("ok", f"C/{message.id}")


def test_a_notifier_is_told_what_it_delivered_of_the_conversation_before(store, clock):
    chat = Threads()
    store.outbox.add(message(1), ["chat"], START)
    store.outbox.add(message(2, "b"), ["chat"], START)
    for number in (3, 4):
        store.outbox.add(message(number, kind=Kind.UPDATE), ["chat"], START)
    relay(store, {"chat": chat}, clock, clock.monotonic() + 30)

    assert chat.before == [
        Conversation(),
        Conversation(),
        Conversation(("m1",), message(1), "C/m1"),
        Conversation(("m1", "m3"), message(1), "C/m1"),
    ]


def test_what_was_never_delivered_is_no_part_of_the_conversation(store, clock):
    class Picky(Threads):
        def send(self, message):
            if message.id == "m1":
                raise refusal()
            return super().send(message)

    chat = Picky()
    store.outbox.add(message(1), ["chat"], START)
    store.outbox.add(message(2, kind=Kind.UPDATE), ["chat"], START)
    relay(store, {"chat": chat}, clock, clock.monotonic() + 30)

    assert chat.before == [Conversation()]


def test_a_long_conversation_names_its_first_message_and_the_last_ones(store, clock):
    chat = Threads()
    store.outbox.add(message(0), ["chat"], START)
    for number in range(1, 40):
        store.outbox.add(message(number, kind=Kind.UPDATE), ["chat"], START)
    relay(store, {"chat": chat}, clock, clock.monotonic() + 30)

    assert chat.before[-1].earlier == ("m0", *(f"m{number}" for number in range(30, 39)))


def test_how_long_a_receiver_wants_to_be_left_alone_is_kept_from_one_process_to_the_next(team, store):
    team.mail.down = NotifyError("mail", "429 slow down", retry_after=1800)
    store.outbox.add(message(1), ["mail"], START)
    store.outbox.add(message(2, "b"), ["mail"], START)
    team.minutes(29)
    assert [attempt.outcome for attempt in store.outbox.attempts("m1", "mail")] == [Outcome.FAILED]
    assert store.outbox.attempts("m2", "mail") == []

    team.mail.down = None
    team.minutes(3)
    assert team.told("mail") == ["message 1", "message 2"]
