import itertools
import os
import random
import threading

import pytest

from trailwatch.model.message import Message
from trailwatch.relay import ATTEMPTS_AT_LEAST, PAUSE_LONGEST_SECONDS, Sending, relay
from trailwatch.store.database import Database
from trailwatch.store.outbox import OutboxState, Outcome
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock

from .parts import START, Mailbox, outage, refusal

HOUR = 3600


def message(number, principal="alice"):
    return Message(f"m{number}", START, principal, (), f"message {number}")


def ids(mailbox):
    return [message.id for message in mailbox.got]


def drain(store, clock, *mailboxes, seed=1):
    return relay(store, {m.name: m for m in mailboxes}, clock, clock.monotonic() + 30, random.Random(seed))


def outcomes(store, number, notifier="mail"):
    return [attempt.outcome for attempt in store.outbox.attempts(f"m{number}", notifier)]


def test_what_is_due_is_sent_once_in_order_and_recorded(store, clock):
    mail = Mailbox()
    for number in range(3):
        store.outbox.add(message(number), ["mail"], START)

    assert drain(store, clock, mail).sent == 3
    assert drain(store, clock, mail).sent == 0
    assert ids(mail) == ["m0", "m1", "m2"]
    [attempt] = store.outbox.attempts("m1", "mail")
    assert (attempt.outcome, attempt.detail, attempt.started) == (Outcome.ACCEPTED, "250 m1", START)


def test_the_same_message_added_twice_is_sent_once(store, clock):
    mail = Mailbox()
    store.outbox.add(message(1), ["mail"], START)
    store.outbox.add(message(1), ["mail", "mail"], START + 5)
    drain(store, clock, mail)

    assert ids(mail) == ["m1"]


def test_pauses_grow_to_an_hour_and_are_spread(store, clock):
    mail = Mailbox()
    mail.down = outage()
    store.outbox.add(message(1), ["mail"], START)
    pauses = []
    while len(pauses) < 12:
        tried = len(store.outbox.attempts("m1", "mail"))
        drain(store, clock, mail, seed=len(pauses))
        if len(store.outbox.attempts("m1", "mail")) > tried:
            pauses.append(clock.seconds)
        clock.seconds += 5
    spans = [b - a for a, b in itertools.pairwise(pauses)]

    for number, span in enumerate(spans):
        longest = min(PAUSE_LONGEST_SECONDS, 30 * 2**number)
        assert longest / 2 <= span <= longest + 5
    assert outcomes(store, 1) == [Outcome.FAILED] * 12


def test_a_receiver_that_comes_back_after_an_hour_gets_everything_in_order_once(store, clock):
    mail = Mailbox()
    mail.down = outage()
    for number in range(4):
        store.outbox.add(message(number, principal="bob" if number == 2 else "alice"), ["mail"], START + number)
    for minute in range(180):
        clock.seconds = START + 60 * minute
        if minute == 60:
            mail.down = None
        drain(store, clock, mail)

    assert sorted(ids(mail)) == ["m0", "m1", "m2", "m3"]
    assert [m.id for m in mail.got if m.principal == "alice"] == ["m0", "m1", "m3"]
    assert store.outbox.counts()[OutboxState.SENT] == 4


def test_a_receiver_that_stays_away_is_somebodys_business_after_a_while_and_not_at_each_run(store, clock):
    mail = Mailbox()
    mail.down = outage("535 wrong password")
    for number in range(4):
        store.outbox.add(message(number, principal=f"user{number}"), ["mail"], START)
    told = []
    for minute in range(600):
        clock.seconds = START + 60 * minute
        report = drain(store, clock, mail)
        if report.overdue:
            told.append((minute, report.overdue, report.errors))

    assert 15 <= told[0][0] < 60
    assert told[0][1:] == ({"mail": 60 * told[0][0]}, {"mail": "mail: 535 wrong password"})
    assert 8 <= len(told) <= 22, "about once or twice an hour"


def test_what_is_refused_for_good_is_dead_at_once_and_holds_up_nothing(store, clock):
    class Picky(Mailbox):
        def send(self, message):
            if message.id == "m1":
                raise refusal()
            return super().send(message)

    mail = Picky()
    for number in (1, 2):
        store.outbox.add(message(number), ["mail"], START)
    report = drain(store, clock, mail)

    assert (report.sent, report.dead, report.errors) == (1, 1, {"mail": "mail: 550 no such user"})
    assert ids(mail) == ["m2"]
    assert outcomes(store, 1) == [Outcome.REFUSED]


def test_a_message_is_given_up_after_two_days(store, clock):
    mail = Mailbox()
    mail.down = outage()
    store.outbox.add(message(1), ["mail"], START)
    while store.outbox.counts()[OutboxState.DEAD] == 0:
        drain(store, clock, mail)
        clock.seconds += 600
    hours = (clock.seconds - START) / HOUR

    assert 48 <= hours < 50
    assert len(outcomes(store, 1)) < 120


def test_a_machine_that_was_off_for_a_week_still_tries(store, clock):
    mail = Mailbox()
    mail.down = outage()
    store.outbox.add(message(1), ["mail"], START)
    clock.seconds += 7 * 24 * HOUR
    drain(store, clock, mail)
    assert store.outbox.counts()[OutboxState.WAITING] == 1
    for _ in range(ATTEMPTS_AT_LEAST):
        clock.seconds += HOUR
        drain(store, clock, mail)

    assert store.outbox.counts()[OutboxState.DEAD] == 1


def test_an_error_of_any_kind_is_a_failed_attempt_and_no_crash(store, clock):
    mail = Mailbox()
    mail.down = ZeroDivisionError("division by zero\ud800")
    store.outbox.add(message(1), ["mail"], START)
    report = drain(store, clock, mail)

    assert report.failed == 1
    assert store.outbox.attempts("m1", "mail")[0].detail.startswith("ZeroDivisionError: division by zero")


def test_a_notifier_that_hangs_delays_no_other(store, clock):
    freed = threading.Event()

    class Hanging(Mailbox):
        def send(self, _):
            assert freed.wait(30)
            raise outage()

    class Freeing(Mailbox):
        def send(self, message):
            if message.id == "m4":
                freed.set()
            return super().send(message)

    slow, quick = Hanging("slow"), Freeing("quick")
    for number in range(5):
        store.outbox.add(message(number), ["slow", "quick"], START)
    report = drain(store, clock, slow, quick)

    assert ids(quick) == ["m0", "m1", "m2", "m3", "m4"]
    assert (report.sent, report.failed, report.waiting) == (5, 1, {"slow": 5})


def test_what_hangs_is_left_alone_while_later_messages_of_others_go_out_and_is_kept_when_it_ends(store, clock):
    freed = threading.Event()

    class Hanging(Mailbox):
        def send(self, message):
            assert freed.wait(30)
            return super().send(message)

    slow, quick = Hanging("slow"), Mailbox("quick")
    notifiers = {"slow": slow, "quick": quick}
    with Sending(store, clock) as sending:
        store.outbox.add(message(1), ["slow", "quick"], START)
        first = sending.run(notifiers, clock.monotonic() + 30, patience=0.5)
        assert (first.sent, first.waiting, sending.unfinished) == (1, {"slow": 1}, True)

        store.outbox.add(message(2), ["slow", "quick"], START)
        second = sending.run(notifiers, clock.monotonic() + 30, patience=0.5)
        assert (second.sent, second.interrupted, ids(quick)) == (1, 0, ["m1", "m2"])
        with store.outbox.drain_lock() as mine:
            assert not mine

        freed.set()
        last = sending.run(notifiers, clock.monotonic() + 30)
        assert (last.sent, last.waiting, sending.unfinished) == (2, {}, False)
    assert ids(slow) == ["m1", "m2"]
    assert outcomes(store, 1, "slow") == [Outcome.ACCEPTED]


def test_however_patient_a_run_is_it_leaves_what_hangs_when_its_time_is_over(store, clock):
    freed = threading.Event()

    class Hanging(Mailbox):
        def send(self, message):
            assert freed.wait(30)
            return super().send(message)

    store.outbox.add(message(1), ["mail"], START)
    with Sending(store, clock) as sending:
        for patience in (None, 60):
            report = sending.run({"mail": Hanging()}, clock.monotonic() + 30, patience, until=clock.monotonic())
            assert (report.sent, report.waiting, sending.unfinished) == (0, {"mail": 1}, True)
        freed.set()

    assert outcomes(store, 1) == [Outcome.ACCEPTED]


def test_whoever_leaves_it_waits_for_what_hangs_and_repeats_nothing(store, clock):
    freed = threading.Event()

    class Hanging(Mailbox):
        def send(self, message):
            assert freed.wait(30)
            return super().send(message)

    slow = Hanging()
    store.outbox.add(message(1), ["mail"], START)
    with Sending(store, clock) as sending:
        sending.run({"mail": slow}, clock.monotonic() + 30, patience=0.5)
        freed.set()

    assert drain(store, clock, slow).sent == 0
    assert ids(slow) == ["m1"]
    assert outcomes(store, 1) == [Outcome.ACCEPTED]


def test_a_notifier_that_fails_is_asked_once_in_a_run(store, clock):
    mail = Mailbox()
    mail.down = outage()
    for number in range(5):
        store.outbox.add(message(number, principal=f"user{number}"), ["mail"], START)
    drain(store, clock, mail)

    assert [outcomes(store, number) for number in range(5)] == [[Outcome.FAILED], [], [], [], []]


def test_nothing_new_is_begun_after_the_deadline(store, clock):
    class Slow(Mailbox):
        def send(self, message):
            clock.seconds += 20
            return super().send(message)

    mail = Slow()
    for number in range(5):
        store.outbox.add(message(number), ["mail"], START)
    report = drain(store, clock, mail)

    assert (report.sent, report.waiting) == (2, {"mail": 3})


def test_a_send_that_its_process_did_not_survive_is_recorded_and_repeated_once(store, clock):
    mail = Mailbox()
    store.outbox.add(message(1), ["mail"], START)
    store.outbox.begin(store.outbox.due(START)[0], START)

    report = drain(store, clock, mail)

    assert (report.interrupted, report.sent) == (1, 1)
    assert outcomes(store, 1) == [Outcome.INTERRUPTED, Outcome.ACCEPTED]
    assert ids(mail) == ["m1"]


def test_a_message_that_kills_its_process_each_time_does_not_stop_the_others(store, clock):
    mail = Mailbox()
    store.outbox.add(message(1), ["mail"], START)
    store.outbox.add(message(2, principal="bob"), ["mail"], START)
    for _ in range(2):
        first, _ = store.outbox.due(clock.seconds)
        store.outbox.begin(first, START)
        with store.outbox.drain_lock():
            pass
        if len(outcomes(store, 1)) == 1:
            store.outbox.failed(first, "", START, due=START, outcome=Outcome.INTERRUPTED)
    drain(store, clock, mail)

    assert ids(mail) == ["m2"]
    assert store.outbox.counts()[OutboxState.WAITING] == 1


def test_a_second_relay_at_the_same_time_does_nothing(tmp_path, clock):
    path = tmp_path / "state.sqlite3"
    with Store(Database(path)) as one, Store(Database(path)) as two:
        one.outbox.add(message(1), ["mail"], START)
        mail, other = Mailbox(), Mailbox()

        class Nested(Mailbox):
            def send(self, message):
                with Store(Database(path)) as inner:
                    assert drain(inner, clock, other).busy
                return mail.send(message)

        assert drain(two, clock, Nested()).sent == 1

    assert (ids(mail), ids(other)) == (["m1"], [])


def test_messages_for_a_notifier_that_is_gone_wait_two_days_and_are_given_up(store, clock):
    store.outbox.add(message(1), ["old"], START)
    assert drain(store, clock, Mailbox()).waiting == {"old": 1}

    clock.seconds += 49 * HOUR
    report = drain(store, clock, Mailbox())

    assert (report.dead, report.waiting) == (1, {})


def test_what_is_sent_or_dead_is_forgotten_in_time_and_what_waits_is_not(store, clock):
    mail = Mailbox()
    for number in (1, 2):
        store.outbox.add(message(number), ["mail"], START)
    store.outbox.failed(store.outbox.due(START)[0], "", START, due=None)
    store.outbox.prune(START + 1)

    assert [item.message.id for item in store.outbox.due(START)] == ["m2"]
    assert store.outbox.counts()[OutboxState.DEAD] == 0
    drain(store, clock, mail)
    assert store.outbox.prune(START + 1) == 1


@pytest.mark.parametrize("suffix", ["", "-wal", "-sending"])
def test_every_file_of_the_store_is_private(tmp_path, clock, suffix):
    path = tmp_path / "deep" / "state.sqlite3"
    before = os.umask(0)
    try:
        with Store(Database(path)) as store:
            store.outbox.add(message(1), ["mail"], START)
            drain(store, clock, Mailbox())
            mode = (path.parent / (path.name + suffix)).stat().st_mode & 0o777
    finally:
        os.umask(before)

    assert mode == 0o600


def test_an_interrupt_while_a_mail_is_on_its_way_does_not_repeat_it(store, clock):
    class Interrupted(FixedClock):
        """Raises, as Ctrl-C does, when the outcome of the send is about to be kept."""

        armed = False

        def now(self):
            if self.armed:
                self.armed = False
                raise KeyboardInterrupt
            return super().now()

    class Arming(Mailbox):
        def send(self, message):
            impatient.armed = True
            return super().send(message)

    impatient, slow = Interrupted(), Arming()
    store.outbox.add(message(1), ["mail"], START)
    with pytest.raises(KeyboardInterrupt):
        drain(store, impatient, slow)

    assert drain(store, clock, slow).sent == 0
    assert ids(slow) == ["m1"]
    assert outcomes(store, 1) == [Outcome.ACCEPTED]
