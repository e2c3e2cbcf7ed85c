"""Parameters and answers as CloudTrail writes them: keys begin small, secrets are gone, EC2 lists are items."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, Shape, StructureShape

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"

# Left out of records altogether, wherever they stand; everything that the service's model marks sensitive goes too.
_SECRETS = {
    "AuthorizationData",
    "Ciphertext",
    "CiphertextBlob",
    "KeyMaterial",
    "MasterUserPassword",
    "NewPassword",
    "OldPassword",
    "Password",
    "PasswordData",
    "Plaintext",
    "PrivateKey",
    "SecretAccessKey",
    "SecretBinary",
    "SecretString",
    "ServicePassword",
    "ZipFile",
}
# Kept as keys, with the value hidden: what recorded events show.
_HIDDEN_VALUES = {
    ("ssm", "Value"),
    ("organizations", "Email"),
    ("organizations", "AccountName"),
    ("rds", "MasterUserPassword"),
    ("ses", "Destinations"),
}
_SHOWN_THOUGH_SENSITIVE = {"SessionToken", "UserName", "userName", "AccessKeyId", "Policy", "PolicyDocument"}
_REQUEST_LISTS = {
    "InstanceIds": ("instancesSet", "instanceId"),
    "ImageIds": ("imagesSet", "imageId"),
    "SnapshotIds": ("snapshotSet", "snapshotId"),
    "VolumeIds": ("volumeSet", "volumeId"),
    "GroupIds": ("securityGroupIdSet", "groupId"),
    "GroupNames": ("securityGroupSet", "groupName"),
    "SecurityGroupIds": ("groupSet", "groupId"),
    "VpcIds": ("vpcSet", "vpcId"),
    "SubnetIds": ("subnetSet", "subnetId"),
    "RegionNames": ("regionSet", "regionName"),
    "Owners": ("ownersSet", "owner"),
    "ExecutableUsers": ("executableBySet", "user"),
    "Resources": ("resourcesSet", "resourceId"),
}
_REQUEST_NAMES = {
    "Filters": "filterSet",
    "Tags": "tagSet",
    "TagSpecifications": "tagSpecificationSet",
    "BlockDeviceMappings": "blockDeviceMapping",
    "NetworkInterfaces": "networkInterfaceSet",
    "Attribute": "attributeType",
    "Description": "description",
}
_RENAMED = {
    ("CreateSecurityGroup", "Description"): "groupDescription",
    ("CreateVolume", "AvailabilityZone"): "zone",
}
_LAUNCH = ("ImageId", "MinCount", "MaxCount", "KeyName")


def lower_first(name: str) -> str:
    """`UserName` as `userName` and `ARN` as `arn`; otherwise only the first letter changes, as in CloudTrail."""
    return name.lower() if name.isupper() else name[:1].lower() + name[1:]


def plain(value: Any, shape: Shape | None, service: str) -> Any:
    """A value of any service but EC2, in CloudTrail's spelling."""
    if isinstance(value, Mapping):
        if isinstance(shape, StructureShape):
            return _plain_structure(value, shape, service)
        inner = getattr(shape, "value", None)
        return {str(key): plain(item, inner, service) for key, item in value.items()}
    if isinstance(value, list | tuple):
        member = shape.member if isinstance(shape, ListShape) else None
        return [plain(item, member, service) for item in value]
    return _plain_scalar(value, shape)


def _plain_scalar(value: Any, shape: Shape | None) -> Any:
    if isinstance(value, int | float) and shape is not None and shape.type_name == "timestamp":
        value = datetime.fromtimestamp(value, UTC)
    if isinstance(value, datetime):
        return written_time(value)
    if isinstance(value, bytes | bytearray):
        return f"<{len(value)} bytes>"
    return value


def _plain_structure(value: Mapping[str, Any], shape: StructureShape, service: str) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for name, item in value.items():
        member = shape.members.get(name)
        if item is None:
            continue
        if (service, name) in _HIDDEN_VALUES:
            written[lower_first(name)] = HIDDEN
        elif not _is_secret(name, member) and not hasattr(item, "read"):
            written[lower_first(name)] = plain(item, member, service)
    return written


def _is_secret(name: str, shape: Shape | None) -> bool:
    if name in _SECRETS:
        return True
    sensitive = bool(shape is not None and shape.metadata.get("sensitive"))
    return sensitive and name not in _SHOWN_THOUGH_SENSITIVE


def written_time(moment: datetime) -> str:
    """A time as most services' records show it: `Aug 1, 2024 1:33:28 PM`."""
    utc = moment.astimezone(UTC) if moment.tzinfo else moment
    hour = utc.hour % 12 or 12
    half = "AM" if utc.hour < 12 else "PM"  # noqa: PLR2004 noon
    return f"{utc:%b} {utc.day}, {utc.year} {hour}:{utc:%M:%S} {half}"


def ec2_request(operation: str, parameters: Mapping[str, Any], shape: StructureShape | None) -> dict[str, Any]:
    """An EC2 request in CloudTrail's spelling."""
    written: dict[str, Any] = {}
    rest = dict(parameters)
    if operation == "RunInstances":
        launch = {lower_first(name): rest.pop(name) for name in _LAUNCH if name in rest}
        written["instancesSet"] = {"items": [launch]}
        if "UserData" in rest:
            rest["UserData"] = "<sensitiveDataRemoved>"
    elif operation in {"ModifySnapshotAttribute", "ModifyImageAttribute"}:
        written |= _sharing(operation, rest)
    for name, value in rest.items():
        member = shape.members.get(name) if shape else None
        if name in _REQUEST_LISTS and isinstance(value, list):
            key, inner = _REQUEST_LISTS[name]
            written[key] = {"items": [{inner: item} for item in value]}
        elif (operation, name) in _RENAMED:
            written[_RENAMED[operation, name]] = value
        elif not _is_secret(name, member):
            key = _REQUEST_NAMES.get(name) or _ec2_key(name, member)
            written[key] = _ec2(value, member, request=True)
    return written


def _sharing(operation: str, rest: dict[str, Any]) -> dict[str, Any]:
    snapshot = operation == "ModifySnapshotAttribute"
    member = "CreateVolumePermission" if snapshot else "LaunchPermission"
    attribute = rest.pop("Attribute", "")
    users, groups = rest.pop("UserIds", []), rest.pop("GroupNames" if snapshot else "UserGroups", [])
    direction = rest.pop("OperationType", "add")
    written: dict[str, Any] = {}
    if users or groups:
        items = [{"userId": user} for user in users] + [{"group": group} for group in groups]
        written[lower_first(member)] = {direction: {"items": items}}
    if written or member in rest or attribute:
        written["attributeType"] = "CREATE_VOLUME_PERMISSION" if snapshot else attribute or "launchPermission"
    return written


def ec2_response(
    operation: str, answer: Mapping[str, Any], shape: StructureShape | None, request_id: str
) -> dict[str, Any]:
    """An EC2 answer in CloudTrail's spelling, which follows the XML."""
    written: dict[str, Any] = {"requestId": request_id}
    if not answer or "Return" in answer or operation == "CreateSecurityGroup":
        written["_return"] = True
    for name, value in answer.items():
        member = shape.members.get(name) if shape else None
        if name != "Return" and not _is_secret(name, member):
            written[_ec2_key(name, member)] = _ec2(value, member, request=False)
    return written


def _ec2_key(name: str, member: Shape | None) -> str:
    location = str(member.serialization.get("name", "")) if member is not None else ""
    return location if location[:1].islower() else lower_first(name)


def _ec2(value: Any, shape: Shape | None, *, request: bool) -> Any:
    if isinstance(value, Mapping):
        members = shape.members if isinstance(shape, StructureShape) else {}
        written: dict[str, Any] = {}
        for name, item in value.items():
            if item is None or _is_secret(name, members.get(name)):
                continue
            if name == "Values" and request:
                written["valueSet"] = {"items": [{"value": one} for one in item]}
            elif name == "Tags" and request:
                written["tags"] = [{"key": tag.get("Key", ""), "value": tag.get("Value", "")} for tag in item]
            else:
                written[_ec2_key(name, members.get(name))] = _ec2(item, members.get(name), request=request)
        return written
    if isinstance(value, list | tuple):
        member = shape.member if isinstance(shape, ListShape) else None
        return {"items": [_ec2(item, member, request=request) for item in value]} if value else {}
    if isinstance(value, datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() * 1000)
    return value


def s3_request(
    parameters: Mapping[str, Any], query_string: str, headers: Mapping[str, str], region: str
) -> dict[str, Any]:
    """An S3 request in CloudTrail's spelling: bucket, host, the sub-resource, and the document that was sent."""
    import json

    bucket = parameters.get("Bucket")
    host = "s3.amazonaws.com" if region == "us-east-1" else f"s3.{region}.amazonaws.com"
    written: dict[str, Any] = {"bucketName": bucket, "Host": f"{bucket}.{host}"} if bucket else {"Host": host}
    for part in query_string.split("&"):
        name, _, value = part.partition("=")
        if name and not name.startswith("x-id"):
            written[name] = value
    for name in ("x-amz-acl", "x-amz-grant-read", "x-amz-grant-full-control", "x-amz-grant-write"):
        if name in headers:
            written[name] = headers[name]
    for name, value in parameters.items():
        if name == "Policy" and isinstance(value, str):
            try:
                written["bucketPolicy"] = json.loads(value)
            except ValueError:
                written["bucketPolicy"] = value
        elif isinstance(value, Mapping):
            written[name] = plain(value, None, "s3")
    return written
