"""A call as IAM policies name it: its action, the resource it works on, and the condition keys that it carries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from trailwatch.lab.call import Call
from trailwatch.lab.identities import Caller, Session
from trailwatch.lab.policy import Wish

_PREFIXES = {"monitoring": "cloudwatch", "email": "ses", "tagging": "tag"}
_S3_ACTIONS = {
    "ListBuckets": "ListAllMyBuckets",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "HeadObject": "GetObject",
    "CopyObject": "PutObject",
    "DeleteObjects": "DeleteObject",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutBucketReplication": "PutReplicationConfiguration",
    "GetBucketReplication": "GetReplicationConfiguration",
}
_LAMBDA_ACTIONS = {"Invoke": "InvokeFunction", "InvokeAsync": "InvokeFunction"}
# For each service: the parameter that names the resource, and the rest of the ARN after the account.
_RESOURCES: dict[str, tuple[tuple[str, str], ...]] = {
    "iam": (
        ("UserName", "user/{}"),
        ("RoleName", "role/{}"),
        ("GroupName", "group/{}"),
        ("InstanceProfileName", "instance-profile/{}"),
        ("PolicyArn", "{}"),
    ),
    "sts": (("RoleArn", "{}"),),
    "lambda": (("FunctionName", "function:{}"),),
    "cloudtrail": (("TrailName", "trail/{}"), ("Name", "trail/{}")),
    "sns": (("TopicArn", "{}"),),
    "dynamodb": (("TableName", "table/{}"),),
    "kms": (("KeyId", "key/{}"),),
    "ssm": (("Name", "parameter/{}"),),
    "logs": (("logGroupName", "log-group:{}"),),
}
_GLOBAL = {"iam", "sts"}


def wish_of(call: Call, caller: Caller, session: Session | None, now: datetime) -> Wish:
    """What a caller asks for, in IAM's words."""
    prefix = _PREFIXES.get(call.signing_name, call.signing_name)
    return Wish(f"{prefix}:{_action(call)}", _resource(call, caller), _context(call, caller, session, now))


def _action(call: Call) -> str:
    if call.signing_name == "s3":
        return _S3_ACTIONS.get(call.operation, call.operation)
    if call.signing_name == "lambda":
        return _LAMBDA_ACTIONS.get(call.operation, call.operation)
    return call.operation


def _resource(call: Call, caller: Caller) -> str:
    parameters = call.parameters
    if call.signing_name == "s3":
        bucket, key = parameters.get("Bucket"), parameters.get("Key")
        return f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}" if bucket else "*"
    if call.signing_name == "secretsmanager" and parameters.get("SecretId"):
        return _arn(call, caller, f"secret:{parameters['SecretId']}-??????", str(parameters["SecretId"]))
    for name, rest in _RESOURCES.get(call.signing_name, ()):
        value = str(parameters.get(name) or "")
        if value:
            return _arn(call, caller, rest.format(value.lstrip("/")), value)
    if call.signing_name == "iam" and call.operation.endswith(("AccessKey", "AccessKeys", "User", "LoginProfile")):
        return f"arn:aws:iam::{caller.account}:user/{caller.user_name}" if caller.user_name else "*"
    return "*"


def _arn(call: Call, caller: Caller, rest: str, value: str) -> str:
    if value.startswith("arn:"):
        return value
    region = "" if call.signing_name in _GLOBAL else call.region
    return f"arn:aws:{call.signing_name}:{region}:{caller.account}:{rest}"


def _context(call: Call, caller: Caller, session: Session | None, now: datetime) -> dict[str, list[str]]:
    context: dict[str, Any] = {
        "aws:PrincipalArn": caller.role_arn or caller.arn,
        "aws:PrincipalAccount": caller.account,
        "aws:PrincipalType": "User" if caller.kind == "IAMUser" else caller.kind,
        "aws:userid": caller.identity.get("principalId", ""),
        "aws:username": caller.user_name,
        "aws:SourceIp": call.source_address,
        "aws:UserAgent": call.user_agent,
        "aws:RequestedRegion": call.region,
        "aws:CurrentTime": now.astimezone(UTC).isoformat(),
        "aws:EpochTime": str(int(now.timestamp())),
        "aws:SecureTransport": "false",
        "sts:ExternalId": call.parameters.get("ExternalId"),
        "sts:RoleSessionName": call.parameters.get("RoleSessionName"),
        "sts:SourceIdentity": call.parameters.get("SourceIdentity"),
        "iam:PolicyARN": call.parameters.get("PolicyArn"),
    }
    if session is not None:
        context["aws:TokenIssueTime"] = session.issued.isoformat()
        context["aws:MultiFactorAuthPresent"] = "true" if session.mfa else "false"
        context["aws:SourceIdentity"] = session.source_identity
    return {key.lower(): [str(value)] for key, value in context.items() if value}
