"""What is learned from event history, and what cycles say of what is new; against the lab."""

import json
import os
import pty
import subprocess
import time

import pytest

from trailwatch.lab.faults import Aim, Deny
from trailwatch.testing import event

from .conftest import COMMAND

ACCOUNT = "123456789012"
DAY = 86400
HOME, TODAY, ELSEWHERE = "198.51.100.23", "192.0.2.50", "203.0.113.99"


def login(ago, address, number=0, user="dora"):
    arn = f"arn:aws:iam::{ACCOUNT}:user/{user}"
    return event(
        "ConsoleLogin",
        eventTime=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago)),
        recipientAccountId=ACCOUNT,
        userIdentity={"type": "IAMUser", "arn": arn, "accountId": ACCOUNT, "userName": user, "principalId": "AIDAX"},
        sourceIPAddress=address,
        responseElements={"ConsoleLogin": "Success"},
        additionalEventData={"MFAUsed": "Yes", "number": number},
    )


@pytest.fixture
def history(machine):
    for day in range(2, 60):
        machine.lab.recorder.add(login(day * DAY, HOME, day))
    machine.lab.recorder.add(login(1200, TODAY))
    machine.configure("pace = '0.01s'\nregions = ['us-east-1']")
    return machine


def slugs(result):
    return sorted(json.loads(line)["rule"] for line in result.stdout.splitlines())


def test_without_a_history_nothing_is_called_new(history):
    history.lab.recorder.add(login(60, ELSEWHERE))

    assert "login_new_address" not in slugs(history.run("check", "--format", "jsonl"))


def test_after_a_build_a_cycle_tells_what_is_new_and_only_that(history):
    built = history.run("baseline", "build", "--yes")
    assert built.returncode == 0, built.stderr
    assert "event history: 90 days of 1 region(s), about " in built.stderr
    assert "100 a second in a region: about 1 min" in built.stderr

    for record in (login(60, ELSEWHERE, 1), login(50, ELSEWHERE, 2), login(40, HOME, 3), login(30, TODAY, 4)):
        history.lab.recorder.add(record)
    first = history.run("check", "--format", "jsonl")
    second = history.run("check", "--format", "jsonl")

    assert {"login_new_address", "login_new_network"} <= set(slugs(first))
    addresses = [row for row in map(json.loads, first.stdout.splitlines()) if row["rule"] == "login_new_address"]
    assert [row["source_ip"] for row in addresses] == [ELSEWHERE]
    assert set(slugs(second)) <= {"caller_identity_new_for_user"}, "what was told, and what trailwatch itself asks"


def test_a_build_that_was_done_reads_only_what_came_since(history):
    history.run("baseline", "build", "--yes")
    before = len(history.lookups())

    again = history.run("baseline", "build", "--yes")

    assert again.returncode == 0, again.stderr
    assert len(history.lookups()) - before < before / 5
    shown = history.run("baseline", "show").stdout
    assert f"account {ACCOUNT}: changes, AssumeRole, " in shown
    assert "login_new_address" in shown


def test_a_region_that_cannot_be_read_is_told_and_the_others_are_learned(history):
    history.configure("pace = '0.01s'\nregions = ['us-east-1', 'eu-west-1']")
    history.lab.faults.add(Deny(Aim("eu-west-1", "LookupEvents")))

    built = history.run("baseline", "build", "--yes")

    assert f"error: {ACCOUNT}/eu-west-1" in built.stderr
    assert built.returncode == 3
    assert "login_new_address" in history.run("baseline", "show").stdout


def reading(ago, secret, user="dora"):
    arn = f"arn:aws:iam::{ACCOUNT}:user/{user}"
    return event(
        "GetSecretValue",
        eventSource="secretsmanager.amazonaws.com",
        eventTime=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago)),
        recipientAccountId=ACCOUNT,
        readOnly=True,
        userIdentity={"type": "IAMUser", "arn": arn, "accountId": ACCOUNT, "userName": user, "principalId": "AIDAX"},
        requestParameters={"secretId": secret},
    )


def test_reads_that_rules_with_a_memory_want_are_learned_by_name(history):
    """Otherwise the first read of each secret after a build would be called new."""
    for day in range(2, 40, 3):
        history.lab.recorder.add(reading(day * DAY, "prod/db"))
    built = history.run("baseline", "build", "--yes")
    assert built.returncode == 0, built.stderr

    history.lab.recorder.add(reading(60, "prod/db"))
    history.lab.recorder.add(reading(50, "prod/root-key"))
    # each name is looked up when its turn comes
    cycles = [history.run("check", "--format", "jsonl").stdout for _ in range(12)]

    new = [row for row in map(json.loads, "".join(cycles).splitlines()) if row["rule"] == "secret_new_reader"]
    assert [row["context"]["requestParameters.secretId"] for row in new] == ["prod/root-key"]


def test_show_says_of_each_rule_what_it_sees_and_when_it_speaks(history):
    history.run("baseline", "build", "--yes", "--days", "20")
    shown = {line.split()[1]: line for line in history.run("baseline", "show").stdout.splitlines() if ACCOUNT in line}

    assert "  changes  " in shown["service_new_for_actor"]
    assert "  GetSecretValue  " in shown["secret_new_reader"]
    assert "from 20" in shown["service_new_for_actor"]  # 30 days of history, and 20 are known
    assert "now" in shown["machine_key_new_network"]  # 7 days


def test_a_build_that_was_killed_goes_on_where_it_was(history):
    build = history.start("baseline", "build", "--yes")
    try:
        while len(history.lookups()) < 150 and build.poll() is None:
            time.sleep(0.01)
        assert build.poll() is None, "it is still at work"
    finally:
        build.kill()
        build.communicate()
    before = len(history.lookups())

    again = history.run("baseline", "build", "--yes")
    rest = len(history.lookups()) - before
    nothing_left = history.run("baseline", "build", "--yes")

    assert again.returncode == nothing_left.returncode == 0, again.stderr
    # a look at each look-up to say how long it takes, and what is missing
    assert before > 100
    assert rest < before + 100
    assert len(history.lookups()) - before - rest < 50
    assert "login_new_address" in history.run("baseline", "show").stdout


def test_a_person_sees_how_far_a_build_is(history):
    """On a terminal there is a bar; elsewhere there is none, see the other tests."""
    ours, theirs = pty.openpty()
    build = subprocess.Popen(
        [COMMAND, "baseline", "build", "--yes", "--days", "5"],
        env={**history.environment, "TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)

    assert build.wait() == 0
    assert shown.index(b"event history: 5 days of 1 region(s)") < shown.index(b"reading")
    assert b"100%" in shown
    assert b"learning" in shown
