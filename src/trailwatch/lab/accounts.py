"""Opening a simulated account: its administrator, and the policies that AWS manages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, iam_backends
from moto.iam.utils import generate_access_key_id_from_account_id, random_alphanumeric

from trailwatch.lab.identities import PARTITION, Identities

ADMINISTRATOR = "lab-admin"
ADMINISTRATOR_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"
_REGION = "us-east-1"
# moto has all 1,500, each of which every listing would have to carry.
_POLICIES = """AdministratorAccess PowerUserAccess ReadOnlyAccess ViewOnlyAccess SecurityAudit IAMFullAccess
    IAMReadOnlyAccess IAMUserChangePassword AmazonS3FullAccess AmazonS3ReadOnlyAccess AmazonEC2FullAccess
    AmazonEC2ReadOnlyAccess AWSDenyAll AWSCompromisedKeyQuarantineV2 AWSCompromisedKeyQuarantineV3
    AWSLambdaBasicExecutionRole AWSLambda_FullAccess AWSCloudTrail_FullAccess AWSCloudTrail_ReadOnlyAccess
    SecretsManagerReadWrite AmazonSSMManagedInstanceCore AmazonRDSFullAccess CloudWatchLogsFullAccess"""


@dataclass(frozen=True)
class Key:
    """Credentials of the lab; they are worth nothing anywhere else."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""


def open_account(account: str) -> Key:
    """The key of the account's administrator; the account is made when it is new."""
    backend = iam_backends[account][PARTITION]
    backend.managed_policies |= {
        policy.arn: policy
        for name, data in _managed_policies().items()
        if (policy := AWSManagedPolicy.from_data(name, account, PARTITION, data)).arn not in backend.managed_policies
    }
    if ADMINISTRATOR not in backend.users:
        user = backend.create_user(_REGION, ADMINISTRATOR)
        user.id = generate_access_key_id_from_account_id(account, prefix="AIDA", total_length=21)
        backend.attach_user_policy(ADMINISTRATOR_POLICY, ADMINISTRATOR)
        backend.create_access_key(ADMINISTRATOR)
    key = backend.users[ADMINISTRATOR].access_keys[0]
    return Key(key.access_key_id, key.secret_access_key)


def open_root_key(account: str, identities: Identities) -> Key:
    """A new access key of the account's root user."""
    key = Key(generate_access_key_id_from_account_id(account, prefix="AKIA"), random_alphanumeric(40))
    identities.add_root_key(key.access_key_id, account)
    return key


@cache
def _managed_policies() -> dict[str, Any]:
    wanted = set(_POLICIES.split())
    return {name: data for name, data in json.loads(aws_managed_policies_data).items() if name in wanted}
