"""What is unusual, with the rules that ship: forty days of one actor's work, and then one thing that is different."""

from __future__ import annotations

import pytest

from trailwatch.cli.scan_memory import ScanMemory
from trailwatch.detect.engine import Engine
from trailwatch.enrich.documentation import ExampleAddresses
from trailwatch.rules.catalog import load_rules
from trailwatch.rules.rule import RuleSet
from trailwatch.testing import delivery, event

ACCOUNT = "111122223333"
HOME, NEIGHBOUR, SYDNEY, CLOUD = "198.51.100.7", "198.51.100.8", "203.0.113.9", "192.0.2.5"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36"
CLI, SDK = "aws-cli/2.15.0 Python/3.11.6", "Boto3/1.34.0 md/Botocore#1.34.0 ua/2.0"
KEY = "AKIAIOSFODNN7EXAMPLE"
USER = f"arn:aws:iam::{ACCOUNT}:user/dora"


@pytest.fixture(scope="module")
def rules():
    ruleset = load_rules([])
    return RuleSet(first_seen=tuple(rule for rule in ruleset.first_seen if "/unusual/" in rule.info.origin))


@pytest.fixture(scope="module")
def engine(rules):
    return Engine(rules, silent=True, tables=ExampleAddresses())


def at(day, hour=9):
    return f"2026-{1 + day // 28:02}-{1 + day % 28:02}T{hour:02}:10:00Z"


def login(day, address=HOME, agent=FIREFOX, hour=9):
    return event(
        "ConsoleLogin",
        eventSource="signin.amazonaws.com",
        eventType="AwsConsoleSignIn",
        eventTime=at(day, hour),
        sourceIPAddress=address,
        userAgent=agent,
        userIdentity={"type": "IAMUser", "arn": USER, "accountId": ACCOUNT, "userName": "dora"},
        responseElements={"ConsoleLogin": "Success"},
    )


def change(day, name="PutObjectTagging", source="s3.amazonaws.com", region="us-east-1", **more):
    """A call with dora's long-lived key."""
    more = {"sourceIPAddress": HOME, "userAgent": CLI, "awsRegion": region, "readOnly": False, **more}
    identity = {"type": "IAMUser", "arn": USER, "accountId": ACCOUNT, "userName": "dora", "accessKeyId": KEY}
    return event(name, eventSource=source, eventTime=at(day, 10), userIdentity=identity, **more)


def by_machine(day, address=CLOUD):
    role = {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/web", "userName": "web"}
    identity = {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/web/i-0123456789abcdef0",
        "accountId": ACCOUNT,
        "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "sessionContext": {"sessionIssuer": role, "ec2RoleDelivery": "2.0"},
    }
    return event(
        "PutObjectTagging",
        eventSource="s3.amazonaws.com",
        eventTime=at(day, 11),
        readOnly=False,
        sourceIPAddress=address,
        userIdentity=identity,
    )


USUAL = [made(day) for day in range(40) for made in (login, change, by_machine)]


def told(engine, rules, *events):
    """The rules that speak of these events, after what is usual."""
    memory = ScanMemory(rules)
    memory.take(engine.evaluate(delivery([*USUAL, *events])))
    days = {one["eventTime"][:10] for one in events}
    found = memory.conclude(lambda identity, _time: identity)
    return {match.rule.slug for match in found if any(day in str(match.record) for day in days)}


@pytest.mark.parametrize(
    ("different", "expected"),
    [
        pytest.param(login(40), set(), id="a login like all"),
        pytest.param(login(40, NEIGHBOUR), {"login_new_address"}, id="from next door"),
        pytest.param(login(40, agent=CHROME), {"login_new_agent"}, id="with another browser"),
        pytest.param(login(40, hour=3), {"login_unusual_hour"}, id="in the night"),
        pytest.param(login(40, hour=10), set(), id="an hour later"),
        pytest.param(change(40), set(), id="a change like all"),
        pytest.param(
            change(40, "CreateFunction20150331", "lambda.amazonaws.com"),
            {"service_new_for_actor"},
            id="in another service",
        ),
        pytest.param(
            change(40, region="ap-east-1"),
            {"region_new_for_actor", "region_new_for_account"},
            id="in another region",
        ),
        pytest.param(change(40, userAgent=SDK), {"key_new_agent"}, id="with another program"),
        pytest.param(change(40, sourceIPAddress=SYDNEY), {"key_new_network"}, id="from another continent"),
        pytest.param(by_machine(40), set(), id="a machine like always"),
    ],
)
def test_each_difference_is_told_by_the_rule_about_it_and_by_no_other(engine, rules, different, expected):
    found = told(engine, rules, different)

    assert found >= expected
    about = {"login", "key", "service", "region", "machine"}
    assert {slug for slug in found - expected if slug.partition("_")[0] in about} == set()


def test_another_country_is_another_network_and_address_too(engine, rules):
    found = told(engine, rules, login(40, SYDNEY))

    assert found >= {"login_new_address", "login_new_network", "login_new_country"}


def test_credentials_of_a_machine_outside_of_aws_are_told(engine, rules):
    assert "machine_key_new_network" in told(engine, rules, by_machine(40, SYDNEY))


def test_a_key_that_slept_for_a_month_is_told_when_it_wakes(engine, rules):
    assert "key_dormant_awake" in told(engine, rules, change(40 + 33))
    assert "key_dormant_awake" not in told(engine, rules, change(40 + 20))
