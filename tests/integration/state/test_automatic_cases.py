"""Which alerts automatic response looks at, and how it hears what people say."""

import msgspec
import pytest

from trailwatch.config.schema import Config
from trailwatch.model.alert import AlertState
from trailwatch.model.case import Case, CaseState
from trailwatch.model.message import Reply
from trailwatch.model.response import Target, TargetKind
from trailwatch.model.severity import Severity
from trailwatch.pipeline import Pipeline
from trailwatch.respond.automatic_words import message_of
from trailwatch.respond.cases import Answer
from trailwatch.service.responding import AutomaticResponse

from .parts import START, NameEngine, delivery, record


@pytest.fixture
def see(store, clock):
    """Lets the pipeline see records with these numbers; those of one hour and principal are one alert."""
    pipeline = Pipeline(NameEngine(), store, None, clock, {"mail": Severity.LOW})

    def run(*numbers, **more):
        pipeline.process(delivery([record(number, **more) for number in numbers], polled=False))

    return run


def test_an_alert_is_looked_at_until_it_was_considered_and_again_when_it_grew(store, see):
    see(1)
    (alert_id,) = store.automatic.pending(START)

    store.automatic.considered([(alert_id, 1)])
    assert store.automatic.pending(START) == []

    see(2)
    assert store.automatic.pending(START) == [alert_id]


def test_what_is_too_old_or_in_somebodys_hands_is_not_looked_at(store, see):
    see(1, principal="a")
    see(2, principal="b")
    see(3, principal="c")
    first, second, third = store.automatic.pending(START)
    assert store.automatic.pending(START + 3) == [third]
    assert store.automatic.pending(START + 4) == []

    store.alerts.handle(first, AlertState.ACKED, None, "", START)
    store.alerts.handle(second, AlertState.CLOSED, None, "", START)

    assert store.automatic.pending(START) == [third]


def test_what_was_considered_is_forgotten_with_its_alert(store, see):
    see(1)
    (alert_id,) = store.automatic.pending(START)
    store.automatic.considered([(alert_id, 1)])
    store.alerts.mark_told([alert_id], START)

    store.alerts.prune(START + 10**9)

    assert store.database.all("SELECT * FROM automatic_considered") == []


def waiting(changed=START):
    target = Target(TargetKind.USER, "111122223333", "dora")
    return Case("case1", target, (), (), "alert x", "t", CaseState.WAITING, changed, changed, until=changed + 600)


def heard(store, verb, now, who="U1"):
    reply = Reply(who=who, verb=verb, handle=f"{who} {verb} {now}", at=now)
    with store.transaction():
        store.conversations.hear("chat", reply, "", "case1", now)


@pytest.fixture
def response(store, clock):
    return AutomaticResponse(Config(), {}, store, clock)


def test_who_approves_in_a_channel_is_the_answer(store, response):
    assert response.answer(waiting()) is None

    heard(store, "approve", START + 1)

    assert response.answer(waiting()) == Answer(approved=True, who="U1 in chat")


def test_one_who_declines_is_enough(store, response):
    heard(store, "approve", START + 1)
    heard(store, "decline", START + 2, who="U2")

    assert response.answer(waiting()) == Answer(approved=False, who="U2 in chat")


def test_what_was_said_to_an_earlier_question_does_not_count(store, response):
    heard(store, "approve", START + 1)

    assert response.answer(waiting(changed=START + 2)) is None


def test_a_cycle_without_anything_to_do_makes_nothing(response, see):
    see(1, at=START - 100_000)

    assert response.follow_up(None, ["mail"]) is False


def test_a_case_keeps_its_message_with_it_or_neither(store):
    case = waiting()
    cases = store.automatic.telling(["mail"])
    cases.keep(case, message_of(msgspec.structs.replace(case, version=1), START))
    assert not cases.keep(case, message_of(msgspec.structs.replace(case, version=1), START + 5))

    (entry,) = store.outbox.entries()
    assert (entry.notifier, entry.message.plan) == ("mail", "case1")
