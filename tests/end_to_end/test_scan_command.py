import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from trailwatch.testing import event

TRAILWATCH = str(Path(sys.executable).with_name("trailwatch"))
USER_CREATED = "6b0a3f0e-0001-4c6e-9a51-0d4e1f6f0001"
RULES = {
    "user_created": (USER_CREATED, "medium", "CreateUser", ""),
    "trail_gone": ("6b0a3f0e-0002-4c6e-9a51-0d4e1f6f0002", "critical", "DeleteTrail", ""),
    "role_assumed": (
        "6b0a3f0e-0003-4c6e-9a51-0d4e1f6f0003",
        "low",
        "AssumeRole",
        "trailwatch:\n  alerting: false\n",
    ),
}


@pytest.fixture
def rules(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    for name, (rule_id, level, event_name, more) in RULES.items():
        (folder / f"{name}.yml").write_text(
            f"title: {name.replace('_', ' ')}\nid: {rule_id}\nstatus: stable\nlevel: {level}\n"
            "logsource:\n  product: aws\n  service: cloudtrail\n"
            f"detection:\n  selection:\n    eventName: {event_name}\n  condition: selection\n{more}"
        )
    return folder


@pytest.fixture
def run(tmp_path, rules, command):
    """Calls the command on the test's own rules, with nothing of this machine's configuration."""

    def scan(*words, stdin=b"", code=0):
        arguments = ["--config", own_rules_only(tmp_path), "scan", "--rules", rules, *words]
        variables = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": ""}
        return command(*arguments, code=code, environment=variables, stdin=stdin)

    return scan


def own_rules_only(folder):
    path = folder / "trailwatch.toml"
    path.write_text("[rules]\nshipped = false\n")
    return str(path)


def trail(path, *records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps({"Records": records}).encode()))
    return path


def rows(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_match_says_what_happened_who_did_it_and_why_it_matched(tmp_path, run):
    record = event("CreateUser", requestParameters={"userName": "eve"}, sourceIPAddress="203.0.113.9")
    file = trail(tmp_path / "a.json.gz", event("ListUsers"), record)

    (row,) = rows(run(file, "--show", "matches", "--format", "jsonl"))

    assert row["reason"]
    assert {name: row[name] for name in ("rule_id", "title", "severity", "event_name", "source_ip")} == {
        "rule_id": USER_CREATED,
        "title": "user created",
        "severity": "medium",
        "event_name": "CreateUser",
        "source_ip": "203.0.113.9",
    }
    assert row["event_ids"] == [row["event_id"]] == [record["eventID"]]
    assert (row["account"], row["region"], row["time"]) == ("111122223333", "us-east-1", record["eventTime"])
    assert "dora" in row["actor"]
    assert (row["origin"], row["position"]) == (str(file), 1)
    assert {"tactics", "techniques", "event_source", "user_agent", "error_code"} <= set(row)


def test_rules_that_only_feed_others_match_and_give_no_alert(tmp_path, run):
    file = trail(tmp_path / "a.json.gz", event("AssumeRole"))

    assert len(rows(run(file, "--show", "matches", "--format", "jsonl"))) == 1
    assert rows(run(file, "--format", "jsonl")) == []


def test_matches_of_one_rule_and_principal_are_one_alert(tmp_path, run):
    file = trail(tmp_path / "a.json.gz", *(event("CreateUser", eventID=f"e{n}") for n in range(3)))

    (row,) = rows(run(file, "--format", "jsonl"))

    assert (row["rule"], row["event_count"], row["event_ids"]) == ("user_created", 3, ["e0", "e1", "e2"])


def test_the_same_events_in_two_files_match_once(tmp_path, run):
    for name in ("a", "b"):
        trail(tmp_path / "logs" / f"{name}.json.gz", event("CreateUser"))

    found = rows(run(tmp_path / "logs", "--show", "matches", "--format", "jsonl"))

    assert [Path(row["origin"]).name for row in found] == ["a.json.gz"]


def test_the_table_has_one_line_for_each_alert_off_a_terminal(tmp_path, run):
    file = trail(tmp_path / "a.json.gz", event("CreateUser"), event("DeleteTrail"))

    result = run(file)

    assert len(result.stdout.splitlines()) == 3
    assert "trail gone" in result.stdout
    assert "2 events in 1 file" in result.stderr
    assert "2 alerts (1 critical, 1 medium)" in result.stderr


def test_nothing_found_is_nothing_printed(tmp_path, run):
    assert run(trail(tmp_path / "a.json.gz", event("ListUsers"))).stdout == ""


def test_standard_input_is_read_where_the_path_is_a_dash(run):
    body = gzip.compress(json.dumps(event("CreateUser")).encode())

    assert len(rows(run("-", "--format", "jsonl", stdin=body))) == 1


def test_severities_below_the_least_are_not_shown(tmp_path, run):
    file = trail(tmp_path / "a.json.gz", event("CreateUser"), event("DeleteTrail"), event("AssumeRole"))

    for show in ("alerts", "matches"):
        found = rows(run(file, "--show", show, "--format", "jsonl", "--min-severity", "high"))
        assert [row["rule"] for row in found] == ["trail_gone"]


@pytest.mark.parametrize(("level", "code"), [("low", 10), ("medium", 10), ("high", 0)])
def test_fail_on_exits_with_ten_when_an_alert_is_that_severe(tmp_path, run, level, code):
    run(trail(tmp_path / "a.json.gz", event("CreateUser")), "--fail-on", level, code=code)


def test_only_events_between_since_and_until_count(tmp_path, run):
    times = ("2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z", "2026-03-02T11:00:00Z")
    file = trail(tmp_path / "a.json.gz", *(event("CreateUser", eventTime=t, eventID=t) for t in times))

    result = run(
        *(file, "--show", "matches", "--format", "jsonl", "--stats-json", tmp_path / "s.json"),
        *("--since", "2026-03-02T10:00:00Z", "--until", "2026-03-02T11:00:00Z"),
    )

    assert [row["event_id"] for row in rows(result)] == [times[1]]
    stats = json.loads((tmp_path / "s.json").read_text())
    assert (stats["records"], stats["events"]) == (3, 1)
    assert stats["left_out"] == {"after --until": 1, "before --since": 1}


def test_a_time_that_is_none_is_refused_with_an_example(tmp_path, run):
    from trailwatch.errors import UsageError

    with pytest.raises(UsageError, match=r"--since: expected a time such as .* got 'yesterday'"):
        run(trail(tmp_path / "a.json.gz"), "--since", "yesterday")


def test_counters_say_what_became_of_every_record(tmp_path, run):
    same = event("CreateUser")
    trail(tmp_path / "logs/a.json.gz", same, same, {"no": "name"}, event("DeleteTrail"))
    trail(tmp_path / "logs/b.json.gz", event("ListUsers"))
    (tmp_path / "logs/c.json").write_text("{broken")
    (tmp_path / "logs/notes.txt").write_text("x")

    result = run(tmp_path / "logs", "--stats-json", tmp_path / "s.json", code=3)

    stats = json.loads((tmp_path / "s.json").read_text())
    counted = {name: stats[name] for name in ("records", "events", "duplicates", "rejects", "matches", "alerts")}
    assert counted == {"records": 6, "events": 3, "duplicates": 1, "rejects": 2, "matches": 2, "alerts": 2}
    assert stats["left_out"] == {"other file": 1}
    assert {"seconds", "events_per_second", "peak_rss_mb", "compiled"} <= set(stats)
    assert result.stderr.count("reject: ") == 2


def test_a_broken_rule_is_told_skipped_and_is_exit_three(tmp_path, run, rules):
    good = (rules / "user_created.yml").read_text().replace(USER_CREATED, "6b0a3f0e-0005-4c6e-9a51-0d4e1f6f0005")
    (rules / "broken.yml").write_text(good.replace("eventName:", "eventName|contians:"))

    assert "broken.yml" in run(trail(tmp_path / "a.json.gz"), code=3).stderr


def test_what_an_intruder_wrote_acts_neither_on_a_terminal_nor_in_a_spreadsheet(tmp_path, run):
    record = event("CreateUser", userAgent="\x1b[2J\u202e=cmd()", sourceIPAddress="=HYPERLINK(1)")
    file = trail(tmp_path / "a.json.gz", record)

    outputs = {form: run(file, "--format", form, "--show", "matches").stdout for form in ("table", "jsonl", "csv")}

    assert all(text.replace("\n", "").isprintable() and text.isascii() for text in outputs.values())
    (cells,) = csv.DictReader(outputs["csv"].splitlines())
    assert cells["source_ip"] == "'=HYPERLINK(1)"


def test_secrets_of_a_record_are_masked_in_every_output(tmp_path, run, rules):
    (rules / "token.yml").write_text(
        (rules / "user_created.yml")
        .read_text()
        .replace(USER_CREATED, "6b0a3f0e-0004-4c6e-9a51-0d4e1f6f0004")
        .replace("eventName: CreateUser", "responseElements.credentials.sessionToken|contains: IQoJ")
    )
    response = {"credentials": {"sessionToken": "IQoJb3JpZ2luX2Vj"}}
    file = trail(tmp_path / "a.json.gz", event("AssumeRole", responseElements=response))

    for show in ("alerts", "matches"):
        result = run(file, "--show", show, "--format", "jsonl", "--only", "token")
        assert '"rule":"token"' in result.stdout
        assert "IQoJb3JpZ2luX2Vj" not in result.stdout


def test_a_result_goes_to_the_named_file(tmp_path, run):
    output = tmp_path / "out.jsonl"

    result = run(trail(tmp_path / "a.json.gz", event("CreateUser")), "--format", "jsonl", "--output", output)

    assert result.stdout == ""
    assert json.loads(output.read_text())["rule"] == "user_created"


def test_any_number_of_workers_gives_the_same_bytes(tmp_path, rules):
    for number in range(12):
        noise = [event("ListUsers", eventID=f"n{number}-{k}", pad="x" * 900) for k in range(600)]
        hits = [event("CreateUser", eventID=f"h{number}-{k}") for k in range(number)]
        path = tmp_path / "logs" / f"{number:02d}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"Records": [*noise, *hits, {"bad": number}]}))

    command = [
        TRAILWATCH,
        "--config",
        own_rules_only(tmp_path),
        "scan",
        str(tmp_path / "logs"),
        "--rules",
        str(rules),
    ]
    command += ["--only", "user_created", "--format", "jsonl"]
    outputs = set()
    for workers in (1, 2, 3):
        for show in ("alerts", "matches"):
            done = subprocess.run(
                [*command, "--workers", str(workers), "--show", show],
                capture_output=True,
                check=False,
                env={"HOME": str(tmp_path)},
            )
            assert done.returncode == 3, done.stderr
            assert done.stderr.count(b"reject: ") == 11
            outputs.add((show, done.stdout))

    assert len(outputs) == 2
    assert {show: len(text.splitlines()) for show, text in outputs} == {"alerts": 1, "matches": 66}


def test_the_users_store_is_never_touched(tmp_path, run):
    run(trail(tmp_path / "a.json.gz", event("CreateUser")))

    assert not (tmp_path / ".local").exists()
