import json

import pytest

from trailwatch.archive import Archive
from trailwatch.errors import SourceError, UsageError
from trailwatch.testing import event


@pytest.fixture
def run(tmp_path, command):
    def events(*words, code=0, environment=None):
        variables = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": "", **(environment or {})}
        return command("events", *words, code=code, environment=variables)

    return events


@pytest.fixture
def logs(tmp_path):
    records = [
        event("CreateUser", eventTime="2026-03-02T09:00:00Z", eventID="one"),
        event("DeleteTrail", eventTime="2026-03-02T11:00:00Z", eventID="two", awsRegion="eu-west-1"),
        event(
            "AssumeRole",
            eventTime="2026-03-02T10:00:00Z",
            eventID="three",
            requestParameters={"roleArn": "arn:aws:iam::111122223333:role/deploy"},
            responseElements={"credentials": {"accessKeyId": "ASIAEXAMPLE", "sessionToken": "IQoJsecret"}},
        ),
    ]
    path = tmp_path / "logs.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    return path


def ids(result):
    return [json.loads(line)["eventID"] for line in result.stdout.splitlines()]


def test_events_of_a_file_come_oldest_first(logs, run):
    assert ids(run(logs, "--format", "jsonl")) == ["one", "three", "two"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--name", "createuser"], ["one"]),
        (["--user", "dora"], ["one", "three", "two"]),
        (["--user", "nobody"], []),
        (["--key", "ASIAEXAMPLE"], ["three"]),
        (["--resource", "deploy"], ["three"]),
        (["--region", "eu-west-1"], ["two"]),
        (["--since", "2026-03-02T10:00:00Z"], ["three", "two"]),
        (["--until", "2026-03-02T10:00:00Z"], ["one"]),
        (["--limit", "1"], ["two"]),
        (["--limit", "0"], ["one", "three", "two"]),
    ],
)
def test_each_option_asks_for_what_it_says(logs, run, words, expected):
    assert ids(run(logs, "--format", "jsonl", *words)) == expected


def test_what_the_limit_hides_is_told(logs, run):
    assert "1 of 3 events" in run(logs, "--limit", "1").stderr


def test_one_event_is_shown_whole_and_its_secrets_masked(logs, run):
    shown = json.loads(run(logs, "--event-id", "three").stdout)

    assert shown["responseElements"]["credentials"] == {"accessKeyId": "ASIAEXAMPLE", "sessionToken": "***"}


def test_an_event_that_is_not_there_is_an_error(logs, run):
    with pytest.raises(SourceError, match="no event 'four' was found"):
        run(logs, "--event-id", "four")


def test_nothing_found_is_said_and_leaves_standard_output_empty(logs, run):
    result = run(logs, "--name", "StopLogging")

    assert (result.stdout, result.stderr) == ("", "no events\n")


def test_the_table_is_one_line_for_each_event(logs, run):
    assert len(run(logs).stdout.splitlines()) == 4


def test_what_could_not_be_read_is_told_and_is_exit_three(logs, run):
    logs.write_text(logs.read_text() + "\n{broken}\n" + json.dumps({"eventName": "NoTime"}))

    result = run(logs, "--format", "jsonl", code=3)

    assert ids(result) == ["one", "three", "two"]
    assert len(result.stderr.splitlines()) == 2


def test_the_archive_is_read_where_it_is_asked_for(tmp_path, run):
    root = tmp_path / ".local/state/trailwatch/archive"
    record = event("CreateUser", eventTime="2026-03-02T09:00:00Z", eventID="kept")
    Archive(root).append("111122223333", "us-east-1", [(1772442000, json.dumps(record).encode())])

    assert ids(run("--archive", "--format", "jsonl")) == ["kept"]


def test_a_path_and_the_archive_exclude_each_other(logs, run):
    with pytest.raises(UsageError, match="both a path and the archive"):
        run(logs, "--archive")
