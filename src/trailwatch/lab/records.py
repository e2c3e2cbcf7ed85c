"""Turns a call and its answer into the CloudTrail record that AWS would have written.

Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.model import OperationModel

from trailwatch.lab import names, shapes
from trailwatch.lab.answers import Answer
from trailwatch.lab.call import Call
from trailwatch.lab.identities import Caller

EVENT_VERSION = "1.11"
_ANSWERS_SHOWN = {"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GetCallerIdentity"}
# What a service writes though the caller did not send it.
_DEFAULTS: dict[tuple[str, str], dict[str, Any]] = {
    ("secretsmanager", "CreateSecret"): {"forceOverwriteReplicaSecret": False},
    ("lambda", "UpdateFunctionCode"): {"publish": False, "dryRun": False},
    ("iam", "CreateLoginProfile"): {"passwordResetRequired": False},
    ("ssm", "PutParameter"): {"overwrite": False},
}
_TLS = {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256"}
_CLIENT_ERROR = 400
_SERVER_ERROR = 500
_LONGEST_TEXT = 1024


def record_of(
    call: Call,
    caller: Caller,
    answer: Answer,
    *,
    at: datetime,
    event_id: str,
    request_id: str,
) -> dict[str, Any]:
    """The record of one call, as seen by the caller's account."""
    read_only = names.is_read_only(call)
    failed = answer.status >= _CLIENT_ERROR
    shown = not read_only or call.operation in _ANSWERS_SHOWN
    parsed = parse_answer(call, answer) if failed or shown else {}
    error = parsed.get("Error") or {}
    record: dict[str, Any] = {
        "eventVersion": EVENT_VERSION,
        "userIdentity": dict(caller.identity),
        "eventTime": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": names.event_source(call),
        "eventName": names.event_name(call),
        "awsRegion": names.event_region(call),
        "sourceIPAddress": call.source_address,
        "userAgent": call.user_agent,
    }
    if failed:
        record["errorCode"] = _error_code(call, error, answer.status)
        if error.get("Message"):
            record["errorMessage"] = str(error["Message"])[:_LONGEST_TEXT]
    record["requestParameters"] = _request(call) or None
    record["responseElements"] = None
    if shown and not failed:
        record["responseElements"] = _response(call, parsed, request_id) or None
    if call.signing_name == "s3":
        record["additionalEventData"] = _s3_extra(call, answer)
    record |= {"requestID": request_id, "eventID": event_id, "readOnly": read_only}
    resources = _resources(call, caller)
    if resources:
        record["resources"] = resources
    record |= {
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": caller.account,
        "eventCategory": "Management",
        "tlsDetails": _TLS | {"clientProvidedHostHeader": f"{_host_label(call)}.amazonaws.com"},
    }
    return record


def secrets_in_batch(
    call: Call, answer: Answer, record: dict[str, Any], new_id: Callable[[], str]
) -> Iterator[dict[str, Any]]:
    """The GetSecretValue records that AWS writes besides, one for each secret of a BatchGetSecretValue.

    Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html
    """
    if (call.signing_name, call.operation) != ("secretsmanager", "BatchGetSecretValue") or "errorCode" in record:
        return
    for secret in parse_answer(call, answer).get("SecretValues", ()):
        yield record | {
            "eventName": "GetSecretValue",
            "eventID": new_id(),
            "requestParameters": {"secretId": secret["ARN"]},
        }


def parse_answer(call: Call, answer: Answer) -> dict[str, Any]:
    """The answer by the member names of the service's model; an error below `Error`."""
    from botocore.parsers import ResponseParserError, create_parser

    if call.model is None:
        return {}
    shape = call.model.output_shape
    if answer.status < _CLIENT_ERROR and shape is None:
        return {}
    parser: Any = create_parser(call.protocol)  # the stubs forget that an operation may have no output shape
    try:
        parsed: dict[str, Any] = parser.parse(
            {"status_code": answer.status, "headers": _headers(answer), "body": answer.body}, shape
        )
    except (ResponseParserError, ValueError, KeyError):
        return {"Error": {"Code": "InternalFailure"}} if answer.status >= _CLIENT_ERROR else {}
    parsed.pop("ResponseMetadata", None)
    return parsed


def _headers(answer: Answer) -> Any:
    from botocore.compat import HTTPHeaders

    headers = HTTPHeaders()
    for name, value in answer.headers:
        headers[name] = value
    return headers


def _error_code(call: Call, error: Mapping[str, Any], status: int) -> str:
    code = str(error.get("Code") or "InternalFailure")
    if call.signing_name == "ec2":
        return f"Server.{code}" if status >= _SERVER_ERROR and code != "RequestLimitExceeded" else f"Client.{code}"
    if code == "AccessDeniedException" and call.signing_name != "organizations":
        return "AccessDenied"
    return _exception_name(call.model, code)


def _exception_name(model: OperationModel | None, code: str) -> str:
    """IAM answers `NoSuchEntity` and records `NoSuchEntityException`: the name of the error's shape."""
    for shape in model.error_shapes if model else ():
        if shape.metadata.get("error", {}).get("code") == code:
            return str(shape.name)
    return code


def _request(call: Call) -> dict[str, Any]:
    shape = call.model.input_shape if call.model else None
    if call.signing_name == "ec2":
        return shapes.ec2_request(call.operation, call.parameters, shape)
    if call.signing_name == "s3":
        return shapes.s3_request(call.parameters, call.query_string, call.headers, call.region)
    written = shapes.plain(call.parameters, shape, call.signing_name)
    return _DEFAULTS.get((call.signing_name, call.operation), {}) | dict(written)


def _response(call: Call, parsed: dict[str, Any], request_id: str) -> dict[str, Any]:
    shape = call.model.output_shape if call.model else None
    if call.signing_name == "ec2":
        return shapes.ec2_response(call.operation, parsed, shape, request_id)
    if call.signing_name == "s3":
        return {}
    return dict(shapes.plain(parsed, shape, call.signing_name))


def _s3_extra(call: Call, answer: Answer) -> dict[str, Any]:
    return {
        "SignatureVersion": "SigV4",
        "CipherSuite": _TLS["cipherSuite"],
        "bytesTransferredIn": len(call.body),
        "AuthenticationMethod": "AuthHeader",
        "bytesTransferredOut": len(answer.body),
    }


def _resources(call: Call, caller: Caller) -> list[dict[str, str]]:
    parameters, account = call.parameters, caller.account
    if call.signing_name == "s3" and parameters.get("Bucket"):
        return [{"accountId": account, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{parameters['Bucket']}"}]
    if call.signing_name == "sts" and parameters.get("RoleArn"):
        arn = str(parameters["RoleArn"])
        return [{"accountId": arn.split(":")[4], "type": "AWS::IAM::Role", "ARN": arn}] if arn.count(":") > 4 else []  # noqa: PLR2004 arn:aws:iam::account:role
    if call.signing_name == "ssm" and parameters.get("Name") and "Parameter" in call.operation:
        name = str(parameters["Name"]).lstrip("/")
        return [{"accountId": account, "ARN": f"arn:aws:ssm:{call.region}:{account}:parameter/{name}"}]
    if call.signing_name == "kms" and str(parameters.get("KeyId", "")).startswith("arn:"):
        return [{"accountId": account, "type": "AWS::KMS::Key", "ARN": str(parameters["KeyId"])}]
    return []


def _host_label(call: Call) -> str:
    return call.signing_name if names.event_region(call) != call.region else f"{call.signing_name}.{call.region}"
