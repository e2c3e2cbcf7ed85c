from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from trailwatch.lab.faults import Aim, Deny


def test_a_user_is_named_as_in_cloudtrail(client, lab, last_record):
    client("iam").create_user(UserName="alice")
    key = client("iam").create_access_key(UserName="alice")["AccessKey"]
    client("iam").attach_user_policy(UserName="alice", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    client("ec2", key, address="203.0.113.9", user_agent="aws-cli/2.1").create_key_pair(KeyName="k")

    record = last_record("CreateKeyPair")
    identity = record["userIdentity"]
    assert identity["principalId"].startswith("AIDA")
    assert identity == {
        "type": "IAMUser",
        "principalId": identity["principalId"],
        "arn": f"arn:aws:iam::{lab.account}:user/alice",
        "accountId": lab.account,
        "accessKeyId": key["AccessKeyId"],
        "userName": "alice",
    }
    assert record["sourceIPAddress"] == "203.0.113.9"
    assert record["userAgent"].startswith("aws-cli/2.1")


def test_the_user_id_is_the_same_in_the_answer_and_in_the_record(client, last_record):
    user_id = client("iam").create_user(UserName="alice")["User"]["UserId"]

    assert client("iam").get_user(UserName="alice")["User"]["UserId"] == user_id
    assert last_record("CreateUser")["responseElements"]["user"]["userId"] == user_id


def test_a_role_session_carries_its_issuer(client, lab, role_key, last_record):
    key = role_key("ops", "bob", SourceIdentity="bob@example.com")
    client("ec2", key, "eu-west-1").create_key_pair(KeyName="k")

    record = last_record("CreateKeyPair")
    identity, context = record["userIdentity"], record["userIdentity"]["sessionContext"]
    issued_at = last_record("AssumeRole")["eventTime"]
    assert record["awsRegion"] == "eu-west-1"
    assert identity["type"] == "AssumedRole"
    assert identity["arn"] == f"arn:aws:sts::{lab.account}:assumed-role/ops/bob"
    assert identity["accessKeyId"].startswith("ASIA")
    assert context["sessionIssuer"]["type"] == "Role"
    assert context["sessionIssuer"]["userName"] == "ops"
    assert context["sessionIssuer"]["arn"] == f"arn:aws:iam::{lab.account}:role/ops"
    assert identity["principalId"] == context["sessionIssuer"]["principalId"] + ":bob"
    assert context["attributes"] == {"creationDate": issued_at, "mfaAuthenticated": "false"}
    assert context["sourceIdentity"] == "bob@example.com"


def test_the_root_user_is_recorded_as_root(client, lab, last_record):
    client("iam", lab.root_key()).create_user(UserName="alice")

    identity = last_record("CreateUser")["userIdentity"]
    assert identity["type"] == "Root"
    assert identity["arn"] == f"arn:aws:iam::{lab.account}:root"


def test_a_session_token_keeps_the_user_and_says_mfa(client, lab, last_record):
    serial = f"arn:aws:iam::{lab.account}:mfa/phone"
    key = client("sts").get_session_token(SerialNumber=serial, TokenCode="123456")["Credentials"]
    client("s3", key).list_buckets()

    identity = last_record("ListBuckets")["userIdentity"]
    assert (identity["type"], identity["userName"]) == ("IAMUser", "lab-admin")
    assert identity["accessKeyId"] == key["AccessKeyId"]
    assert identity["sessionContext"]["attributes"]["mfaAuthenticated"] == "true"


def test_a_federated_user_is_recorded_with_the_user_who_made_it(client, lab, last_record):
    key = client("sts").get_federation_token(Name="visitor")["Credentials"]
    client("s3", key).list_buckets()

    identity = last_record("ListBuckets")["userIdentity"]
    assert identity["type"] == "FederatedUser"
    assert identity["arn"] == f"arn:aws:sts::{lab.account}:federated-user/visitor"
    assert identity["sessionContext"]["sessionIssuer"]["userName"] == "lab-admin"
    assert last_record("GetFederationToken")["readOnly"] is False


def test_secrets_are_not_in_records(client, lab):
    iam = client("iam")
    iam.create_user(UserName="alice")
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    iam.create_login_profile(UserName="alice", Password="Pass-word-12345")
    secrets = client("secretsmanager")
    secrets.create_secret(Name="db", SecretString="hush-hush")
    secrets.get_secret_value(SecretId="db")
    client("ssm").put_parameter(Name="/db", Value="very-quiet", Type="SecureString")
    material = client("ec2").create_key_pair(KeyName="k")["KeyMaterial"]

    text = json.dumps(lab.recorder.records())
    for secret in (key["SecretAccessKey"], "Pass-word-12345", "hush-hush", "very-quiet", material[100:140]):
        assert secret not in text


def test_an_access_key_is_recorded_without_its_secret(client, last_record):
    client("iam").create_user(UserName="alice")
    key = client("iam").create_access_key(UserName="alice")["AccessKey"]

    element = last_record("CreateAccessKey")["responseElements"]["accessKey"]
    assert {k: v for k, v in element.items() if k != "createDate"} == {
        "userName": "alice",
        "accessKeyId": key["AccessKeyId"],
        "status": "Active",
    }


def test_assume_role_shows_the_new_key_though_it_is_read_only(role_key, last_record):
    key = role_key()

    record = last_record("AssumeRole")
    assert record["readOnly"] is True
    credentials = record["responseElements"]["credentials"]
    assert credentials["accessKeyId"] == key["AccessKeyId"]
    assert set(credentials) == {"accessKeyId", "sessionToken", "expiration"}


def test_read_only_calls_have_no_response(client, last_record):
    client("secretsmanager").create_secret(Name="db", SecretString="x")
    client("secretsmanager").get_secret_value(SecretId="db")
    client("ec2").describe_instances()

    for name in ("GetSecretValue", "DescribeInstances"):
        record = last_record(name)
        assert (record["readOnly"], record["responseElements"]) == (True, None)


def test_global_services_are_recorded_in_us_east_1(client, last_record):
    client("iam", region="eu-central-1").create_user(UserName="alice")

    assert last_record("CreateUser")["awsRegion"] == "us-east-1"


def test_data_events_are_missing(client, lab):
    client("s3").create_bucket(Bucket="bucket")
    client("s3").put_object(Bucket="bucket", Key="a/b", Body=b"x")
    client("s3").get_object(Bucket="bucket", Key="a/b")["Body"].read()
    client("s3").list_objects_v2(Bucket="bucket")
    client("s3").head_bucket(Bucket="bucket")
    topic = client("sns").create_topic(Name="t")["TopicArn"]
    client("sns").publish(TopicArn=topic, Message="m")
    queue = client("sqs").create_queue(QueueName="q")["QueueUrl"]
    client("sqs").send_message(QueueUrl=queue, MessageBody="m")
    table = {
        "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
    }
    client("dynamodb").create_table(TableName="t", BillingMode="PAY_PER_REQUEST", **table)
    client("dynamodb").put_item(TableName="t", Item={"k": {"S": "v"}})

    names = [record["eventName"] for record in lab.recorder.records()]
    assert names == ["CreateBucket", "CreateTopic", "CreateQueue", "CreateTable"]


def test_lambda_event_names_carry_the_date_of_the_api(client, lab, role_key):
    from trailwatch.simulate.company import code

    role_key("runner")
    functions = client("lambda")
    functions.create_function(
        FunctionName="f",
        Runtime="python3.13",
        Role=f"arn:aws:iam::{lab.account}:role/runner",
        Handler="orders.handler",
        Code={"ZipFile": code("pass")},
    )
    functions.update_function_code(FunctionName="f", ZipFile=code("return 1"))
    functions.add_permission(FunctionName="f", StatementId="s", Action="lambda:InvokeFunction", Principal="*")
    functions.list_functions()

    names = [r["eventName"] for r in lab.recorder.records() if r["eventSource"] == "lambda.amazonaws.com"]
    assert names == [
        "CreateFunction20150331",
        "UpdateFunctionCode20150331v2",
        "AddPermission20150331v2",
        "ListFunctions20150331",
    ]


def test_s3_events_have_names_and_documents_of_their_own(client, last_record):
    client("s3").create_bucket(Bucket="bucket")
    client("s3").put_public_access_block(
        Bucket="bucket", PublicAccessBlockConfiguration={"BlockPublicAcls": False, "BlockPublicPolicy": False}
    )
    client("s3").put_bucket_policy(Bucket="bucket", Policy='{"Version": "2012-10-17", "Statement": []}')
    client("s3").put_bucket_acl(Bucket="bucket", ACL="public-read")

    block = last_record("PutBucketPublicAccessBlock")["requestParameters"]
    assert block["PublicAccessBlockConfiguration"] == {"BlockPublicAcls": False, "BlockPublicPolicy": False}
    policy = last_record("PutBucketPolicy")["requestParameters"]
    assert policy["bucketPolicy"] == {"Version": "2012-10-17", "Statement": []}
    assert policy["bucketName"] == "bucket"
    assert last_record("PutBucketAcl")["requestParameters"]["x-amz-acl"] == "public-read"


def test_ec2_lists_are_items(client, last_record):
    group = client("ec2").create_security_group(GroupName="g", Description="d")["GroupId"]
    client("ec2").authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    )

    record = last_record("AuthorizeSecurityGroupIngress")
    assert record["requestParameters"] == {
        "groupId": group,
        "ipPermissions": {
            "items": [
                {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}
            ]
        },
    }
    assert record["responseElements"]["_return"] is True
    assert last_record("CreateSecurityGroup")["requestParameters"]["groupDescription"] == "d"


@pytest.mark.parametrize("direct", [True, False])
def test_sharing_a_snapshot_is_recorded_alike_in_both_forms_of_the_call(client, last_record, direct):
    ec2 = client("ec2")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    if direct:
        permission = {"CreateVolumePermission": {"Add": [{"UserId": "999988887777"}]}}
    else:
        permission = {"Attribute": "createVolumePermission", "OperationType": "add", "UserIds": ["999988887777"]}
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, **permission)

    assert last_record("ModifySnapshotAttribute")["requestParameters"] == {
        "snapshotId": snapshot,
        "createVolumePermission": {"add": {"items": [{"userId": "999988887777"}]}},
        "attributeType": "CREATE_VOLUME_PERMISSION",
    }


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code", "recorded"),
    [
        ("iam", "get_user", {"UserName": "nobody"}, "NoSuchEntity", "NoSuchEntityException"),
        (
            "ec2",
            "describe_instances",
            {"InstanceIds": ["i-1234567890abcdef0"]},
            "InvalidInstanceID.NotFound",
            "Client.InvalidInstanceID.NotFound",
        ),
        ("s3", "get_bucket_policy", {"Bucket": "nothing-here"}, "NoSuchBucket", "NoSuchBucket"),
        ("cloudtrail", "get_trail", {"Name": "nothing"}, "TrailNotFoundException", "TrailNotFoundException"),
        ("secretsmanager", "get_secret_value", {"SecretId": "no"}, *["ResourceNotFoundException"] * 2),
    ],
)
def test_errors_are_spelled_as_the_service_records_them(
    client, last_record, service, operation, parameters, code, recorded
):
    with pytest.raises(ClientError) as caught:
        getattr(client(service), operation)(**parameters)

    assert caught.value.response["Error"]["Code"] == code
    name = "".join(word.capitalize() for word in operation.split("_"))
    record = last_record(name)
    assert record["errorCode"] == recorded
    assert record["errorMessage"]
    assert record["responseElements"] is None


@pytest.mark.parametrize(
    ("service", "operation", "code", "recorded"),
    [
        ("iam", "list_users", "AccessDenied", "AccessDenied"),
        ("ec2", "describe_vpcs", "UnauthorizedOperation", "Client.UnauthorizedOperation"),
        ("s3", "list_buckets", "AccessDenied", "AccessDenied"),
        ("secretsmanager", "list_secrets", "AccessDeniedException", "AccessDenied"),
        ("lambda", "list_functions", "AccessDeniedException", "AccessDenied"),
        ("sns", "list_topics", "AccessDenied", "AccessDenied"),
    ],
)
def test_denials_are_spelled_per_protocol_and_recorded(client, lab, service, operation, code, recorded):
    lab.faults.add(Deny(Aim(region="us-east-1")))

    with pytest.raises(ClientError) as caught:
        getattr(client(service), operation)()

    assert caught.value.response["Error"]["Code"] == code
    [record] = lab.recorder.records()
    assert record["errorCode"] == recorded


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("iam", "list_users", "InvalidClientTokenId"),
        ("ec2", "describe_vpcs", "AuthFailure"),
        ("s3", "list_buckets", "InvalidAccessKeyId"),
        ("cloudtrail", "lookup_events", "UnrecognizedClientException"),
    ],
)
@pytest.mark.parametrize("why", ["unknown", "inactive", "deleted"])
def test_a_dead_key_is_refused_and_leaves_no_trace(client, lab, service, operation, code, why):
    key = {"AccessKeyId": "AKIAAAAAAAAAAAAAAAAA", "SecretAccessKey": "x"}
    iam = client("iam")
    if why != "unknown":
        iam.create_user(UserName="alice")
        key = iam.create_access_key(UserName="alice")["AccessKey"]
        name = {"UserName": "alice", "AccessKeyId": key["AccessKeyId"]}
        if why == "inactive":
            iam.update_access_key(Status="Inactive", **name)
        else:
            iam.delete_access_key(**name)
    before = len(lab.recorder.records())

    with pytest.raises(ClientError) as caught:
        getattr(client(service, key), operation)()

    assert caught.value.response["Error"]["Code"] == code
    assert len(lab.recorder.records()) == before


def test_a_role_of_another_account_is_recorded_in_both_with_one_shared_id(client, lab):
    other = lab.open_account("210987654321")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}],
    }
    client("iam", other).create_role(RoleName="guest", AssumeRolePolicyDocument=json.dumps(trust))
    client("iam", other).attach_role_policy(RoleName="guest", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    arn = "arn:aws:iam::210987654321:role/guest"
    key = client("sts").assume_role(RoleArn=arn, RoleSessionName="visit")["Credentials"]
    client("s3", key).list_buckets()

    ours, theirs = (
        [r for r in lab.recorder.records(account) if r["eventName"] == "AssumeRole"]
        for account in (lab.account, "210987654321")
    )
    assert len(ours) == len(theirs) == 1
    assert ours[0]["sharedEventID"] == theirs[0]["sharedEventID"]
    assert ours[0]["eventID"] != theirs[0]["eventID"]
    assert ours[0]["userIdentity"]["type"] == "IAMUser"
    assert theirs[0]["userIdentity"]["type"] == "AWSAccount"
    assert theirs[0]["userIdentity"]["accountId"] == lab.account
    [visit] = [r for r in lab.recorder.records("210987654321") if r["eventName"] == "ListBuckets"]
    assert visit["userIdentity"]["arn"] == "arn:aws:sts::210987654321:assumed-role/guest/visit"


def test_a_role_that_does_not_exist_cannot_be_assumed(client, lab, last_record):
    with pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole"):
        client("sts").assume_role(RoleArn=f"arn:aws:iam::{lab.account}:role/nothing", RoleSessionName="try")

    assert last_record("AssumeRole")["errorCode"] == "AccessDenied"


def test_every_record_has_what_cloudtrail_always_writes(client, lab):
    client("iam").create_user(UserName="alice")

    [record] = lab.recorder.records()
    assert set(record) == {
        "eventVersion",
        "userIdentity",
        "eventTime",
        "eventSource",
        "eventName",
        "awsRegion",
        "sourceIPAddress",
        "userAgent",
        "requestParameters",
        "responseElements",
        "requestID",
        "eventID",
        "readOnly",
        "eventType",
        "managementEvent",
        "recipientAccountId",
        "eventCategory",
        "tlsDetails",
    }
    assert record["eventVersion"] == "1.11"
    assert record["tlsDetails"]["clientProvidedHostHeader"].startswith("iam.")


@pytest.mark.parametrize(
    ("service", "operation", "name"),
    [
        ("iam", "list_users", "ListUsers"),
        ("ec2", "describe_vpcs", "DescribeVpcs"),
        ("secretsmanager", "list_secrets", "ListSecrets"),
        ("cloudtrail", "lookup_events", "LookupEvents"),
        ("lambda", "list_functions", "ListFunctions20150331"),
    ],
)
def test_the_record_has_the_request_id_that_the_caller_saw(client, last_record, service, operation, name):
    seen = getattr(client(service), operation)()["ResponseMetadata"]["RequestId"]

    assert last_record(name)["requestID"] == seen


def test_a_web_identity_is_the_caller_of_the_call_that_it_does_not_sign(client, lab, last_record):
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {
                    "Federated": f"arn:aws:iam::{lab.account}:oidc-provider/token.actions.githubusercontent.com"
                },
                "Action": "sts:AssumeRoleWithWebIdentity",
            }
        ],
    }
    arn = client("iam").create_role(RoleName="build", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    client("iam").attach_role_policy(RoleName="build", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    token = "a.token.of-the-provider"
    key = client("sts").assume_role_with_web_identity(RoleArn=arn, RoleSessionName="run-7", WebIdentityToken=token)
    client("s3", key["Credentials"]).list_buckets()

    record = last_record("AssumeRoleWithWebIdentity")
    assert record["userIdentity"]["type"] == "WebIdentityUser"
    assert record["readOnly"] is True
    assert token not in json.dumps(record)
    context = last_record("ListBuckets")["userIdentity"]["sessionContext"]
    assert context["webIdFederationData"]["federatedProvider"] == "token.actions.githubusercontent.com"


def test_reading_secrets_in_a_batch_is_also_recorded_for_each_secret(client, lab):
    create = client("secretsmanager").create_secret
    arns = [create(Name=name, SecretString="x")["ARN"] for name in ("prod/a", "prod/b")]
    client("secretsmanager").batch_get_secret_value(SecretIdList=["prod/a", "prod/b"])

    read = [record for record in lab.recorder.records() if record["eventName"] == "GetSecretValue"]
    assert [record["requestParameters"]["secretId"] for record in read] == arns
