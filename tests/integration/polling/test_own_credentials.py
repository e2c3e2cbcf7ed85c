"""Whoever takes the credentials away that a check works with is told as critical."""

from __future__ import annotations

import json

import boto3
import pytest

from trailwatch.lab.accounts import Key

DENY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}'


@pytest.fixture
def watcher(machine):
    """The machine runs as an IAM user whose name says nothing of trailwatch; an administrator stays outside."""
    outside = boto3.client("iam", **_ways(machine.environment))
    outside.create_user(UserName="log-reader")
    outside.attach_user_policy(UserName="log-reader", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    made = outside.create_access_key(UserName="log-reader")["AccessKey"]
    key = Key(made["AccessKeyId"], made["SecretAccessKey"])
    machine.configure("pace = '0.01s'\nregions = ['us-east-1']")
    machine.environment.update(machine.lab.environment(key))
    return machine, outside


def _ways(environment):
    return {
        "endpoint_url": environment["AWS_ENDPOINT_URL"],
        "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
        "region_name": "us-east-1",
    }


def told(machine):
    lines = machine.run("alerts", "list", "--format", "jsonl").stdout.splitlines()
    return {(row["rule"], row["severity"]) for row in map(json.loads, lines)}


def test_rights_taken_from_the_user_that_a_check_works_as_are_critical(watcher):
    machine, outside = watcher
    assert machine.run("check").returncode == 0
    outside.put_user_policy(
        UserName="log-reader",
        PolicyName="deny",
        PolicyDocument=DENY,
    )

    machine.run("check")

    assert ("trailwatch_credentials_removed", "critical") in told(machine)


def test_the_same_done_to_another_user_is_not(watcher):
    machine, outside = watcher
    outside.create_user(UserName="eva")
    outside.put_user_policy(
        UserName="eva",
        PolicyName="deny",
        PolicyDocument=DENY,
    )

    machine.run("check")

    assert "trailwatch_credentials_removed" not in {rule for rule, _ in told(machine)}
