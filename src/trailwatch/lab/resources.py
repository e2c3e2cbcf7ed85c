"""The resources of a record, as event history lists them beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: dict[str, dict[str, str]] = {
    "iam": {
        "userName": "AWS::IAM::User",
        "roleName": "AWS::IAM::Role",
        "groupName": "AWS::IAM::Group",
        "policyArn": "AWS::IAM::Policy",
        "accessKeyId": "AWS::IAM::AccessKey",
        "instanceProfileName": "AWS::IAM::InstanceProfile",
        "serialNumber": "AWS::IAM::MFADevice",
    },
    "sts": {
        "roleArn": "AWS::IAM::Role",
        "accessKeyId": "AWS::IAM::AccessKey",
        "assumedRoleId": "AWS::STS::AssumedRole",
        "arn": "AWS::STS::AssumedRole",
    },
    "ec2": {
        "instanceId": "AWS::EC2::Instance",
        "groupId": "AWS::EC2::SecurityGroup",
        "snapshotId": "AWS::EC2::Snapshot",
        "volumeId": "AWS::EC2::Volume",
        "imageId": "AWS::EC2::Ami",
        "vpcId": "AWS::EC2::VPC",
        "subnetId": "AWS::EC2::Subnet",
        "keyName": "AWS::EC2::KeyPair",
    },
    "s3": {"bucketName": "AWS::S3::Bucket"},
    "cloudtrail": {
        "name": "AWS::CloudTrail::Trail",
        "trailName": "AWS::CloudTrail::Trail",
        "trailARN": "AWS::CloudTrail::Trail",
        "s3BucketName": "AWS::S3::Bucket",
    },
    "secretsmanager": {"secretId": "AWS::SecretsManager::Secret", "name": "AWS::SecretsManager::Secret"},
    "lambda": {"functionName": "AWS::Lambda::Function", "functionArn": "AWS::Lambda::Function"},
    "kms": {"keyId": "AWS::KMS::Key"},
    "rds": {
        "dBInstanceIdentifier": "AWS::RDS::DBInstance",
        "dBSnapshotIdentifier": "AWS::RDS::DBSnapshot",
        "dBClusterIdentifier": "AWS::RDS::DBCluster",
    },
    "logs": {"logGroupName": "AWS::Logs::LogGroup"},
    "monitoring": {"alarmName": "AWS::CloudWatch::Alarm"},
    "guardduty": {"detectorId": "AWS::GuardDuty::Detector"},
    "sns": {"topicArn": "AWS::SNS::Topic"},
    "sqs": {"queueUrl": "AWS::SQS::Queue"},
    "dynamodb": {"tableName": "AWS::DynamoDB::Table"},
}
_DEPTH = 6  # resources are named near the top; a record made to be deep costs nothing


def resources_of(record: Mapping[str, Any]) -> list[dict[str, str]]:
    """`Resources` as LookupEvents answers them: ResourceType and ResourceName, without repeats."""
    service = str(record.get("eventSource", "")).partition(".")[0]
    names = _TYPES.get(service)
    if not names:
        return []
    found: dict[tuple[str, str], None] = {}
    for part in ("requestParameters", "responseElements"):
        for key, value in _strings(record.get(part), _DEPTH):
            if key in names and value:
                found[names[key], value] = None
    return [{"ResourceType": kind, "ResourceName": name} for kind, name in found]


def _strings(value: object, depth: int) -> Iterator[tuple[str, str]]:
    if depth == 0:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, str):
                yield key, inner
            else:
                yield from _strings(inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, depth - 1)
