"""A healthy day of a person: sign in, look around, change small things, go home."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from trailwatch.simulate.scribe import BROWSER, CLI, HOME, OFFICE, Person, Record, Scribe, hexadecimal


def workday(scribe: Scribe, person: Person, midnight: datetime) -> None:
    ip = person.home if scribe.rng.random() < 0.5 else OFFICE
    begin = midnight + timedelta(hours=person.first_hour + scribe.rng.uniform(-0.4, 0.6))
    end = midnight + timedelta(hours=person.last_hour)
    _sign_in(scribe, person, begin, ip)
    tasks: list[Callable[[Scribe, Person, datetime, str], None]] = [
        _look_around,
        _look_around,
        _instances,
        _bucket,
        _tags,
        _parameter,
    ]
    if person.role == "PlatformAdmin":
        tasks += [_firewall, _admin_reads]
    at = begin + timedelta(minutes=3)
    while at < end:
        scribe.rng.choice(tasks)(scribe, person, at, ip)
        at += timedelta(minutes=scribe.rng.expovariate(1 / 22))


def _sign_in(scribe: Scribe, person: Person, at: datetime, ip: str) -> None:
    who = scribe.who(person, at)
    if person.kind == "user" and scribe.rng.random() < 0.15:
        failed = {"type": "IAMUser", "accountId": scribe.account, "accessKeyId": "", "userName": person.name}
        _console(scribe, at - timedelta(seconds=40), failed, ip, "Failure", mfa=False)
    _console(scribe, at, who, ip, "Success", mfa=person.kind == "user")


def _console(scribe: Scribe, at: datetime, who: Record, ip: str, outcome: str, *, mfa: bool) -> None:
    extra: Record = {"errorMessage": "Failed authentication"} if outcome == "Failure" else {}
    if who["type"] == "AssumedRole":
        used = {"MobileVersion": "No", "MFAUsed": "No", "LoginTo": f"https://{HOME}.console.aws.amazon.com/"}
    else:
        used = {
            "MobileVersion": "No",
            "MFAUsed": "Yes" if mfa else "No",
            "LoginTo": "https://console.aws.amazon.com/",
        }
    scribe.add(
        at,
        who,
        "signin",
        "ConsoleLogin",
        ip,
        BROWSER,
        response={"ConsoleLogin": outcome},
        additionalEventData=used,
        event_type="AwsConsoleSignIn",
        **extra,
    )


def _look_around(scribe: Scribe, person: Person, at: datetime, ip: str) -> None:
    calls = (
        ("ec2", "DescribeInstances"),
        ("s3", "ListBuckets"),
        ("lambda", "ListFunctions20150331"),
        ("logs", "DescribeLogGroups"),
        ("cloudwatch", "DescribeAlarms"),
        ("ecs", "DescribeServices"),
        ("rds", "DescribeDBInstances"),
        ("sts", "GetCallerIdentity"),
    )
    for service, name in scribe.rng.sample(calls, 3):
        source = "monitoring" if service == "cloudwatch" else service
        scribe.add(at, scribe.who(person, at), source, name, ip, BROWSER, read_only=True)


def _instances(scribe: Scribe, person: Person, at: datetime, ip: str) -> None:
    name = scribe.rng.choice(("StartInstances", "StopInstances", "RebootInstances"))
    items = {"instancesSet": {"items": [{"instanceId": "i-" + hexadecimal(scribe.rng, 17)}]}}
    denied = scribe.rng.random() < 0.04 and person.role == "DataScientist"
    extra: Record = (
        {
            "errorCode": "Client.UnauthorizedOperation",
            "errorMessage": "You are not authorized to perform this operation.",
        }
        if denied
        else {}
    )
    scribe.add(at, scribe.who(person, at), "ec2", name, ip, BROWSER, request=items, **extra)


def _bucket(scribe: Scribe, person: Person, at: datetime, ip: str) -> None:
    bucket = f"acme-{person.name}-{hexadecimal(scribe.rng, 5)}"
    who = scribe.who(person, at)
    scribe.add(at, who, "s3", "CreateBucket", ip, BROWSER, request={"bucketName": bucket, "Host": "s3.amazonaws.com"})
    block = {
        "RestrictPublicBuckets": True,
        "BlockPublicPolicy": True,
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
    }
    scribe.add(
        at + timedelta(seconds=1),
        who,
        "s3",
        "PutBucketPublicAccessBlock",
        ip,
        BROWSER,
        request={"bucketName": bucket, "publicAccessBlock": "", "PublicAccessBlockConfiguration": block},
    )
    if scribe.rng.random() < 0.3:
        scribe.add(
            at + timedelta(seconds=40),
            who,
            "s3",
            "PutBucketPolicy",
            ip,
            BROWSER,
            request={"bucketName": bucket, "policy": "", "bucketPolicy": _tls_only(bucket)},
        )


def _tags(scribe: Scribe, person: Person, at: datetime, ip: str) -> None:
    request = {
        "resourcesSet": {"items": [{"resourceId": "i-" + hexadecimal(scribe.rng, 17)}]},
        "tagSet": {"items": [{"key": "owner", "value": person.name}]},
    }
    scribe.add(at, scribe.who(person, at), "ec2", "CreateTags", ip, BROWSER, request=request)


def _parameter(scribe: Scribe, person: Person, at: datetime, ip: str) -> None:
    request = {
        "name": f"/acme/{person.name}/flag",
        "type": "String",
        "overwrite": True,
        "value": "HIDDEN_DUE_TO_SECURITY_REASONS",
    }
    scribe.add(at, scribe.who(person, at), "ssm", "PutParameter", ip, CLI, request=request)


def _firewall(scribe: Scribe, person: Person, at: datetime, ip: str) -> None:
    item = {
        "ipProtocol": "tcp",
        "fromPort": 443,
        "toPort": 443,
        "groups": {},
        "ipRanges": {"items": [{"cidrIp": "10.20.0.0/16"}]},
        "ipv6Ranges": {},
        "prefixListIds": {},
    }
    request = {"groupId": "sg-" + hexadecimal(scribe.rng, 17), "ipPermissions": {"items": [item]}}
    scribe.add(at, scribe.who(person, at), "ec2", "AuthorizeSecurityGroupIngress", ip, BROWSER, request=request)


def _admin_reads(scribe: Scribe, person: Person, at: datetime, ip: str) -> None:
    for name in ("ListUsers", "ListRoles", "GetAccountSummary"):
        scribe.add(at, scribe.who(person, at), "iam", name, ip, BROWSER, read_only=True)


def _tls_only(bucket: str) -> Record:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    }
