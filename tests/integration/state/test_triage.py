import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from trailwatch.archive import Archive
from trailwatch.config.schema import Config, RetentionSettings
from trailwatch.detect.suppress import Suppressor
from trailwatch.errors import NotifyError, StoreError, UsageError
from trailwatch.model.severity import Severity
from trailwatch.model.sighting import DAY, Remembered, on
from trailwatch.model.signal import Link
from trailwatch.pipeline import Pipeline
from trailwatch.relay import relay
from trailwatch.rules.suppression import Suppression
from trailwatch.store.alerts import AlertFilter
from trailwatch.store.database import Database
from trailwatch.store.kept import KEPT
from trailwatch.store.outbox import OutboxState
from trailwatch.store.store import Store
from trailwatch.store.suppressed import ROWS_KEPT
from trailwatch.testing import FixedClock
from trailwatch.wiring import retention_of

from .parts import START, Mailbox, NameEngine, delivery, record, refusal

ALICE = "arn:aws:iam::111122223333:user/alice"
HOSTILE = "\x1b[2J\u202e=cmd|'/c calc'!A1<script>"
SECRET = "wJalrXUtnFEMI-NOT-A-REAL-KEY"


def suppression(name="quiet", **parts):
    parts = {"expires": 2**40, "rules": ("rule_StopLogging",), **parts}
    return Suppression(name=name, owner="dora", reason="known", **parts)


def pipeline_of(store, clock, *suppressions, archive=None, severity=Severity.HIGH):
    return Pipeline(
        NameEngine(StopLogging=severity, CreateAccessKey=Severity.LOW),
        store,
        archive,
        clock,
        {"mail": Severity.LOW},
        None,
        Suppressor(suppressions),
    )


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "trailwatch.toml"
    path.write_text(
        f'[store]\npath = "{tmp_path / "state.sqlite3"}"\n[rules]\nshipped = false\ndirs = ["{tmp_path / "rules"}"]\n'
    )
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "rule_StopLogging.py").write_text(
        'TITLE = "StopLogging was called"\nID = "rule-StopLogging"\nSEVERITY = "high"\n'
        'WHEN = {"eventName": "StopLogging"}\n\n\ndef rule(event):\n    return True\n'
    )
    return path


@pytest.fixture
def run(config, command):
    def run(*words, code=0, env=None):
        return command("--config", config, *words, code=code, environment={"USER": "dora", **(env or {})})

    return run


def rows(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def now():
    return int(datetime.now(UTC).timestamp()) // 3600 * 3600


@pytest.fixture
def filled(tmp_path, now):
    """Alerts of the last hours: six of alice's, one of an intruder who writes what does harm, one low of bob's."""
    with Store(Database(tmp_path / "state.sqlite3")) as store:
        pipeline = pipeline_of(store, FixedClock.at(now), archive=Archive(tmp_path / "archive"))
        records = [record(n, at=now - n * 3600) for n in range(6)]
        records.append(
            record(
                50,
                at=now - 7200,
                principal=HOSTILE,
                sourceIPAddress="203.0.113.66",
                userAgent=HOSTILE,
                requestParameters={"password": SECRET, "name": HOSTILE},
            )
        )
        records.append(record(51, at=now - 60, name="CreateAccessKey", principal="bob"))
        pipeline.process(delivery(records))
        pipeline.announce(now)
        relay(store, {"mail": Mailbox()}, FixedClock.at(now), 5)
        yield store


# --- what is hidden


def test_what_is_suppressed_is_no_alert_but_counted_and_listed(store, clock):
    pipeline = pipeline_of(store, clock, suppression(actor=(ALICE,)))

    found = pipeline.process(delivery([record(1), record(2, principal="bob"), record(3)]))

    assert [alert.principal for alert in store.alerts.search(AlertFilter())] == [ALICE.replace("alice", "bob")]
    assert (found.tally.suppressed, len(found.matches), found.tally.reconciles()) == (2, 1, True)
    assert [(one.event_id, one.suppression) for one in store.suppressed.recent()] == [
        ("00000000-0000-4000-8000-000000000001", "quiet"),
        ("00000000-0000-4000-8000-000000000003", "quiet"),
    ]
    total = store.suppressed.totals()["quiet"]
    assert (total.events, total.alerts, total.first, total.last) == (2, 1, START + 1, START + 3)
    assert len(pipeline.announce(START)) == 1


def test_reading_the_same_again_counts_nothing_twice(store, clock):
    for _ in range(3):
        pipeline_of(store, clock, suppression()).process(delivery([record(1)], polled=False))

    assert store.suppressed.totals()["quiet"].events == 1


def test_an_expired_one_lets_its_alerts_through_and_they_say_so(store, clock):
    pipeline = pipeline_of(store, clock, suppression("old", expires=START + 100))

    tally = pipeline.process(delivery([record(1), record(200, principal="bob")])).tally

    (alert,) = store.alerts.search(AlertFilter())
    assert (tally.suppressed, tally.lapsed) == (1, 1)
    assert alert.context == {"suppression": "old would have hidden this; it ended with 2025-10-08"}


def test_the_state_is_the_same_in_whatever_pieces_events_come(tmp_path, clock):
    records = [record(n, principal=f"user{n % 3}") for n in range(12)]
    states = []
    for size in (1, 5, 12):
        with Store(Database(tmp_path / f"{size}.sqlite3")) as store:
            pipeline = pipeline_of(store, clock, suppression(actor=("*/user1",)))
            for start in range(0, 12, size):
                pipeline.process(delivery(records[start : start + size]))
            alerts = [(a.id, a.event_count) for a in store.alerts.search(AlertFilter())]
            states.append((alerts, store.suppressed.recent()))

    assert states[0] == states[1] == states[2]
    assert len(states[0][1]) == 4


def test_what_is_listed_is_bounded_and_the_totals_stay(store, clock):
    pipeline_of(store, clock, suppression()).process(delivery([record(n) for n in range(30)]))

    assert store.suppressed.prune(START - 1) == 0
    assert store.suppressed.prune(int(clock.seconds) + 1) == 30
    assert store.suppressed.recent() == []
    assert store.suppressed.totals()["quiet"].events == 30
    assert ROWS_KEPT >= 30


def test_hostile_text_is_kept_without_undoing_the_transaction(store, clock):
    evil = record(1, principal=HOSTILE + "\ud800" + "x" * 10_000, sourceIPAddress="y" * 5_000)

    pipeline_of(store, clock, suppression(rules=("*",), accounts=("111122223333",))).process(delivery([evil]))

    (hidden,) = store.suppressed.recent()
    assert len(hidden.principal) <= 2048
    assert len(hidden.source_ip) <= 256


# --- putting off and noting


def test_a_snoozed_alert_is_told_once_more_when_its_time_has_come(store, clock):
    pipeline = pipeline_of(store, clock)
    pipeline.process(delivery([record(1)]))
    first = pipeline.announce(START)
    alert_id = first[0].alerts[0].id
    store.handling.snooze(alert_id, START + 100, "later", START)

    assert store.alerts.search(AlertFilter(snoozed=False)) == []
    assert [a.snoozed for a in store.alerts.search(AlertFilter(snoozed=True))] == [START + 100]
    assert pipeline.announce(START + 99) == []
    again = pipeline.announce(START + 100)
    assert [message.alerts[0].id for message in again] == [alert_id]
    assert again[0].id != first[0].id
    assert pipeline.announce(START + 101) == []


def test_a_snoozed_alert_that_grows_more_severe_is_told_at_once(store, clock):
    pipeline_of(store, clock, severity=Severity.LOW).process(delivery([record(1)]))
    alert_id = pipeline_of(store, clock).announce(START)[0].alerts[0].id
    store.handling.snooze(alert_id, START + 10_000, "", START)

    worse = pipeline_of(store, clock, severity=Severity.CRITICAL)
    worse.process(delivery([record(2)]))

    assert [message.alerts[0].severity for message in worse.announce(START + 1)] == [Severity.CRITICAL]


def test_a_closed_alert_does_not_wake(store, clock):
    from trailwatch.model.alert import AlertState, Verdict

    pipeline = pipeline_of(store, clock)
    pipeline.process(delivery([record(1)]))
    alert_id = pipeline.announce(START)[0].alerts[0].id
    store.handling.snooze(alert_id, START + 100, "", START)
    store.alerts.handle(alert_id, AlertState.CLOSED, Verdict.FALSE_POSITIVE, "", START + 5)

    assert pipeline.announce(START + 200) == []


@pytest.mark.usefixtures("filled")
def test_snooze_and_note_are_shown_and_kept_in_the_history(run):
    alert_id = rows(run("alerts", "list", "--who", "bob", "--format", "jsonl"))[0]["alert_id"]

    run("alerts", "note", alert_id, f"asked bob {HOSTILE}")
    said = run("alerts", "snooze", alert_id[:6], "--for", "4h").stdout
    run("alerts", "ack", alert_id)

    assert "put off until 2" in said
    page = run("alerts", "show", alert_id).stdout
    assert "\x1b" not in page
    assert "\u202e" not in page
    (shown,) = rows(run("alerts", "show", alert_id, "--format", "jsonl"))
    assert shown["note"].startswith("asked bob")
    assert [(one["state"], bool(one["snoozed"])) for one in shown["history"]] == [
        ("open", False),
        ("open", True),
        ("acked", False),
    ]


@pytest.mark.usefixtures("filled")
def test_what_is_put_off_is_listed_only_when_asked_for(run):
    alert_id = rows(run("alerts", "list", "--who", "bob", "--format", "jsonl"))[0]["alert_id"]
    run("alerts", "snooze", alert_id, "--for", "2d", "--note", "after the audit")

    assert len(rows(run("alerts", "list", "--format", "jsonl"))) == 7
    (put_off,) = rows(run("alerts", "list", "--snoozed", "--format", "jsonl"))
    assert (put_off["alert_id"], put_off["note"]) == (alert_id, "after the audit")
    assert len(rows(run("alerts", "list", "--state", "all", "--format", "jsonl"))) == 8


@pytest.mark.parametrize("span", ["0h", "soon", "-4h"])
@pytest.mark.usefixtures("filled")
def test_a_span_that_is_none_is_a_wrong_option(run, span):
    with pytest.raises(UsageError, match="--for"):
        run("alerts", "snooze", "0", "--for", span)


# --- alerts suppress


def suppressed_by(run, *words, who="alice", code=0):
    alert_id = rows(run("alerts", "list", "--who", who, "--format", "jsonl"))[0]["alert_id"]
    return alert_id, run("alerts", "suppress", alert_id, "--reason", "known", *words, code=code)


@pytest.mark.usefixtures("filled", "clock")
def test_suppress_shows_what_it_hides_and_then_writes_a_file_that_does_it(run, tmp_path):
    alert_id, result = suppressed_by(run)

    (path,) = (tmp_path / "suppressions.d").iterdir()
    assert f"written: {path}" in result.stdout
    assert "alerts: it would have hidden 6 events and 6 whole alerts" in result.stderr
    assert "archive: it would have hidden 6 events and 6 whole alerts" in result.stderr
    content = yaml.safe_load(path.read_text())
    assert (content["rules"], content["actor"], content["owner"]) == (["rule_StopLogging"], [ALICE], "dora")
    result = run("scan", str(tmp_path / "archive"), "--format", "jsonl")
    assert [row["source_ip"] for row in rows(result)] == ["203.0.113.66"]
    assert "suppressed: rule_StopLogging: " + ALICE + ": 6 matches, 6 alerts" in result.stderr
    assert rows(run("alerts", "list", "--who", "alice", "--format", "jsonl"))[0]["alert_id"] == alert_id


@pytest.mark.usefixtures("filled")
def test_a_dry_run_writes_nothing(run, tmp_path):
    _, result = suppressed_by(run, "--dry-run")

    assert "reason: known" in result.stdout
    assert not (tmp_path / "suppressions.d").exists()


@pytest.mark.usefixtures("filled")
def test_a_folder_that_cannot_be_written_gets_the_text_printed(run, tmp_path):
    (tmp_path / "suppressions.d").write_text("in the way")

    _, result = suppressed_by(run, "--no-archive", "--by", "network")

    assert "not written" in result.stderr
    assert yaml.safe_load(result.stdout[result.stdout.index("name:") :])["networks"] == ["192.0.2.7/32"]


@pytest.mark.usefixtures("filled")
def test_a_suppression_of_hostile_names_is_exact_and_prints_inert(run, tmp_path):
    _, result = suppressed_by(run, "--by", "actor", "--by", "event", "--close", who="script")

    (path,) = (tmp_path / "suppressions.d").iterdir()
    assert path.read_text().isascii()
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output
    assert "archive: it would have hidden 1 event and 1 whole alert" in result.stderr
    assert rows(run("alerts", "list", "--verdict", "false-positive", "--format", "jsonl"))[0]["note"] == (
        "suppressed until " + yaml.safe_load(path.read_text())["expires"] + ": known"
    )


@pytest.mark.usefixtures("filled")
def test_real_alerts_that_would_be_hidden_are_a_warning(run):
    alert_id = rows(run("alerts", "list", "--who", "alice", "--format", "jsonl"))[0]["alert_id"]
    run("alerts", "close", alert_id, "--verdict", "true-positive")

    _, result = suppressed_by(run, "--dry-run")

    assert "warning: 1 of these alerts was closed as true-positive" in result.stderr


# --- suppressions


def write(tmp_path, file="a.yml", **parts):
    folder = tmp_path / "suppressions.d"
    folder.mkdir(exist_ok=True)
    content = {"name": "quiet", "owner": "dora", "reason": "known", "expires": "2099-01-31"}
    content |= {"rules": ["rule_StopLogging"], "actor": [ALICE], **parts}
    (folder / file).write_text(yaml.safe_dump(content))
    return folder / file


def test_list_has_every_suppression_with_its_state_and_what_it_hid(run, filled, tmp_path, now):
    write(tmp_path)
    write(tmp_path, "b.yml", name=f"old {HOSTILE}", expires="2026-01-31")
    filled.suppressed.add([], now)
    pipeline_of(filled, FixedClock.at(now), suppression("gone")).process(delivery([record(90, at=now - 5)]))

    found = {row["name"]: row for row in rows(run("suppressions", "list", "--format", "jsonl"))}

    assert {name: (row["state"], row["events"]) for name, row in found.items()} == {
        "quiet": ("active", 0),
        f"old {HOSTILE}": ("expired", 0),
        "gone": ("removed", 1),
    }
    table = run("suppressions", "list").stdout
    assert "\x1b" not in table
    (hidden,) = rows(run("suppressions", "hidden", "gone", "--format", "jsonl"))
    assert (hidden["rule"], hidden["principal"]) == ("rule_StopLogging", ALICE)
    assert "StopLogging" in run("suppressions", "hidden").stdout


@pytest.mark.usefixtures("filled")
def test_check_tells_what_is_broken_expired_or_about_no_rule(run, tmp_path):
    write(tmp_path)
    assert run("suppressions", "check").stdout == ""

    write(tmp_path, "b.yml", name="b", expires="2026-01-31")
    write(tmp_path, "c.yml", name="c", rules=["rule_StopLoging"])
    stale = run("suppressions", "check", code=3).stderr
    assert "'b' ended with 2026-01-31" in stale
    assert "no loaded rule is called 'rule_StopLoging'; did you mean \"rule_StopLogging\"?" in stale

    broken = write(tmp_path, "d.yml", name="d", networks=["nowhere"])
    assert f"error: {broken}:" in run("suppressions", "check", code=2).stderr


@pytest.mark.usefixtures("filled")
def test_preview_counts_in_the_archive_and_in_the_stored_alerts(run, tmp_path):
    path = write(tmp_path)

    found = rows(run("suppressions", "preview", str(path), "--format", "jsonl"))

    assert [(row["in"], row["rule"], row["principal"], row["events"], row["alerts"]) for row in found] == [
        ("alerts", "rule_StopLogging", ALICE, 6, 6),
        ("archive", "rule_StopLogging", ALICE, 6, 6),
    ]


@pytest.mark.usefixtures("config", "filled")
def test_a_scan_without_a_configuration_hides_nothing_and_one_can_name_others(tmp_path, command):
    write(tmp_path)
    plain = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": None, "TRAILWATCH_CONFIG": None}
    words = ["scan", str(tmp_path / "archive"), "--rules", str(tmp_path / "rules"), "--format", "jsonl"]
    words += ["--only", "rule_StopLogging"]

    def alerts(*more):
        return len(command(*words, *more, environment=plain).stdout.splitlines())

    assert (alerts(), alerts("--suppressions", str(tmp_path / "suppressions.d"))) == (7, 1)
    with pytest.raises(UsageError):
        alerts("--suppressions", tmp_path, "--no-suppressions")


# --- incidents


def incident_of(run, who):
    return next(
        row for row in rows(run("incidents", "list", "--state", "all", "--format", "jsonl")) if who in row["actor"]
    )


def states_of(run, incident):
    found = {row["alert_id"]: row for row in rows(run("alerts", "list", "--state", "all", "--format", "jsonl"))}
    return [(found[one]["state"], found[one]["verdict"]) for one in incident["alerts"]]


@pytest.mark.usefixtures("filled")
def test_what_is_decided_about_an_incident_is_decided_about_its_open_alerts(run):
    incident = incident_of(run, "alice")
    run("alerts", "close", incident["alerts"][0], "--verdict", "true-positive")

    run("incidents", "ack", incident["incident"][:6], "--note", "on it")
    assert states_of(run, incident) == [("closed", "true-positive"), *[("acked", None)] * 5]
    said = run("incidents", "snooze", incident["incident"], "--for", "1h").stdout
    assert said.count("put off until") == 5
    assert rows(run("alerts", "list", "--who", "alice", "--format", "jsonl")) == []
    run("incidents", "note", incident["incident"], f"asked {HOSTILE}")
    closed = run("incidents", "close", incident["incident"], "--verdict", "false-positive").stdout
    assert closed.count("closed (false-positive)") == 5
    assert states_of(run, incident) == [("closed", "true-positive"), *[("closed", "false-positive")] * 5]
    assert "nothing was done" in run("incidents", "ack", incident["incident"]).stderr


@pytest.mark.usefixtures("filled")
def test_an_incident_is_suppressed_by_its_rules_and_its_actor(run, tmp_path):
    incident = incident_of(run, "script")

    result = run("incidents", "suppress", incident["incident"], "--reason", "a rehearsal", "--close")

    (path,) = (tmp_path / "suppressions.d").iterdir()
    content = yaml.safe_load(path.read_text())
    assert (content["rules"], content["accounts"]) == (["rule_StopLogging"], ["111122223333"])
    assert "alerts: it would have hidden 1 event and 1 whole alert" in result.stderr
    assert states_of(run, incident) == [("closed", "false-positive")]
    assert "\x1b" not in result.output


@pytest.mark.usefixtures("filled")
def test_an_unknown_incident_says_what_to_do(run):
    with pytest.raises(StoreError, match="there is none with this id"):
        run("incidents", "ack", "zzzz")


# --- outbox


@pytest.fixture
def stuck(tmp_path, now):
    """One message that was refused for good, and one that waits."""
    with Store(Database(tmp_path / "state.sqlite3")) as store:
        clock = FixedClock.at(now)
        pipeline = pipeline_of(store, clock)
        pipeline.process(delivery([record(1, at=now)]))
        pipeline.announce(now)
        mailbox = Mailbox()
        mailbox.down = refusal(f"550 {HOSTILE}")
        relay(store, {"mail": mailbox}, clock, clock.monotonic() + 5)
        pipeline.process(delivery([record(2, at=now, principal="bob")]))
        pipeline.announce(now + 1)
        yield store


@pytest.mark.usefixtures("stuck")
def test_the_outbox_lists_what_waits_and_what_was_given_up_and_why(run):
    found = rows(run("outbox", "list", "--format", "jsonl"))

    assert [(row["state"], row["attempts"], row["principal"]) for row in found] == [
        ("dead", 1, ALICE),
        ("waiting", 0, ALICE.replace("alice", "bob")),
    ]
    assert "550" in found[0]["detail"]
    assert "\x1b" not in run("outbox", "list").stdout
    assert rows(run("outbox", "list", "--notifier", "other", "--format", "jsonl")) == []


def test_what_was_given_up_goes_out_after_a_retry(run, stuck):
    run("outbox", "retry", "--dead")

    clock, mailbox = FixedClock.at(int(datetime.now(UTC).timestamp()) + 5), Mailbox()
    assert relay(stuck, {"mail": mailbox}, clock, clock.monotonic() + 5).sent == 2
    assert [message.principal for message in mailbox.got] == [ALICE, ALICE.replace("alice", "bob")]


def test_a_retried_message_has_all_its_attempts_again(run, stuck):
    run("outbox", "retry", "1")

    clock, mailbox = FixedClock.at(int(datetime.now(UTC).timestamp()) + 5), Mailbox()
    mailbox.down = NotifyError("mail", "451 later")
    relay(stuck, {"mail": mailbox}, clock, clock.monotonic() + 5)
    assert [(entry.state, entry.attempts) for entry in stuck.outbox.entries(ids=[1])] == [(OutboxState.WAITING, 1)]


@pytest.mark.usefixtures("stuck")
def test_a_dropped_message_is_never_sent(run):
    said = run("outbox", "drop", "2").stdout

    assert said.startswith("2 dropped: mail: ")
    assert [row["id"] for row in rows(run("outbox", "list", "--state", "all", "--format", "jsonl"))] == [1]


@pytest.mark.usefixtures("filled")
def test_what_cannot_be_retried_says_why_and_nothing_else_is_done(run):
    with pytest.raises(StoreError, match="message 1 is sent; it needs nothing"):
        run("outbox", "retry", "1")
    with pytest.raises(StoreError, match="there is no message 99"):
        run("outbox", "drop", "1", "99")
    with pytest.raises(UsageError, match="name ids, or --dead"):
        run("outbox", "drop")
    assert {row["state"] for row in rows(run("outbox", "list", "--state", "all", "--format", "jsonl"))} == {"sent"}


# --- noise


@pytest.mark.usefixtures("filled")
def test_noise_tells_the_noisy_rule_and_writes_its_allowlist(run, tmp_path):
    intruder = rows(run("alerts", "list", "--who", "script", "--format", "jsonl"))[0]["alert_id"]
    run("alerts", "close", intruder, "--verdict", "true-positive")

    result = run("noise", "--write", str(tmp_path / "review"), "--format", "jsonl")

    stop, key = rows(result)
    assert (stop["rule"], stop["alerts"], stop["closed_true"], stop["open"]) == ("rule_StopLogging", 7, 1, 6)
    assert stop["allowlist"]["by"] == [["actor", ALICE]]
    assert (stop["allowlist"]["removed"], stop["allowlist"]["of"]) == (6, 6)
    assert stop["allowlist"]["true_positives_hidden"] == []
    assert (key["alerts"], key["allowlist"]) == (1, None)
    (written,) = (tmp_path / "review").iterdir()
    assert written.read_text() == stop["allowlist"]["file"]
    table = run("noise").stdout
    assert "# rule_StopLogging: this would have removed 6 of 6 alerts (100%)" in table
    assert "# and nothing that somebody closed as true-positive" in table
    first = run("noise", "--top", "1")
    assert "rule_StopLogging" in first.stdout
    assert first.stderr == "more rules told less: 1; --top 2 shows all\n"
    assert "\x1b" not in table
    found = rows(run("suppressions", "preview", str(written), "--no-archive", "--format", "jsonl"))
    assert [(row["principal"], row["true_positives"]) for row in found] == [(ALICE, 0)]


@pytest.mark.usefixtures("filled")
def test_an_allowlist_that_would_have_hidden_a_real_alert_says_which(run):
    for row in rows(run("alerts", "list", "--who", "alice", "--format", "jsonl"))[:1]:
        run("alerts", "close", row["alert_id"], "--verdict", "true-positive")

    result = run("noise", "--rule", "rule_StopLogging")

    assert f"# AND HIDDEN 1 TRUE POSITIVES: {row['alert_id']}" in result.stdout


# --- state


@pytest.mark.usefixtures("filled")
def test_stats_show_every_table_and_the_archive_with_their_age_and_retention(run):
    found = {row["table"]: row for row in rows(run("state", "stats", "--format", "jsonl"))}

    assert found["alerts"]["rows"] == 8
    assert found["alerts"]["kept"] == "400d since it last grew or was handled"
    assert found["alert_evidence"]["bytes"] > 0
    assert found["alert_evidence"]["oldest"].endswith("Z")
    assert found["(archive)"]["rows"] >= 6
    assert found["(archive)"]["kept"] == "365d"
    assert found["(state file)"]["bytes"] >= sum(
        row["bytes"] for row in found.values() if row["kept"].startswith("400d")
    )
    assert "400d" in run("state", "stats").stdout


def test_of_every_table_it_is_said_how_long_its_rows_stay_and_written_down(run, config):
    config.write_text(config.read_text() + '[retention]\nlinks = "10d"\nsightings = "1d"\n')
    found = {row["table"]: row for row in rows(run("state", "stats", "--format", "jsonl"))}
    page = (Path(__file__).parents[3] / "docs" / "triage.md").read_text()

    assert set(KEPT) == {name for name in found if not name.startswith("(")}
    assert {name for name in KEPT if f"`{name}`" not in page} == set()
    assert found["link"]["kept"] == "10d since it was read"


def test_no_setting_makes_a_memory_forget_what_its_rules_ask_for(store):
    kept = retention_of(Config(retention=RetentionSettings(sightings=0, dormant=0, stays=0)))
    now = 400 * DAY
    store.first_seen.see({1: Remembered("r", "1", ("a",), on((now - 32 * DAY) // DAY))})

    store.prune(now, kept)

    assert store.first_seen.sightings([1])


def test_links_that_are_kept_without_asking_what_is_new_are_the_same_as_those_that_are_added(store):
    links = [Link("assumed", f"a{number}", "b", number, "e", "1") for number in (1, 2, 2)]
    store.lineage.keep(links, 5)
    kept = store.lineage.parents("b")

    assert [link.parent for link in kept] == ["a2", "a1"]
    assert store.lineage.add(links, 6) == set()
    assert store.lineage.parents("b") == kept


def test_prune_forgets_links_and_sightings_when_their_time_is_over(store):
    kept = retention_of(Config(retention=RetentionSettings(links=DAY)))
    now = 400 * DAY
    store.lineage.add([Link("assumed", "a", "b", 5, "e", "1")], now - 2 * DAY)
    store.lineage.remember("b", ["a", "b"], now - 2 * DAY)
    store.first_seen.see({1: Remembered("r", "1", ("a",), on((now - 40 * DAY) // DAY))})
    store.first_seen.see({2: Remembered("d", "1", ("a",), on((now - 40 * DAY) // DAY), lasting=True)})

    store.prune(now, kept)

    assert store.lineage.count() == 0
    assert store.lineage.led_over(["a"]) == set()
    assert set(store.first_seen.sightings([1, 2])) == {2}


def test_prune_forgets_what_is_past_its_time_in_the_store_and_in_the_archive(run, filled, tmp_path, config, now):
    old = now - 400 * 86400
    Archive(tmp_path / "archive").append("111122223333", "eu-west-1", [(old, bytes(record(1, at=old)))])
    config.write_text(config.read_text() + '[retention]\nmessages = "1s"\n')
    filled.database.execute("UPDATE messages SET created = created - 100")

    found = {row["table"]: row for row in rows(run("state", "prune", "--compact", "--format", "jsonl"))}

    assert found["messages"]["removed"] == 3
    assert found["outbox"]["rows"] == 0
    assert found["(archive)"]["removed"] == 1
    assert "alerts" not in found
    assert not (tmp_path / "archive/AWSLogs/111122223333/CloudTrail/eu-west-1").exists()
    assert rows(run("state", "prune", "--format", "jsonl"))[-1]["removed"] == 0
