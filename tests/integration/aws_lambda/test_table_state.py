"""Cases, caps, journal and freeze in a real table do what those in the state file do."""

import random
import threading

import msgspec
import pytest

from trailwatch.dynamo.bodies import packed, unpacked
from trailwatch.dynamo.cases import TableCases
from trailwatch.dynamo.freeze import TableFreeze
from trailwatch.dynamo.journal import TableJournal
from trailwatch.dynamo.table import Table
from trailwatch.errors import StoreError
from trailwatch.model.caps import Caps
from trailwatch.model.case import Case, CaseState
from trailwatch.model.message import Message
from trailwatch.model.response import Entry, EntryKind, Order, Target, TargetKind
from trailwatch.respond.journals import Journals
from trailwatch.store.database import Database
from trailwatch.store.store import Store

NOW = 1_780_000_000
TARGET = Target(TargetKind.USER, "111122223333", "dora")


def case(name="dora", state=CaseState.WAITING, changed=NOW, version=0):
    target = msgspec.structs.replace(TARGET, name=name, evidence=b"{}")
    order = Order("lock-user", target, "lock-user", "alert", "event")
    return Case(
        id=f"case-{name}", target=TARGET, orders=(order,), playbooks=("lock-user",), cause="alert x", thread="t",
        state=state, changed=changed, evidence=changed, version=version,
    )  # fmt: skip


def message(name):
    return Message(id=name, created=NOW, principal="", alerts=(), headline=name)


@pytest.fixture
def store():
    with Store(Database(":memory:")) as opened:
        yield opened


@pytest.fixture(params=["table", "file"])
def cases(request, dynamodb, table, store):
    return TableCases(Table(dynamodb, table)) if request.param == "table" else store.automatic


@pytest.fixture(params=["table", "file", "both"])
def journal(request, dynamodb, table, store):
    in_table = TableJournal(Table(dynamodb, table))
    return {"table": in_table, "file": store.responses, "both": Journals(store.responses, in_table)}[request.param]


def test_a_case_is_kept_only_by_who_read_its_last_version(cases):
    assert cases.find("case-dora") is None
    assert cases.keep(case(), None)
    assert not cases.keep(case(), None)
    assert cases.find("case-dora") == case(version=1)
    assert cases.keep(case(state=CaseState.DONE, version=1), None)
    assert not cases.keep(case(version=1), None)
    assert not cases.keep(case(version=7), None)


def test_open_cases_come_oldest_first(cases):
    for name, state, changed in (
        ("new", CaseState.WAITING, NOW + 9),
        ("old", CaseState.BEGUN, NOW),
        ("done", CaseState.DONE, NOW),
        ("yes", CaseState.APPROVED, NOW + 5),
        ("no", CaseState.REFUSED, NOW),
    ):
        cases.keep(case(name, state, changed), None)

    assert [one.id for one in cases.open()] == ["case-old", "case-yes", "case-new"]


def test_the_caps_count_each_plan_once_and_hold_in_every_window(cases):
    caps = Caps(per_hour=2, per_day=3)

    assert [cases.take(plan, NOW, caps) for plan in ("a", "a", "b")] == ["", "", ""]
    assert cases.take("c", NOW + 3599, caps) == "no more than 2 in any hour"
    assert cases.take("c", NOW + 3600, caps) == ""
    assert cases.take("d", NOW + 3 * 3600, caps) == "no more than 3 in any 24 hours"
    assert cases.take("d", NOW + 86_400, caps) == ""


def test_caps_hold_for_any_sequence_of_takers(cases):
    chance, caps, now, taken = random.Random(7), Caps(per_hour=3, per_day=5), NOW, []
    for number in range(60):
        now += chance.choice([1, 300, 1800, 3600, 20_000])
        if not cases.take(f"plan {number}", now, caps):
            taken.append(now)

    assert len(taken) > 10
    for time in taken:
        assert sum(time - 3600 < one <= time for one in taken) <= 3
        assert sum(time - 86_400 < one <= time for one in taken) <= 5


def test_of_many_takers_at_the_same_time_no_more_than_the_cap_succeed(lab, session, table):
    begin, answers = threading.Barrier(6), []

    def take(number):
        mine = TableCases(Table(session.client("dynamodb", endpoint_url=lab.url), table))
        begin.wait()
        answers.append(mine.take(f"plan {number}", NOW, Caps(per_hour=2, per_day=9)))

    threads = [threading.Thread(target=take, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers.count("") == 2


def test_what_is_to_be_told_waits_in_the_table_until_it_was_told(dynamodb, table):
    cases = TableCases(Table(dynamodb, table))
    cases.keep(case(), message("question"))
    cases.keep(case(state=CaseState.BEGUN, version=1), None)
    cases.keep(case(state=CaseState.DONE, version=2), message("answer"))

    ((kept, untold),) = cases.untold()
    assert [one.headline for one in untold] == ["question", "answer"]
    cases.told(msgspec.structs.replace(kept, version=1))
    assert len(cases.untold()) == 1
    cases.told(kept)
    assert cases.untold() == []
    assert cases.find("case-dora") == kept


def entry(plan, number, time=NOW, **content):
    return Entry(plan, number, time, EntryKind.CALLED, "ops", 0, content)


def test_a_journal_keeps_entries_in_order_and_each_number_once(journal):
    written = [entry("plan-a", number, call=f"call {number}") for number in range(12)]
    for one in written:
        journal.append(one)

    with pytest.raises(StoreError, match="another process works on it"):
        journal.append(entry("plan-a", 3, call="other"))
    assert journal.entries("plan-a") == written
    assert journal.entries("plan-b") == []


def test_a_journal_lists_plans(journal):
    for number, plan in enumerate(("aa1", "ab2", "bb3")):
        journal.append(entry(plan, 0, NOW + number))

    assert journal.latest(2) == ["bb3", "ab2"]
    assert journal.find("a", 9) == ["aa1", "ab2"]
    assert journal.find("a", 1) == ["aa1"]


def test_of_two_journals_a_plan_goes_on_where_it_began(dynamodb, table, store):
    in_table = TableJournal(Table(dynamodb, table))
    both = Journals(store.responses, in_table)
    in_table.append(entry("theirs", 0, NOW))
    both.append(entry("mine", 0, NOW + 1))
    both.append(entry("theirs", 1, NOW + 2))

    assert [len(one.entries("theirs")) for one in (in_table, store.responses)] == [2, 0]
    assert [len(one.entries("mine")) for one in (in_table, store.responses)] == [0, 1]
    assert both.latest(9) == ["mine", "theirs"]


def test_a_freeze_in_the_table_holds_until_it_is_taken_away(dynamodb, table):
    freeze = TableFreeze(Table(dynamodb, table))
    assert (freeze.frozen(), freeze.thaw()) == ("", False)

    freeze.freeze("ops", "exercise")

    assert freeze.frozen() == "responses are frozen by ops: exercise"
    assert freeze.thaw()
    assert freeze.frozen() == ""


def test_a_table_that_cannot_be_read_freezes(dynamodb):
    assert "responses count as frozen" in TableFreeze(Table(dynamodb, "elsewhere")).frozen()


def test_what_does_not_fit_into_an_item_is_refused_and_what_is_no_value_is_told():
    noise = random.Random(1).randbytes(500_000)

    with pytest.raises(StoreError, match="an item has room for"):
        packed(noise, "plan x")
    for broken in (b"", b"nonsense", packed([1], "x"), None, 7):
        with pytest.raises(StoreError, match="plan x: cannot be read"):
            unpacked(broken, Case, "plan x")
