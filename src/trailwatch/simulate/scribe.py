"""Writes records as CloudTrail would have, for people, roles and services of an invented company."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

Record = dict[str, Any]
HOME = "eu-west-1"
REGIONS = (HOME, HOME, HOME, "us-east-1", "eu-central-1")
GLOBAL_SERVICES = frozenset({"iam", "sts", "organizations", "route53", "cloudfront"})
OFFICE = "198.51.100.10"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.9.5 aws-sdk-go-v2/1.30.3 os/linux lang/go/1.22"
CLI = "aws-cli/2.17.20 md/awscrt#1.0 ua/2.0 os/linux md/arch#x86_64 lang/python#3.11.9"


class Person(NamedTuple):
    """Somebody who works here: how they come in, from where and when."""

    name: str
    kind: str
    """`sso` for an Identity Center session, `user` for an IAM user with MFA."""
    role: str
    home: str
    first_hour: int
    last_hour: int


PEOPLE = (
    Person("ana", "sso", "PlatformAdmin", "203.0.113.21", 8, 17),
    Person("bruno", "sso", "PlatformAdmin", "203.0.113.44", 10, 19),
    Person("carla", "sso", "Developer", "203.0.113.58", 9, 18),
    Person("deniz", "sso", "Developer", "203.0.113.77", 7, 15),
    Person("eva", "user", "", "203.0.113.90", 9, 17),
    Person("farid", "sso", "DataScientist", "203.0.113.101", 11, 20),
)


class Scribe:
    """Takes calls one by one and keeps their records in `out`; every draw comes from `rng`."""

    def __init__(self, rng: random.Random, account: str) -> None:
        self.rng = rng
        self.account = account
        self.out: list[Record] = []
        self._sessions: dict[str, str] = {}

    def sso(self, person: Person, at: datetime) -> Record:
        role = f"AWSReservedSSO_{person.role}_0a1b2c3d4e5f6071"
        arn = f"arn:aws:sts::{self.account}:assumed-role/{role}/{person.name}@example.com"
        issuer = f"arn:aws:iam::{self.account}:role/aws-reserved/sso.amazonaws.com/{HOME}/{role}"
        return self._assumed(arn, issuer, role, f"AROASSO{person.role.upper()[:10]}:{person.name}@example.com", at)

    def _assumed(self, arn: str, issuer: str, name: str, principal_id: str, at: datetime) -> Record:
        attributes = {"creationDate": stamp(at - timedelta(minutes=at.minute)), "mfaAuthenticated": "false"}
        key = self._sessions.setdefault(f"{arn}{at:%Y%m%d}", "ASIA" + letters(self.rng, 16))
        return {
            "type": "AssumedRole",
            "principalId": principal_id,
            "arn": arn,
            "accountId": self.account,
            "accessKeyId": key,
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": principal_id.split(":", maxsplit=1)[0],
                    "arn": issuer,
                    "accountId": self.account,
                    "userName": name,
                },
                "attributes": attributes,
            },
        }

    def user(self, name: str, at: datetime, *, mfa: bool = True) -> Record:
        return {
            "type": "IAMUser",
            "principalId": f"AIDAUSER{name.upper():A<12}",
            "arn": f"arn:aws:iam::{self.account}:user/{name}",
            "accountId": self.account,
            "accessKeyId": f"ASIAUSER{name.upper():B<12}",
            "userName": name,
            "sessionContext": {
                "attributes": {"creationDate": stamp(at), "mfaAuthenticated": "true" if mfa else "false"},
            },
        }

    def role(self, name: str, session: str, at: datetime) -> Record:
        arn = f"arn:aws:sts::{self.account}:assumed-role/{name}/{session}"
        issuer = f"arn:aws:iam::{self.account}:role/{name}"
        return self._assumed(arn, issuer, name, f"AROA{name.upper().replace('-', '')[:16]}:{session}", at)

    def who(self, person: Person, at: datetime) -> Record:
        return self.sso(person, at) if person.kind == "sso" else self.user(person.name, at)

    def add(self, at: datetime, who: Record, service: str, name: str, ip: str, agent: str, **more: Any) -> Record:
        region = "us-east-1" if service in GLOBAL_SERVICES else more.pop("region", HOME)
        record: Record = {
            "eventVersion": "1.11",
            "userIdentity": who,
            "eventTime": stamp(at),
            "eventSource": f"{service}.amazonaws.com",
            "eventName": name,
            "awsRegion": region,
            "sourceIPAddress": ip,
            "userAgent": agent,
            "requestParameters": more.pop("request", None),
            "responseElements": more.pop("response", None),
            "requestID": self._uuid(),
            "eventID": self._uuid(),
            "readOnly": more.pop("read_only", False),
            "eventType": more.pop("event_type", "AwsApiCall"),
            "managementEvent": True,
            "recipientAccountId": self.account,
            "eventCategory": "Management",
            **more,
        }
        self.out.append(record)
        return record

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def hexadecimal(rng: random.Random, length: int) -> str:
    return "".join(rng.choices("0123456789abcdef", k=length))


def letters(rng: random.Random, length: int) -> str:
    return "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=length))
