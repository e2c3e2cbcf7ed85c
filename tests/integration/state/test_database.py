import os
import re
import sqlite3
import time

import pytest

from trailwatch.errors import StoreError
from trailwatch.model.alert import AlertState, Verdict
from trailwatch.model.match import Reject, RuleFailure
from trailwatch.model.message import Message
from trailwatch.model.severity import Severity
from trailwatch.pipeline import Pipeline
from trailwatch.store.alerts import AlertFilter
from trailwatch.store.database import Database, migrations
from trailwatch.store.outbox import OutboxState, Outcome
from trailwatch.store.rejects import FAILURES_KEPT
from trailwatch.store.store import DAY, Store

from .parts import START, NameEngine, archived_ids, delivery, fork, record, run_cycle


def in_processes(count, work):
    """Exit codes of that many processes that all begin at the same moment."""
    begin = time.time() + 0.1
    children = []
    for number in range(count):
        child = fork()
        if child == 0:
            code = 1
            try:
                while time.time() < begin:
                    pass
                work(number)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def test_a_newer_schema_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "state.sqlite3"
    Database(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()

    with pytest.raises(
        StoreError, match=rf"has schema 999, this trailwatch knows {len(migrations())}; use the newer"
    ):
        Database(path)


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "state.sqlite3"
    path.write_bytes(b"these are my notes, not a database" * 100)

    with pytest.raises(StoreError, match=re.escape(f"{path}: cannot be opened as a state file: file is not a")):
        Database(path)
    assert path.read_bytes().startswith(b"these are my notes")


def test_a_full_disk_is_a_named_error_and_undoes_the_whole_transaction(store, clock):
    pages = store.database.one("PRAGMA page_count")[0]
    store.database.execute(f"PRAGMA max_page_count = {pages + 1:d}")
    pipeline = Pipeline(NameEngine(), store, None, clock, {})

    with pytest.raises(StoreError, match=r"full.*check the space on the disk"):
        pipeline.process(delivery([record(n, principal=f"user{n}") for n in range(200)]))

    assert (store.seen.count(), store.alerts.search(AlertFilter())) == (0, [])
    store.database.execute("PRAGMA max_page_count = 100000")
    pipeline.process(delivery([record(1)]))
    assert store.seen.count() == 1


def test_first_runs_at_the_same_time_all_open_the_store(tmp_path):
    for turn in range(5):
        path = tmp_path / str(turn) / "state.sqlite3"
        assert in_processes(4, lambda _, path=path: Database(path).close()) == [0] * 4


def test_a_new_store_has_every_migration_and_foreign_keys(store):
    assert store.database.version == len(migrations())
    assert store.database.one("PRAGMA foreign_keys")[0] == 1
    assert store.database.one("PRAGMA journal_mode")[0] == "wal"
    assert store.database.all("PRAGMA integrity_check")[0][0] == "ok"


@pytest.mark.parametrize(
    ("table", "column", "enum"),
    [
        ("alerts", "severity", Severity),
        ("alerts", "state", AlertState),
        ("alerts", "verdict", Verdict),
        ("alert_history", "state", AlertState),
        ("alert_history", "verdict", Verdict),
        ("messages", "severity", Severity),
        ("outbox", "state", OutboxState),
        ("attempts", "outcome", Outcome),
    ],
)
def test_enumerated_columns_take_the_values_of_their_enum_and_no_other(store, table, column, enum):
    sql = store.database.one("SELECT sql FROM sqlite_master WHERE name = ?", (table,))[0]
    [values] = re.findall(rf"CHECK \({column} IN \(([^)]*)\)\)", sql)

    assert {value.strip(" '") for value in values.split(",")} == {member.value for member in enum}


def test_two_cycles_at_once_tell_nothing_twice(tmp_path):
    for turn in range(4):
        folder = tmp_path / str(turn)
        folder.mkdir()
        paths = (folder / "state.sqlite3", folder / "mailbox", folder / "archive")
        assert in_processes(2, lambda _, paths=paths: run_cycle(*paths, windows=6)) == [0, 0]
        run_cycle(*paths, windows=6)

        with Store(Database(paths[0])) as store:
            alerts = store.alerts.search(AlertFilter())
            assert all(len(store.outbox.sendings_of(alert.id)) == 1 for alert in alerts)
            assert store.outbox.counts()[OutboxState.SENT] == len(paths[1].read_text().splitlines())
            assert store.seen.count() == len(set(archived_ids(paths[2])))


def test_everything_leaves_in_time_and_not_before(store, clock):
    pipeline = Pipeline(NameEngine(), store, None, clock, {"mail": Severity.LOW})
    pipeline.process(delivery([record(1), record(2)]))
    store.rejects.add([Reject("x", 0, "broken", b"{")], START)
    store.rejects.add_failures([RuleFailure("r", "e", "x", "ZeroDivisionError")], START)
    [alert] = store.alerts.untold()
    store.alerts.handle(alert.id, AlertState.ACKED, None, "", START)

    store.prune(START + DAY)
    assert (store.seen.count(), store.rejects.count(), len(store.rejects.recent_failures())) == (2, 1, 1)
    store.prune(START + 31 * DAY)
    assert (store.seen.count(), store.rejects.count(), len(store.rejects.recent_failures())) == (0, 0, 0)
    store.prune(START + 500 * DAY)
    assert store.alerts.get(alert.id) is not None, "an alert that was never told stays"

    pipeline.announce(START)
    [item] = store.outbox.due(START)
    store.prune(START + 500 * DAY)
    assert store.outbox.counts()[OutboxState.WAITING] == 1, "a message that was never sent stays"
    assert store.alerts.get(alert.id) is None
    store.outbox.begin(item, START)
    store.outbox.succeeded(item, "", START)
    store.prune(START + 500 * DAY)

    core = ["alerts", "alert_events", "alert_evidence", "alert_history", "seen", "rejects", "rule_failures"]
    core += ["messages", "message_alerts", "outbox", "attempts"]
    left = {table: store.database.one(f"SELECT count(*) FROM {table}")[0] for table in core}  # noqa: S608 names from above
    assert left == dict.fromkeys(core, 0)


def test_a_rule_that_fails_on_everything_fills_no_disk(store):
    failures = [RuleFailure("r", f"e{n}", "x", "KeyError: 'a'") for n in range(FAILURES_KEPT + 500)]
    store.rejects.add_failures(failures, START)
    store.rejects.add_failures(failures[-1:], START + 5)
    store.prune(START + 10)

    assert store.database.one("SELECT count(*) FROM rule_failures")[0] == FAILURES_KEPT
    latest = store.rejects.recent_failures(1)[0]
    assert (latest.failure, latest.times, latest.first, latest.last) == (failures[-1], 2, START, START + 5)


def test_a_message_without_alerts_goes_its_way_too(store):
    about_us = Message("m1", START, "", (), "us-east-1 cannot be read", "AccessDenied since 10:00")
    store.outbox.add(about_us, ["mail"], START)

    assert [item.message for item in store.outbox.due(START)] == [about_us]


def test_a_transaction_inside_another_ends_with_the_outer_one(store):
    def both():
        with store.transaction():
            store.seen.add([("1", START, "a")])
            with store.transaction():
                store.seen.add([("1", START, "b")])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        both()
    assert store.seen.count() == 0
