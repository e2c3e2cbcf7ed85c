"""Learned, exported and used: `baseline` and `scan` over files."""

import csv
import gzip
import io
import json

import pytest
from click.testing import CliRunner

from trailwatch.cli.main import main
from trailwatch.testing import event

NEW = "login_new_address"


def login(day, address, hour=9, user="dora", month=1):
    return event(
        "ConsoleLogin",
        eventTime=f"2026-{month:02}-{day:02}T{hour:02}:00:00Z",
        userIdentity={
            "type": "IAMUser",
            "arn": f"arn:aws:iam::111122223333:user/{user}",
            "accountId": "111122223333",
            "userName": user,
        },
        sourceIPAddress=address,
        responseElements={"ConsoleLogin": "Success"},
    )


@pytest.fixture
def logs(tmp_path):
    def write(name, *records):
        path = tmp_path / name
        path.write_text(json.dumps({"Records": records}))
        return str(path)

    return write


@pytest.fixture
def run(tmp_path, command):
    (tmp_path / "tw.toml").write_text(f'[store]\npath = "{tmp_path}/state.sqlite3"\n')

    def call(*words, code=0):
        variables = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": ""}
        return command("--config", tmp_path / "tw.toml", *words, code=code, environment=variables)

    return call


def told(result, rule=NEW):
    return [row["source_ip"] for row in csv.DictReader(io.StringIO(result.stdout)) if row["rule"] == rule]


def test_a_scan_learns_until_the_time_that_is_given(run, logs):
    path = logs("a.json", *[login(day, "198.51.100.1") for day in range(1, 6)], login(6, "203.0.113.7", hour=14))

    assert told(run("scan", path, "--format", "csv", "--learn-until", "2026-01-06")) == ["203.0.113.7"]
    assert told(run("scan", path, "--format", "csv", "--learn-until", "2026-01-06T10:00:00Z")) == ["203.0.113.7"]
    assert told(run("scan", path, "--format", "csv", "--learn-until", "2026-01-06T15:00:00Z")) == []
    assert told(run("scan", path, "--format", "csv")) == []


def test_what_was_learned_from_a_folder_is_exported_and_read_by_a_scan(run, logs, tmp_path):
    old = logs("old.json", *[login(day, "198.51.100.1") for day in range(1, 32)], login(3, "198.51.100.2", month=2))
    new = logs("new.json", login(4, "198.51.100.1", month=2), login(4, "203.0.113.7", month=2))

    built = run("baseline", "build", "--from", old)
    run("baseline", "export", str(tmp_path / "baseline.gz"))
    scanned = run("scan", new, "--format", "csv", "--baseline", str(tmp_path / "baseline.gz"))

    assert "combinations learned" in built.stderr
    assert told(scanned) == ["203.0.113.7"]
    assert NEW in run("baseline", "show").stdout


def test_an_intruder_who_is_in_already_is_told_and_not_learned(run, logs, tmp_path):
    root = event("DeleteTrail", eventTime="2026-01-20T09:05:00Z", eventSource="cloudtrail.amazonaws.com")
    root["userIdentity"] = login(1, "x")["userIdentity"]
    root["sourceIPAddress"] = "203.0.113.66"
    path = logs("a.json", *[login(day, "198.51.100.1") for day in range(1, 32)], login(20, "203.0.113.66"), root)
    after = logs("b.json", login(1, "203.0.113.66", month=2))

    built = run("baseline", "build", "--from", path, "--output", str(tmp_path / "few.gz"))
    run("baseline", "build", "--from", path, "--output", str(tmp_path / "all.gz"), "--learn-all")

    assert "203.0.113.66" in built.stdout
    assert "not learned, because their callers have severe alerts" in built.stderr
    assert told(run("scan", after, "--format", "csv", "--baseline", str(tmp_path / "few.gz"))) == ["203.0.113.66"]
    assert told(run("scan", after, "--format", "csv", "--baseline", str(tmp_path / "all.gz"))) == []


def test_who_travels_faster_than_anybody_is_told_where_a_table_tells_places(run, logs, tmp_path):
    writer = pytest.importorskip("mmdb_writer", reason="mmdb-writer is not installed").MMDBWriter(
        4, "GeoLite2-City", ["en"]
    )
    netaddr = pytest.importorskip("netaddr")
    for network, place in (("81.2.69.0/24", (51.5, -0.1)), ("1.128.0.0/16", (-33.9, 151.2))):
        location = {"latitude": place[0], "longitude": place[1]}
        writer.insert_network(netaddr.IPSet([network]), {"location": location})
    writer.to_db_file(str(tmp_path / "city.mmdb"))
    with (tmp_path / "tw.toml").open("a") as file:
        file.write(f'[addresses]\nmmdb = ["{tmp_path}/city.mmdb"]\n')
    path = logs("a.json", login(1, "81.2.69.5"), login(1, "1.128.0.9", hour=11), login(3, "81.2.69.5"))

    scanned = run("scan", path, "--format", "csv")

    assert told(scanned, "login_impossible_travel") == ["1.128.0.9"]


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    "body",
    [b"", b"no gzip", gzip.compress(b"{}\n", mtime=0), gzip.compress(b'{"trailwatch_baseline":9', mtime=0)],
)
def test_a_file_that_is_no_baseline_is_refused(logs, tmp_path, body):
    (tmp_path / "x.gz").write_bytes(body)
    arguments = ["--config", str(tmp_path / "tw.toml"), "scan", logs("a.json", login(1, "198.51.100.1"))]
    result = CliRunner(env={"HOME": str(tmp_path)}).invoke(main, [*arguments, "--baseline", str(tmp_path / "x.gz")])

    assert result.exception.exit_code == 2
    assert "cannot be read as a baseline" in str(result.exception)


def test_who_a_role_began_with_is_the_one_to_whom_it_is_new(run, logs):
    def session(key, user, day, region="us-east-1"):
        role = "arn:aws:iam::111122223333:role/Admin"
        issued = event(
            "AssumeRole",
            eventTime=f"2026-01-{day:02}T08:00:00Z",
            eventSource="sts.amazonaws.com",
            readOnly=True,
            userIdentity={
                "type": "IAMUser",
                "arn": f"arn:aws:iam::111122223333:user/{user}",
                "accountId": "111122223333",
                "userName": user,
                "accessKeyId": f"AKIA{user.upper():0<16}",
            },
            requestParameters={"roleArn": role, "roleSessionName": "x"},
            responseElements={
                "credentials": {"accessKeyId": key},
                "assumedRoleUser": {"arn": "arn:aws:sts::111122223333:assumed-role/Admin/x"},
            },
        )
        used = event(
            "CreateBucket",
            eventTime=f"2026-01-{day:02}T08:10:00Z",
            eventSource="s3.amazonaws.com",
            awsRegion=region,
            userIdentity={
                "type": "AssumedRole",
                "arn": "arn:aws:sts::111122223333:assumed-role/Admin/x",
                "accountId": "111122223333",
                "accessKeyId": key,
                "sessionContext": {"sessionIssuer": {"type": "Role", "arn": role, "userName": "Admin"}},
            },
        )
        return issued, used

    days = [record for day in range(1, 8) for record in session(f"ASIADORA{day:0>12}", "dora", day)]
    days += [record for day in range(1, 8) for record in session(f"ASIAEMIL{day:0>12}", "emil", day, "eu-west-1")]
    path = logs("a.json", *days, *session("ASIADORA000000000099", "dora", 10, "eu-west-1"))

    rows = list(
        csv.DictReader(io.StringIO(run("scan", path, "--format", "csv", "--learn-until", "2026-01-10").stdout))
    )

    assert [row["rule"] for row in rows if "region" in row["rule"]] == ["region_new_for_actor"]


def test_a_table_that_cannot_be_read_is_told_and_the_scan_goes_on(run, logs, tmp_path):
    with (tmp_path / "tw.toml").open("a") as file:
        file.write(f'[addresses]\nmmdb = ["{tmp_path}/none.mmdb"]\n')

    scanned = run("scan", logs("a.json", login(1, "198.51.100.1")), code=3)

    assert "none.mmdb: cannot be read: No such file or directory; name a table" in scanned.stderr
    assert "1 event in 1 file" in scanned.stderr
