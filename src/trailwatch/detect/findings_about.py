"""Who and what a GuardDuty finding is about: a caller by its key, a machine, a function, or some other resource.

The identities are those that lineage knows from CloudTrail's records, so a finding joins the incident of the same
key, session, machine or function.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from trailwatch.model.actor import node_text

_MACHINE = re.compile(r"i-[0-9a-f]{8,17}")
_KEY = re.compile(r"[A-Za-z0-9]{16,128}")
_ARNS = {
    "eksClusterDetails": "arn",
    "ecsClusterDetails": "arn",
    "lambdaDetails": "functionArn",
    "rdsDbInstanceDetails": "dbInstanceArn",
    "ebsSnapshotDetails": "snapshotArn",
    "ec2ImageDetails": "imageArn",
    "recoveryPointDetails": "recoveryPointArn",
    "bedrockGuardrailDetails": "guardrailArn",
}
"""Where each kind of resource has its ARN."""
_NAMES = {
    ("lambdaDetails", "functionName"): "functionName",
    ("instanceDetails", "instanceId"): "instanceId",
    ("instanceDetails", "imageId"): "imageId",
    ("eksClusterDetails", "name"): "clusterName",
    ("ecsClusterDetails", "name"): "clusterName",
    ("rdsDbInstanceDetails", "dbInstanceIdentifier"): "dBInstanceIdentifier",
}
"""Names of resources, and what CloudTrail calls them in a request."""


class Subject(msgspec.Struct, frozen=True):
    """What a finding says of who acted and on what."""

    key: str
    """Stable text for the thing that the finding is about; empty where it names none."""
    identity: str
    """From where lineage goes back; empty for the caller."""
    principal: str
    """Where no caller is known, what stands in its place; else empty."""
    text: str
    """For people."""
    caller: Mapping[str, Any]
    """As a record's `userIdentity`; empty where no caller is known."""
    parameters: Mapping[str, str]
    """Names of resources as a request has them."""
    arns: tuple[str, ...]
    source_ip: str
    user_agent: str
    error_code: str
    action: str
    """What was done, such as `s3.amazonaws.com ListBuckets`."""


def subject_of(finding: Mapping[str, Any]) -> Subject:
    """Who and what the finding is about; nothing raises, whatever it holds."""
    account, partition = text_of(finding, "accountId"), text_of(finding, "partition") or "aws"
    resource = part(finding, "resource")
    caller = _caller(finding, resource, account, partition)
    machine = _machine(resource)
    arns = tuple(_arns(resource))
    function = text_of(part(resource, "lambdaDetails"), "functionArn")
    key = text_of(caller, "accessKeyId")
    known = bool(key or text_of(caller, "arn") or caller.get("type") == "Root")
    if known:
        identity = principal = ""
    elif machine:
        identity = principal = f"machine:{machine}@{account}"
    else:
        identity = principal = function or (arns[0] if arns else f"guardduty@{account}")
    action = part(finding, "service", "action")
    call = part(action, "awsApiCallAction")
    return Subject(
        key=key or machine or (arns[0] if arns else text_of(caller, "principalId")),
        identity=identity,
        principal=principal,
        text=node_text(text_of(caller, "arn") or identity) or identity,
        caller=caller if known else {},
        parameters=dict(_parameters(resource)),
        arns=arns,
        source_ip=_address(finding, action),
        user_agent=text_of(call, "userAgent"),
        error_code=text_of(call, "errorCode"),
        action=_action(action),
    )


def _caller(finding: Mapping[str, Any], resource: Mapping[str, Any], account: str, partition: str) -> dict[str, Any]:
    details = part(resource, "accessKeyDetails")
    kind, name, number = text_of(details, "userType"), text_of(details, "userName"), text_of(details, "principalId")
    key = text_of(details, "accessKeyId")
    if not details:
        kind, name, number, key = _first_actor(finding)
    if kind in {"", "AWSService"} and not key:
        return {}
    caller: dict[str, Any] = {"type": kind, "principalId": number, "accountId": account, "userName": name}
    if _KEY.fullmatch(key):
        caller["accessKeyId"] = key
    if kind in {"AssumedRole", "Role"}:
        caller |= _session(name, number.partition(":")[2], _machine(resource), account, partition)
    elif form := _FORMS.get(kind if name or kind == "Root" else ""):
        caller["arn"] = form.format(partition=partition, account=account, name=name)
    return {name: value for name, value in caller.items() if value}


_FORMS = {
    "Root": "arn:{partition}:iam::{account}:root",
    "FederatedUser": "arn:{partition}:sts::{account}:federated-user/{name}",
    "IAMUser": "arn:{partition}:iam::{account}:user/{name}",
}


def _session(role: str, name: str, machine: str, account: str, partition: str) -> dict[str, Any]:
    """What is different about the caller where it is a role session."""
    context: dict[str, Any] = {"sessionIssuer": {"type": "Role", "userName": role, "accountId": account}}
    found: dict[str, Any] = {"type": "AssumedRole", "userName": "", "sessionContext": context}
    if role:
        context["sessionIssuer"]["arn"] = f"arn:{partition}:iam::{account}:role/{role}"
    if role and name:
        found["arn"] = f"arn:{partition}:sts::{account}:assumed-role/{role}/{name}"
    if name and name == machine:
        context["ec2RoleDelivery"] = "2.0"  # GuardDuty says that this machine's credentials were used
    return found


def _first_actor(finding: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Of an attack sequence, the first actor: type, name, principal id and access key."""
    actors = part(finding, "service", "detection", "sequence").get("actors")
    for actor in actors if isinstance(actors, list) else ():
        user = part(actor, "user") if isinstance(actor, Mapping) else {}
        key, number = text_of(user, "credentialUid"), text_of(user, "uid")
        if key or number:
            return text_of(user, "type"), text_of(user, "name"), number, key
    return "", "", "", ""


def _machine(resource: Mapping[str, Any]) -> str:
    number = text_of(part(resource, "instanceDetails"), "instanceId")
    return number if _MACHINE.fullmatch(number) else ""


def _arns(resource: Mapping[str, Any]) -> Iterator[str]:
    for where, name in _ARNS.items():
        if arn := text_of(part(resource, where), name):
            yield arn
    buckets = resource.get("s3BucketDetails")
    for bucket in buckets if isinstance(buckets, list) else ():
        if isinstance(bucket, Mapping) and (arn := text_of(bucket, "arn")):
            yield arn


def _parameters(resource: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for (where, name), written in _NAMES.items():
        if value := text_of(part(resource, where), name):
            yield written, value
    user = text_of(part(resource, "kubernetesDetails", "kubernetesUserDetails"), "username")
    if user:
        yield "kubernetesUser", user
    if user := text_of(part(resource, "rdsDbUserDetails"), "user"):
        yield "dbUser", user


def _address(finding: Mapping[str, Any], action: Mapping[str, Any]) -> str:
    for value in action.values():
        details = part(value, "remoteIpDetails") if isinstance(value, Mapping) else {}
        if address := text_of(details, "ipAddressV4") or text_of(details, "ipAddressV6"):
            return address
    probes = part(action, "portProbeAction").get("portProbeDetails")
    ends = part(finding, "service", "detection", "sequence").get("endpoints")
    for one in probes if isinstance(probes, list) else ():
        if isinstance(one, Mapping) and (address := text_of(part(one, "remoteIpDetails"), "ipAddressV4")):
            return address
    for one in ends if isinstance(ends, list) else ():
        if isinstance(one, Mapping) and (address := text_of(one, "ip")):
            return address
    return ""


def _action(action: Mapping[str, Any]) -> str:
    call = part(action, "awsApiCallAction")
    if call:
        return f"{text_of(call, 'serviceName')} {text_of(call, 'api')}".strip()
    if domain := text_of(part(action, "dnsRequestAction"), "domain"):
        return f"DNS request for {domain}"
    return text_of(action, "actionType")


def part(mapping: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """The object at these names, or an empty one."""
    value: Any = mapping
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def text_of(mapping: Mapping[str, Any], key: str) -> str:
    """The text of a key, or an empty one."""
    value = mapping.get(key)
    return value if isinstance(value, str) else ""
