import io
import json

import boto3
import pytest

from trailwatch.lab.limits import Limits
from trailwatch.lab.server import Lab

TABLE = "trailwatch"
BUCKET = "trail-bucket"


@pytest.fixture(scope="module")
def lab():
    with Lab(limits=Limits(lookup_rate=None), seed=11) as running:
        yield running


@pytest.fixture(scope="module")
def session(lab):
    key = lab.admin
    return boto3.Session(key.access_key_id, key.secret_access_key, region_name="us-east-1")


@pytest.fixture(scope="module")
def dynamodb(lab, session):
    return session.client("dynamodb", endpoint_url=lab.url)


@pytest.fixture
def table(dynamodb):
    """The name of a table as the page on the function describes it, empty."""
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    yield TABLE
    dynamodb.delete_table(TableName=TABLE)


class Output(io.StringIO):
    """Standard output of a function."""

    @property
    def lines(self):
        return [json.loads(line) for line in self.getvalue().splitlines() if line.startswith("{")]

    def of(self, what):
        return [line for line in self.lines if line["trailwatch"] == what]


@pytest.fixture
def output():
    return Output()


class Context:
    """What Lambda tells of an invocation."""

    def __init__(self, name="request", left_ms=20_000):
        self.aws_request_id = name
        self._left_ms = left_ms

    def get_remaining_time_in_millis(self):
        return self._left_ms


@pytest.fixture
def context():
    return Context
