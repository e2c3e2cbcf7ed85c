"""Several accounts: roles that are assumed, profiles, and one botocore loader for all."""

import json
from collections import Counter

import boto3
import msgspec
import pytest

from trailwatch.aws import accesses
from trailwatch.config.schema import Account
from trailwatch.errors import ConfigError

SECOND = "222233334444"
EXTERNAL = "an-external-id"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL}},
        }
    ],
}


@pytest.fixture
def role(lab):
    """A role in a second account that asks for an external id."""
    key = lab.open_account(SECOND)
    session = boto3.Session(key.access_key_id, key.secret_access_key, region_name="us-east-1")
    iam = session.client("iam", endpoint_url=lab.url)
    arn = iam.create_role(RoleName="trailwatch", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.attach_role_policy(RoleName="trailwatch", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    iam.close()
    return arn


def configure(machine, accounts):
    tables = "\n".join(
        "[[account]]\n"
        + "\n".join(f"{key} = {msgspec.json.encode(value).decode()}" for key, value in account.items())
        for account in accounts
    )
    machine.configure("pace = '0.01s'", tables)


def test_every_account_is_read_with_a_budget_of_its_own(machine, role):
    configure(
        machine,
        [
            {"name": "main", "regions": ["us-east-1"]},
            {"name": "second", "regions": ["us-east-1", "eu-west-1"], "role_arn": role, "external_id": EXTERNAL},
        ],
    )

    result = machine.run("check")

    assert result.returncode == 0, result.stdout + result.stderr
    asked = Counter((call.account, call.region) for call in machine.lookups())
    assert asked == {
        (machine.lab.account, "us-east-1"): 4,
        (SECOND, "us-east-1"): 4,
        (SECOND, "eu-west-1"): 4,
    }
    with machine.store() as store:
        assert {account for account, _ in store.pace.last_calls()} == {machine.lab.account, SECOND}


def test_a_role_that_may_not_be_assumed_does_not_stop_the_other_accounts(machine, role):
    configure(
        machine,
        [
            {"name": "second", "regions": ["us-east-1"], "role_arn": f"{role}-gone", "external_id": EXTERNAL},
            {"name": "main", "regions": ["us-east-1"]},
        ],
    )

    result = machine.run("check")

    assert result.returncode == 3
    assert "not read: second denied" in result.stdout
    assert "trailwatch cannot read second" in result.stderr


def test_the_same_account_named_twice_is_read_once(machine):
    configure(machine, [{"name": name, "regions": ["us-east-1"]} for name in ("one", "two")])

    machine.run("check")

    assert len(machine.lookups()) == 4


def test_a_profile_that_is_not_there_is_a_configuration_error(machine):
    configure(machine, [{"name": "main", "profile": "nobody"}])

    result = machine.run("check")

    assert result.returncode == 2
    assert "nobody" in result.stderr


def test_a_wrong_profile_is_refused_before_anything_is_asked():
    with pytest.raises(ConfigError):
        accesses([Account(name="a", profile="there-is-no-such-profile")])


def test_service_models_are_read_once_for_all_accounts():
    first, second = accesses(
        [Account(name="a"), Account(name="b", role_arn=f"arn:aws:iam::{SECOND}:role/trailwatch")]
    )

    assert first.client("cloudtrail", "eu-west-1").meta.service_model is not None
    assert first._session.get_component("data_loader") is second._session.get_component("data_loader")
    assert second.known_account_id == SECOND


def test_every_call_says_that_it_is_trailwatch(machine):
    machine.configure("pace = '0.01s'\nregions = ['us-east-1']")
    machine.run("check")

    agents = {
        record["userAgent"]
        for record in machine.lab.recorder.records()
        if record["eventName"] in ("GetCallerIdentity", "LookupEvents")
    }
    assert agents
    assert all("trailwatch/" in agent for agent in agents)
