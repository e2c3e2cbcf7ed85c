"""The company whose account the scenarios play in: its people, its pipeline, and what it owns."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass

from trailwatch.simulate.stage import Credentials, Seat, Stage

OFFICE = "198.51.100."
CLI = "aws-cli/2.27.50 md/awscrt#0.26.1 ua/2.1 os/linux md/arch#x86_64 lang/python#3.13.4"
SDK = "aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.24.2 md/GOOS#linux md/GOARCH#amd64"


@dataclass(frozen=True)
class Company:
    """What stands when the story begins."""

    account: str
    developer: Seat
    operator: Seat
    pipeline: Seat
    deploy_role: str
    admin_role: str
    trail: str
    log_bucket: str
    data_bucket: str
    function: str
    security_group: str
    instance: str
    volume: str
    secrets: tuple[str, ...]


def found(stage: Stage, administrator: Seat) -> Company:
    """Builds the company in an empty account, as its administrator would."""
    account = stage.do(administrator, "sts", "get_caller_identity")["Account"]
    suffix = f"{stage.chance.randrange(16**6):06x}"
    admin_role = _role(stage, administrator, "org-admin", {"AWS": f"arn:aws:iam::{account}:root"})
    deploy_role = _role(stage, administrator, "deploy", {"AWS": f"arn:aws:iam::{account}:root"})
    _role(stage, administrator, "shop-function", {"Service": "lambda.amazonaws.com"})
    stage.do(
        administrator,
        "iam",
        "attach_role_policy",
        RoleName="org-admin",
        PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess",
    )
    stage.do(
        administrator,
        "iam",
        "attach_role_policy",
        RoleName="deploy",
        PolicyArn="arn:aws:iam::aws:policy/PowerUserAccess",
    )
    developer = _person(stage, administrator, "dana", OFFICE + "23", CLI, ("PowerUserAccess", "IAMFullAccess"))
    operator = _person(stage, administrator, "omar", OFFICE + "41", CLI, ("PowerUserAccess", "IAMReadOnlyAccess"))
    pipeline = _person(stage, administrator, "ci-pipeline", OFFICE + "200", SDK, ("PowerUserAccess",))
    log_bucket, data_bucket = f"harbour-trail-{suffix}", f"harbour-customers-{suffix}"
    for bucket in (log_bucket, data_bucket):
        stage.do(administrator, "s3", "create_bucket", Bucket=bucket)
    stage.do(
        administrator, "cloudtrail", "create_trail", Name="main", S3BucketName=log_bucket, IsMultiRegionTrail=True
    )
    stage.do(administrator, "cloudtrail", "start_logging", Name="main")
    secrets = tuple(f"prod/{name}" for name in ("database", "payment-api", "mail-relay"))
    for name in secrets:
        stage.do(administrator, "secretsmanager", "create_secret", Name=name, SecretString="invented")
    group, instance, volume = _servers(stage, administrator)
    stage.do(
        administrator,
        "lambda",
        "create_function",
        FunctionName="shop-orders",
        Runtime="python3.13",
        Role=f"arn:aws:iam::{account}:role/shop-function",
        Handler="orders.handler",
        Code={"ZipFile": code("return 'ordered'")},
    )
    return Company(
        account=account,
        developer=developer,
        operator=operator,
        pipeline=pipeline,
        deploy_role=deploy_role,
        admin_role=admin_role,
        trail="main",
        log_bucket=log_bucket,
        data_bucket=data_bucket,
        function="shop-orders",
        security_group=group,
        instance=instance,
        volume=volume,
        secrets=secrets,
    )


def code(body: str) -> bytes:
    """A function's code as Lambda takes it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("orders.py", f"def handler(event, context):\n    {body}\n")
    return packed.getvalue()


def _role(stage: Stage, administrator: Seat, name: str, principal: dict[str, str]) -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
    }
    answer = stage.do(administrator, "iam", "create_role", RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    return str(answer["Role"]["Arn"])


def _person(
    stage: Stage, administrator: Seat, name: str, address: str, agent: str, policies: tuple[str, ...]
) -> Seat:
    stage.do(administrator, "iam", "create_user", UserName=name)
    for policy in policies:
        arn = f"arn:aws:iam::aws:policy/{policy}"
        stage.do(administrator, "iam", "attach_user_policy", UserName=name, PolicyArn=arn)
    key = stage.do(administrator, "iam", "create_access_key", UserName=name)["AccessKey"]
    return Seat(name, Credentials.of(key), address, agent)


def _servers(stage: Stage, administrator: Seat) -> tuple[str, str, str]:
    group = stage.do(
        administrator, "ec2", "create_security_group", GroupName="shop-web", Description="The shop's front end"
    )["GroupId"]
    image = stage.do(administrator, "ec2", "describe_images", Owners=["amazon"])["Images"][0]["ImageId"]
    launched = stage.do(
        administrator,
        "ec2",
        "run_instances",
        ImageId=image,
        MinCount=1,
        MaxCount=1,
        InstanceType="t3.micro",
        SecurityGroupIds=[group],
    )["Instances"][0]["InstanceId"]
    volume = stage.do(
        administrator, "ec2", "create_volume", AvailabilityZone=f"{stage.region}a", Size=8, VolumeType="gp3"
    )["VolumeId"]
    return group, launched, volume
