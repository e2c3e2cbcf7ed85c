"""What a policy document lets its holder become."""

from __future__ import annotations

import json

import pytest

from trailwatch.detect.derived import derive
from trailwatch.testing import event


def rights(field: str, **statement: object) -> list[object]:
    document = json.dumps({"Statement": [{"Effect": "Allow", "Resource": "*", **statement}]})
    return derive(f"derived.policy.{field}", event("PutUserPolicy", requestParameters={"policyDocument": document}))


@pytest.mark.parametrize(
    ("statement", "admin"),
    [
        ({"Action": "*"}, True),
        ({"Action": ["s3:*", "iam:*"]}, True),
        ({"Action": "IAM:*"}, True),
        ({"NotAction": "organizations:*"}, True),
        ({"NotAction": ["iam:*", "organizations:*"]}, False),
        ({"NotAction": "iam:PassRole"}, False),
        ({"Action": ["iam:Get*", "iam:List*"]}, False),
        ({"Action": "*", "Resource": "arn:aws:s3:::reports/*"}, False),
        ({"Action": "*", "Effect": "Deny"}, False),
    ],
)
def test_all_rights_are_known_however_they_are_written(statement: dict[str, object], admin: bool) -> None:
    assert rights("admin", **statement) == [admin]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ({"Action": "iam:Attach*Policy"}, ["iam:AttachGroupPolicy", "iam:AttachRolePolicy", "iam:AttachUserPolicy"]),
        ({"Action": "iam:?utUserPolicy"}, ["iam:PutUserPolicy"]),
        ({"Action": "sts:*"}, ["sts:AssumeRole"]),
        ({"Action": "iam:CreateAccessKey", "Resource": "arn:aws:iam::111122223333:user/*"}, ["iam:CreateAccessKey"]),
        ({"Action": "iam:CreateAccessKey", "Resource": "arn:aws:iam::111122223333:user/dora"}, []),
        ({"Action": ["s3:*", "iam:PassRole"]}, []),
        ({"Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}, []),
    ],
)
def test_actions_that_lead_to_more_rights_are_named(statement: dict[str, object], found: list[str]) -> None:
    assert rights("escalation", **statement) == found
