import json
import subprocess
import sys
from pathlib import Path

import pytest

from trailwatch.errors import StoreError, UsageError
from trailwatch.model.severity import Severity
from trailwatch.pipeline import Pipeline
from trailwatch.relay import relay
from trailwatch.store.database import Database
from trailwatch.store.store import Store

from .parts import START, Mailbox, NameEngine, delivery, record

SECRET = "wJalrXUtnFEMI-NOT-A-REAL-KEY"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "trailwatch.toml"
    path.write_text(f'[store]\npath = "{tmp_path / "state.sqlite3"}"\n')
    return path


@pytest.fixture
def told(tmp_path, clock, config):  # noqa: ARG001 the configuration names this state file
    """A store with one high alert of alice and one low alert of bob, told through one notifier."""
    with Store(Database(tmp_path / "state.sqlite3")) as store:
        engine = NameEngine(StopLogging=Severity.HIGH, CreateAccessKey=Severity.LOW)
        pipeline = Pipeline(engine, store, None, clock, {"mail": Severity.LOW})
        evil = record(1, userAgent="\x1b[2Jcurl\u202e", requestParameters={"password": SECRET})
        pipeline.process(delivery([evil, record(2), record(3, name="CreateAccessKey", principal="bob")]))
        pipeline.announce(START)
        relay(store, {"mail": Mailbox()}, clock, clock.monotonic() + 5)
        yield store


@pytest.fixture
def trailwatch(config, told, command):  # noqa: ARG001 the command has something to show
    return lambda *words: command("--config", config, *words).stdout


def listed(trailwatch, *words):
    return [json.loads(line) for line in trailwatch("alerts", "list", "--format", "jsonl", *words).splitlines()]


def test_list_shows_what_is_open_oldest_first(trailwatch):
    found = listed(trailwatch)

    assert [(a["title"], a["severity"], a["state"], a["event_count"]) for a in found] == [
        ("StopLogging was called", "high", "open", 2),
        ("CreateAccessKey was called", "low", "open", 1),
    ]
    table = trailwatch("alerts", "list")
    assert all(a["alert_id"] in table for a in found)


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["--severity", "high"], 1),
        (["--rule", "rule_StopLogging"], 1),
        (["--rule", "rule-StopLogging"], 1),
        (["--rule", "none"], 0),
        (["--account", "111122223333"], 2),
        (["--account", "999999999999"], 0),
        (["--state", "closed"], 0),
        (["--state", "all"], 2),
        (["--since", "2025-10-09T09:00:03Z"], 1),
        (["--since", "1h"], 0),
        (["--limit", "1"], 1),
    ],
)
def test_each_filter_filters(trailwatch, words, count):
    assert len(listed(trailwatch, *words)) == count


def test_ack_then_close_with_a_verdict_by_a_short_id(trailwatch):
    first = listed(trailwatch)[0]["alert_id"]
    assert trailwatch("alerts", "ack", first[:8], "--note", "on it").startswith(f"{first} acked")
    trailwatch("alerts", "close", first[:8], "--verdict", "false-positive", "--note", "a drill")

    [closed] = listed(trailwatch, "--state", "closed")
    assert (closed["alert_id"], closed["verdict"], closed["note"]) == (first, "false-positive", "a drill")
    assert len(listed(trailwatch)) == 1
    shown = json.loads(trailwatch("alerts", "show", first, "--format", "jsonl"))
    assert [(h["state"], h["note"]) for h in shown["history"]] == [("acked", "on it"), ("closed", "a drill")]


@pytest.mark.parametrize("form", ["table", "jsonl"])
def test_show_has_everything_and_neither_secrets_nor_control_characters(trailwatch, form):
    first = listed(trailwatch)[0]["alert_id"]
    text = trailwatch("alerts", "show", first, "--format", form)

    for part in (
        first,
        "StopLogging was called",
        "192.0.2.7",
        "mail",
        "sent",
        "00000000-0000-4000-8000-000000000002",
    ):
        assert part in text
    assert SECRET not in text
    assert "***" in text
    assert all(character.isprintable() or character == "\n" for character in text)


def test_an_unknown_and_an_ambiguous_id_say_what_to_do(trailwatch):
    with pytest.raises(StoreError, match=r"alert 'ffff': there is none with this id; `trailwatch alerts list"):
        trailwatch("alerts", "ack", "ffff")
    with pytest.raises(StoreError, match=r"more than one begins so: .*; write more of it"):
        trailwatch("alerts", "show", "")


def test_a_wrong_time_is_a_wrong_option(trailwatch):
    with pytest.raises(UsageError, match="--since"):
        trailwatch("alerts", "list", "--since", "yesterday")


def test_close_needs_a_verdict(config, command):
    assert "--verdict" in command("--config", config, "alerts", "close", "0", code=2).stderr


def test_ack_does_not_wait_for_a_cycle(trailwatch, told):
    first = listed(trailwatch)[0]["alert_id"]
    with told.cycles.lock() as lock:
        assert lock.acquire()
        with told.outbox.drain_lock():
            trailwatch("alerts", "ack", first)

    assert listed(trailwatch, "--state", "acked")[0]["alert_id"] == first


def test_the_command_leaves_with_1_for_an_unknown_id(config):
    command = [Path(sys.executable).with_name("trailwatch"), "--config", config, "alerts", "show", "nonesuch"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: alert 'nonesuch': there is none with this id")
