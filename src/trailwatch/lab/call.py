"""Call: one request that reached the lab, read out of HTTP: who signs, which operation, with what."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from botocore.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model

Environ = dict[str, Any]

_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_ACTION = re.compile(rb"(?:^|&)Action=(AssumeRoleWith\w+)")
_MODEL_OF_SIGNING_NAME = {
    "monitoring": "cloudwatch",
    "email": "ses",
    "access-analyzer": "accessanalyzer",
    "elasticloadbalancing": "elbv2",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
    "sso": "sso-admin",
    "cognito-idp": "cognito-idp",
}
_ELB_CLASSIC = "2012-06-01"
_BODY_FORM = "application/x-www-form-urlencoded"


@dataclass
class Call:
    """One API call. `parameters` has the member names of the service's model."""

    key_id: str
    """Access key that signed it; empty for the few operations that are not signed."""
    region: str
    """Region of the signature."""
    signing_name: str
    operation: str
    protocol: str
    """`json`, `rest-json`, `query`, `ec2` or `rest-xml`: how errors are spelled on the wire."""
    source_address: str
    user_agent: str
    host: str
    query_string: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    """The `x-amz-...` headers, lower case."""
    parameters: dict[str, Any] = field(default_factory=dict)
    model: OperationModel | None = None


def read_body(environ: Environ) -> bytes:
    """The whole body; `environ` can be read again from its beginning afterwards."""
    if environ.get("wsgi.input_terminated"):
        body: bytes = environ["wsgi.input"].read()
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
    else:
        declared = environ.get("CONTENT_LENGTH") or "0"
        length = int(declared) if declared.isdecimal() else 0
        body = environ["wsgi.input"].read(length) if length else b""
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def read_call(environ: Environ, body: bytes) -> Call | None:
    """The API call in a request; None for what is no signed call, such as a presigned download."""
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    unsigned = None if scope else _ACTION.search(body)
    if scope:
        key_id, region, signing_name = scope.groups()
    elif unsigned:
        key_id, region, signing_name = "", "us-east-1", "sts"
    else:
        return None
    call = Call(
        key_id=key_id,
        region=region,
        signing_name=signing_name,
        operation=environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2],
        protocol="json",
        source_address=_source_address(environ),
        user_agent=environ.get("HTTP_USER_AGENT", "")[:1024],
        host=environ.get("HTTP_HOST", ""),
        query_string=environ.get("QUERY_STRING", ""),
        body=body,
        headers={
            name[5:].lower().replace("_", "-"): value
            for name, value in environ.items()
            if name.startswith("HTTP_X_AMZ_")
        },
    )
    if (signing_name, call.operation) == ("cloudtrail", "LookupEvents"):  # the hot call is read without moto
        call.model = _operation_model(signing_name, call.operation)
    else:
        _read_operation(call, environ, body)
    return call


def _source_address(environ: Environ) -> str:
    forwarded: str = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")[0].strip()
    return forwarded or environ.get("REMOTE_ADDR", "")


def _read_operation(call: Call, environ: Environ, body: bytes) -> None:
    service = _service_name(call, environ, body)
    try:
        model = get_service_model(service)
    except Exception:  # noqa: BLE001 botocore has many ways to say that it does not know a service
        return
    request = Request(dict(environ, **{"wsgi.input": io.BytesIO(body)}))
    try:
        call.protocol = determine_request_protocol(model, request.content_type)
        operation, labels = get_service_router(service).match(request)
    except Exception:  # noqa: BLE001 an unknown operation is moto's to refuse, and it says so
        return
    call.operation = operation.name
    call.model = _operation_model(service, operation.name)
    if call.signing_name == "s3" and is_object_call(call.model):
        return
    call.parameters = _parse(call.protocol, operation, request, labels)


def _service_name(call: Call, environ: Environ, body: bytes) -> str:
    name = call.signing_name
    if name == "ses" and environ.get("PATH_INFO", "").startswith("/v2/"):
        return "sesv2"
    if name == "s3" and environ.get("PATH_INFO", "").startswith("/v20180820/"):
        return "s3control"
    if name == "elasticloadbalancing" and f"Version={_ELB_CLASSIC}".encode() in body:
        return "elb"
    return _MODEL_OF_SIGNING_NAME.get(name, name)


def _parse(protocol: str, operation: Any, request: Request, labels: dict[str, Any]) -> dict[str, Any]:
    parser = PROTOCOL_PARSERS[protocol](operation)
    try:
        parsed = parser.parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.data,
                "url_path": request.path,
                "url_params": labels,
            }
        )
    except Exception:  # noqa: BLE001 what cannot be parsed is moto's to refuse; the record then has no parameters
        return {}
    return dict(parsed) if parsed else {}


@cache
def _operation_model(service: str, operation: str) -> OperationModel:
    model: OperationModel = get_service_model(service).operation_model(operation)
    return model


_OBJECT_CALLS = {
    "DeleteObjects",
    "ListObjects",
    "ListObjectsV2",
    "ListObjectVersions",
    "ListMultipartUploads",
    "HeadBucket",
}


def is_object_call(model: OperationModel) -> bool:
    """Whether an S3 operation works on objects: a data event, which event history never shows."""
    shape = model.input_shape
    return model.name in _OBJECT_CALLS or (shape is not None and "Key" in getattr(shape, "required_members", ()))
