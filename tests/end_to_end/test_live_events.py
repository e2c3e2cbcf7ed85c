"""`trailwatch events` against event history, in real calls to a lab."""

import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from trailwatch.lab.faults import Aim, Deny
from trailwatch.lab.server import Lab

TRAILWATCH = str(Path(sys.executable).with_name("trailwatch"))


@pytest.fixture
def lab():
    with Lab() as running:
        iam = boto3.client(
            "iam",
            endpoint_url=running.url,
            aws_access_key_id=running.admin.access_key_id,
            aws_secret_access_key=running.admin.secret_access_key,
            region_name="us-east-1",
        )
        for name in ("eve", "mallory"):
            iam.create_user(UserName=name)
        yield running


def events(lab, home, *words):
    return subprocess.run(
        [TRAILWATCH, "events", *words],
        env={**os.environ, **lab.environment(), "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_event_history_is_looked_up_in_every_enabled_region(lab, tmp_path):
    done = events(lab, tmp_path, "--name", "CreateUser", "--format", "jsonl")

    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert sorted(event["requestParameters"]["userName"] for event in found) == ["eve", "mallory"]
    assert len({call.region for call in lab.calls if call.operation == "LookupEvents"}) == 17


def test_what_aws_cannot_look_up_by_is_judged_here(lab, tmp_path):
    words = ("--region", "us-east-1", "--name", "CreateUser", "--resource", "eve", "--format", "jsonl")

    (line,) = events(lab, tmp_path, *words).stdout.splitlines()

    assert json.loads(line)["requestParameters"]["userName"] == "eve"


def test_a_region_that_refuses_is_told_and_the_others_are_read(lab, tmp_path):
    lab.faults.add(Deny(Aim(region="eu-west-1", operation="LookupEvents")))

    done = events(
        lab, tmp_path, "--name", "CreateUser", "--region", "eu-west-1", "--region", "us-east-1", "--format", "jsonl"
    )

    assert done.returncode == 3
    assert len(done.stdout.splitlines()) == 2
    assert "eu-west-1" in done.stderr
