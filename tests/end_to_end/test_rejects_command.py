import json

import pytest

from trailwatch.errors import UsageError
from trailwatch.model.match import Reject, RuleFailure
from trailwatch.store.database import Database
from trailwatch.store.store import Store


@pytest.fixture
def run(tmp_path, command):
    path = tmp_path / "trailwatch/state.sqlite3"
    with Database(path) as database, database.transaction():
        store = Store(database)
        store.rejects.add(
            [Reject("logs/a.json", 3, "logs/a.json: record 3: \x1b[2J", b'{"bad": \x1b\xff}')], 1772442000
        )

        store.rejects.add_failures(
            [RuleFailure("mine", "e-1", "a/us-east-1", "rule() raised KeyError: \x1b[2J")], 1772442000
        )

    variables = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": str(tmp_path)}
    return lambda *words: command("rejects", *words, environment=variables)


def test_rejects_are_listed_with_their_reasons(run):
    (row,) = [json.loads(line) for line in run("list", "--format", "jsonl").stdout.splitlines()]

    assert (row["id"], row["origin"], row["position"], row["last"]) == (1, "logs/a.json", 3, "2026-03-02T09:00:00Z")


def test_a_reject_is_shown_without_anything_that_acts_on_a_terminal(run):
    text = run("show", "1").stdout

    assert "logs/a.json: record 3" in text
    assert '{"bad": \\x1b\\xff}' in text
    assert "\x1b" not in text
    assert "\x1b" not in run("list").stdout


def test_the_kept_bytes_come_out_as_they_went_in(run):
    assert run("show", "1", "--raw").stdout_bytes == b'{"bad": \x1b\xff}'


def test_a_state_without_rejects_says_so(tmp_path, command):
    variables = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": str(tmp_path)}
    result = command("rejects", "list", environment=variables)

    assert (result.stdout, result.stderr) == ("", "no rejects\n")


def test_a_reject_that_is_not_there_is_an_error_with_the_way_out(run):
    with pytest.raises(UsageError, match="there is no reject 7; trailwatch rejects list"):
        run("show", "7")


def test_a_rule_that_raised_is_listed_with_its_error_and_nothing_acts_on_a_terminal(run):
    (row,) = [json.loads(line) for line in run("failures", "--format", "jsonl").stdout.splitlines()]
    table = run("failures").stdout

    assert (row["rule_id"], row["event_id"], row["times"]) == ("mine", "e-1", 1)
    assert "KeyError" in table
    assert "\x1b" not in table
