from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


def policy(effect: str, action: str | list[str], resource: str = "*", **more) -> str:
    statement = {"Effect": effect, "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(principal, **more) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def code(call, **parameters) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"]


@pytest.fixture
def alice(client):
    client("iam").create_user(UserName="alice")
    return client("iam").create_access_key(UserName="alice")["AccessKey"]


def test_a_user_without_policies_may_ask_who_it_is_and_nothing_else(client, alice, lab, last_record):
    assert client("sts", alice).get_caller_identity()["Account"] == lab.account
    assert code(client("iam", alice).list_users) == "AccessDenied"

    record = last_record("ListUsers")
    assert record["errorCode"] == "AccessDenied"
    assert record["errorMessage"] == (
        f"User: arn:aws:iam::{lab.account}:user/alice is not authorized to perform: iam:ListUsers on resource: * "
        "because no identity-based policy allows the iam:ListUsers action"
    )


@pytest.mark.parametrize(
    ("service", "operation", "expected"),
    [
        ("cloudtrail", "lookup_events", "AccessDeniedException"),
        ("ec2", "describe_regions", "UnauthorizedOperation"),
        ("lambda", "list_functions", "AccessDeniedException"),
        ("s3", "list_buckets", "AccessDenied"),
        ("sns", "list_topics", "AccessDenied"),
        ("guardduty", "list_detectors", "AccessDeniedException"),
    ],
)
def test_each_protocol_denies_in_its_own_words(client, alice, service, operation, expected):
    assert code(getattr(client(service, alice), operation)) == expected


def test_inline_managed_and_group_policies_all_count(client, alice):
    iam = client("iam")
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=policy("Allow", "iam:ListUsers"))
    iam.attach_user_policy(UserName="alice", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    iam.create_group(GroupName="g")
    iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=policy("Allow", "ec2:DescribeVpcs"))
    iam.add_user_to_group(GroupName="g", UserName="alice")

    client("iam", alice).list_users()
    client("s3", alice).list_buckets()
    client("ec2", alice).describe_vpcs()
    assert code(client("iam", alice).list_roles) == "AccessDenied"


def test_an_explicit_deny_beats_administrator_rights_at_once(client, alice, last_record):
    iam = client("iam")
    iam.attach_user_policy(UserName="alice", PolicyArn=ADMIN)
    client("iam", alice).list_users()
    iam.put_user_policy(UserName="alice", PolicyName="quarantine", PolicyDocument=policy("Deny", "*"))

    assert code(client("iam", alice).list_users) == "AccessDenied"
    assert "explicit deny" in last_record("ListUsers")["errorMessage"]


def test_a_new_default_version_of_a_policy_counts(client, alice):
    iam = client("iam")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=policy("Allow", "iam:ListUsers"))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="alice", PolicyArn=arn)
    client("iam", alice).list_users()
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy("Allow", "iam:ListRoles"), SetAsDefault=True)

    client("iam", alice).list_roles()
    assert code(client("iam", alice).list_users) == "AccessDenied"


def test_resources_are_compared(client, alice, lab):
    mine = f"arn:aws:iam::{lab.account}:user/${{aws:username}}"
    client("iam").put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=policy("Allow", "iam:*", mine))
    client("secretsmanager").create_secret(Name="prod/db", SecretString="x")
    secrets = policy("Allow", "secretsmanager:GetSecretValue", "arn:aws:secretsmanager:*:*:secret:prod/*")
    client("iam").put_user_policy(UserName="alice", PolicyName="s", PolicyDocument=secrets)

    client("iam", alice).get_user(UserName="alice")
    client("iam", alice).list_access_keys()
    client("secretsmanager", alice).get_secret_value(SecretId="prod/db")
    assert code(client("iam", alice).get_user, UserName="lab-admin") == "AccessDenied"
    assert code(client("secretsmanager", alice).get_secret_value, SecretId="dev/db") == "AccessDeniedException"


def test_revoking_sessions_cuts_old_ones_and_leaves_new_ones(client, lab, role_key):
    old = role_key("ops")
    client("iam", old).list_users()
    later = (datetime.now(UTC) + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {"DateLessThan": {"aws:TokenIssueTime": later}}
    document = policy("Deny", "*", Condition=condition)
    client("iam").put_role_policy(RoleName="ops", PolicyName="AWSRevokeOlderSessions", PolicyDocument=document)
    assert code(client("iam", old).list_users) == "AccessDenied"

    lab._identities.session(old["AccessKeyId"]).issued += timedelta(seconds=5)
    client("iam", old).list_users()


def test_an_expired_session_is_refused(client, lab, role_key):
    key = role_key("ops")
    lab._identities.session(key["AccessKeyId"]).expires = datetime.now(UTC) - timedelta(seconds=1)

    assert code(client("iam", key).list_users) == "ExpiredToken"
    assert code(client("cloudtrail", key).lookup_events) == "ExpiredTokenException"


@pytest.mark.parametrize(
    ("principal", "alice_may_ask", "allowed"),
    [
        ("account", True, True),
        ("account", False, False),
        ("alice", False, True),
        ("somebody else", True, False),
        ("other account", True, False),
    ],
)
def test_trust_policies_decide_who_becomes_a_role(client, alice, lab, principal, alice_may_ask, allowed):
    arns = {
        "account": f"arn:aws:iam::{lab.account}:root",
        "alice": f"arn:aws:iam::{lab.account}:user/alice",
        "somebody else": f"arn:aws:iam::{lab.account}:user/bob",
        "other account": "arn:aws:iam::210987654321:root",
    }
    role = client("iam").create_role(RoleName="ops", AssumeRolePolicyDocument=trust({"AWS": arns[principal]}))
    if alice_may_ask:
        document = policy("Allow", "sts:AssumeRole")
        client("iam").put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=document)
    wish = {"RoleArn": role["Role"]["Arn"], "RoleSessionName": "try"}

    if allowed:
        assert client("sts", alice).assume_role(**wish)["Credentials"]
    else:
        assert code(client("sts", alice).assume_role, **wish) == "AccessDenied"


def test_a_trust_policy_may_ask_for_an_external_id(client, lab):
    condition = {"StringEquals": {"sts:ExternalId": "secret-handshake"}}
    account = {"AWS": f"arn:aws:iam::{lab.account}:root"}
    document = trust(account, Condition=condition)
    arn = client("iam").create_role(RoleName="ops", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    sts = client("sts")

    assert code(sts.assume_role, RoleArn=arn, RoleSessionName="try") == "AccessDenied"
    assert sts.assume_role(RoleArn=arn, RoleSessionName="try", ExternalId="secret-handshake")["Credentials"]


def test_another_account_needs_both_its_own_policy_and_the_trust(client, alice, lab):
    other = lab.open_account("210987654321")
    ours = {"AWS": f"arn:aws:iam::{lab.account}:root"}
    client("iam", other).create_role(RoleName="guest", AssumeRolePolicyDocument=trust(ours))
    wish = {"RoleArn": "arn:aws:iam::210987654321:role/guest", "RoleSessionName": "visit"}
    assert code(client("sts", alice).assume_role, **wish) == "AccessDenied"

    document = policy("Allow", "sts:AssumeRole", wish["RoleArn"])
    client("iam").put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=document)
    assert client("sts", alice).assume_role(**wish)["Credentials"]


def test_a_session_policy_only_narrows(client, lab, role_key):
    role_key("ops")
    answer = client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{lab.account}:role/ops",
        RoleSessionName="narrow",
        Policy=policy("Allow", "iam:ListUsers"),
    )
    narrow = answer["Credentials"]

    client("iam", narrow).list_users()
    assert code(client("iam", narrow).list_roles) == "AccessDenied"


def test_a_permissions_boundary_only_narrows(client, role_key):
    key = role_key("ops")
    boundary = client("iam").create_policy(PolicyName="b", PolicyDocument=policy("Allow", "iam:ListUsers"))
    client("iam").put_role_permissions_boundary(RoleName="ops", PermissionsBoundary=boundary["Policy"]["Arn"])

    client("iam", key).list_users()
    assert code(client("iam", key).list_roles) == "AccessDenied"


def test_a_federated_user_has_the_rights_of_its_maker_within_its_policy(client):
    key = client("sts").get_federation_token(Name="visitor", Policy=policy("Allow", "s3:ListAllMyBuckets"))
    client("s3", key["Credentials"]).list_buckets()

    assert code(client("ec2", key["Credentials"]).describe_vpcs) == "UnauthorizedOperation"


def test_the_root_user_needs_no_policy(client, lab):
    client("iam", lab.root_key()).list_users()


def test_the_two_permissions_that_a_check_needs_are_enough(client, alice):
    document = policy("Allow", ["cloudtrail:LookupEvents", "ec2:DescribeRegions"])
    client("iam").put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=document)

    client("cloudtrail", alice).lookup_events()
    assert len(client("ec2", alice).describe_regions()["Regions"]) == 17
    assert code(client("cloudtrail", alice).describe_trails) == "AccessDeniedException"
