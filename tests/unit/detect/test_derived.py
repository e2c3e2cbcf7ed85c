"""Derived fields are pure functions of the record, and nothing a record holds makes them raise."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trailwatch.config.schema import AddressSettings
from trailwatch.detect.derived import COMPUTED, derive, untold
from trailwatch.detect.engine import Engine
from trailwatch.detect.needs import can_hold
from trailwatch.detect.policy import parse_document, statements_of
from trailwatch.detect.surroundings import Surroundings
from trailwatch.enrich.addresses import Addresses
from trailwatch.errors import RuleError
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.rules.derived_names import DERIVED_NAMES
from trailwatch.rules.predicate import And, Field, Not, Op, Or
from trailwatch.rules.rule import Rule, RuleSet
from trailwatch.testing import event

EVERYBODY = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def with_policy(document, name="policyDocument"):
    return event("PutBucketPolicy", requestParameters={name: document})


def test_every_name_in_the_table_is_computed_and_the_other_way_round():
    assert [row.path for row in DERIVED_NAMES] == list(COMPUTED)
    assert all(row.sentence.endswith(".") for row in DERIVED_NAMES)


@pytest.mark.parametrize(
    "document",
    [
        policy(EVERYBODY),
        json.dumps(policy(EVERYBODY)),
        quote(json.dumps(policy(EVERYBODY))),
        {"Statement": EVERYBODY},
    ],
)
@pytest.mark.parametrize("name", ["policyDocument", "bucketPolicy", "policy", "policyText", "attributeValue"])
def test_a_document_is_read_in_every_form_and_under_every_name(document, name):
    assert derive("derived.policy.public", with_policy(document, name)) == [True]


def test_a_policy_within_a_map_of_attributes_is_found():
    record = event("SetQueueAttributes", requestParameters={"attributes": {"Policy": json.dumps(policy(EVERYBODY))}})
    assert derive("derived.policy.public", record) == [True]


PUBLIC = {
    "a star": (EVERYBODY, True),
    "a star below AWS": (EVERYBODY | {"Principal": {"AWS": "*"}}, True),
    "a star in a list": (EVERYBODY | {"Principal": {"AWS": ["arn:aws:iam::111122223333:root", "*"]}}, True),
    "all but one": (
        {"Effect": "Allow", "NotPrincipal": {"AWS": "111122223333"}, "Action": "*", "Resource": "*"},
        True,
    ),
    "denied": (EVERYBODY | {"Effect": "Deny"}, False),
    "one account": (EVERYBODY | {"Principal": {"AWS": "444455556666"}}, False),
    "a service": (EVERYBODY | {"Principal": {"Service": "*"}}, False),
    "an organisation": (EVERYBODY | {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}, False),
    "an organisation if it is told": (
        EVERYBODY | {"Condition": {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}},
        True,
    ),
    "an address": (EVERYBODY | {"Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}, False),
    "every address": (EVERYBODY | {"Condition": {"IpAddress": {"aws:SourceIp": ["0.0.0.0/0"]}}}, True),
    "not an address": (EVERYBODY | {"Condition": {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}, True),
    "encryption in transit": (EVERYBODY | {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, True),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_public(name):
    statement, expected = PUBLIC[name]
    assert derive("derived.policy.public", with_policy(policy(statement))) == [expected]


def test_admin_is_every_action_on_every_resource():
    admin = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    assert derive("derived.policy.admin", with_policy(policy(admin))) == [True]
    assert derive("derived.policy.admin", with_policy(policy(admin | {"Action": ["s3:*", "*:*"]}))) == [True]
    assert derive("derived.policy.admin", with_policy(policy(admin | {"Resource": "arn:aws:s3:::x"}))) == [False]
    assert derive("derived.policy.admin", with_policy(policy(admin | {"Action": "s3:*"}))) == [False]
    assert derive("derived.policy.admin", with_policy(policy(admin | {"Effect": "Deny"}))) == [False]


def test_external_accounts_are_those_of_others():
    statement = EVERYBODY | {
        "Principal": {
            "AWS": [
                "111122223333",
                "arn:aws:iam::444455556666:root",
                "777788889999",
                "arn:aws:iam::444455556666:role/x",
            ]
        }
    }
    record = with_policy(json.dumps(policy(statement)))
    assert derive("derived.policy.external_accounts", record) == ["444455556666", "777788889999"]
    assert derive("derived.policy.external_accounts", event("PutBucketPolicy")) == []


def test_permissions_given_in_parts_count_as_statements():
    public = event("AddPermission20150331v2", requestParameters={"principal": "*", "action": "lambda:InvokeFunction"})
    service = event("AddPermission20150331v2", requestParameters={"principal": "s3.amazonaws.com", "action": "x"})
    narrowed = event("AddPermission20150331v2", requestParameters={"principal": "*", "sourceArn": "arn:aws:s3:::x"})
    other = event("AddPermission", requestParameters={"aWSAccountId": ["444455556666"]})
    assert [derive("derived.policy.public", record) for record in (public, service, narrowed)] == [
        [True],
        [False],
        [False],
    ]
    assert derive("derived.policy.external_accounts", other) == ["444455556666"]


def test_other_user():
    path = "derived.target.is_other_user"
    own, other = {"userName": "DORA"}, {"userName": "eve"}
    role = {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/r/dora"}
    assert derive(path, event("CreateAccessKey", requestParameters=own)) == [False]
    assert derive(path, event("CreateAccessKey", requestParameters=other)) == [True]
    assert derive(path, event("CreateAccessKey")) == [False]
    assert derive(path, event("CreateAccessKey", requestParameters=own, userIdentity=role)) == [True]


def test_calls_from_aws_services():
    hosts = {
        "cloudformation.amazonaws.com": True,
        "AWS Internal": True,
        "192.0.2.1": False,
        "x.amazonaws.com.evil.example": False,
    }
    for host, expected in hosts.items():
        assert derive("derived.ip.is_aws_service", event("A", sourceIPAddress=host)) == [expected]
    assert derive("derived.ip.is_aws_service", event("A", sourceIPAddress=None)) == []


def test_a_hostile_document_is_no_policy():
    for document in ("{" * 100_000, "%7B" * 10, "x" * 300_000, '{"Statement": 5', '"Statement"', 5, None, [], {}):
        assert parse_document(document) is None
    assert statements_of(with_policy({"Statement": [5, None, "x", {"Effect": ["Allow"], "Principal": [{}]}]}))


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["*", "Allow", '{"Statement":[{}]}']),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Statement", "Effect", "Principal", "AWS", "Action", "Condition", "policy", "userName", "type"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.dictionaries(st.sampled_from(["requestParameters", "userIdentity", "sourceIPAddress", "eventName"]), anything)
)
def test_no_record_makes_a_derived_field_raise(record):
    for path in COMPUTED:
        assert all(isinstance(value, (str, bool)) for value in derive(path, record))


@given(
    st.one_of(st.text(max_size=12), st.ip_addresses().map(str), st.sampled_from(["s3.amazonaws.com", "AWS Internal"]))
)
def test_what_no_table_can_tell_has_no_value_in_any_record(address):
    bare = Surroundings(Addresses(AddressSettings()), bare=True)

    for book in (None, bare):
        assert {path for path in untold(book) for _ in derive(path, {"sourceIPAddress": address}, book)} == set()


def test_with_tables_every_derived_field_may_have_a_value():
    assert untold(Surroundings(Addresses(AddressSettings()))) == frozenset()


def test_a_rule_that_only_a_table_could_fulfil_is_not_run_and_still_checked():
    condition = And((Field("eventName", Op.EQ, ("GetObject",)), Field("derived.ip.is_aws", Op.EQ, (False,))))
    negated = Not(Field("derived.country", Op.EQ, ("NL",)))
    broken = And((condition, Field("userAgent", Op.RE, ("(",))))

    assert not can_hold(condition, untold(None))
    assert can_hold(condition, untold(Surroundings(Addresses(AddressSettings()))))
    assert can_hold(negated, untold(None))
    assert can_hold(Or((condition, Field("derived.country", Op.NULL))), untold(None))
    with pytest.raises(RuleError, match=r"r\.yml:1"):
        Engine(RuleSet(rules=(Rule(RuleInfo("r", "r", "t", Severity.LOW, "r.yml:1"), broken),)))
