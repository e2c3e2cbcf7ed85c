"""Who signs a call: access keys and sessions of the simulated accounts, and how CloudTrail names them.

Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.iam.models import iam_backends

PARTITION = "aws"


@dataclass(frozen=True)
class Caller:
    """The identity behind an access key."""

    account: str
    arn: str
    kind: str
    """`Root`, `IAMUser`, `AssumedRole`, `FederatedUser`, `WebIdentityUser` or `SAMLUser`."""
    identity: Mapping[str, Any]
    """`userIdentity` as CloudTrail writes it."""
    user_name: str = ""
    """The IAM user's name, also behind GetSessionToken."""
    role_arn: str = ""
    active: bool = True
    """False for a key that was made inactive."""
    issued: datetime | None = None
    """When the session began; None for a long-term key."""
    session_policy: str = ""


@dataclass
class Session:
    """A session that STS issued."""

    key_id: str
    account: str
    kind: str
    name: str
    issued: datetime
    expires: datetime
    mfa: bool
    issuer: Mapping[str, str] = field(default_factory=dict)
    """The user or role behind it, as `sessionIssuer` names it."""
    source_identity: str = ""
    policy: str = ""
    federated_provider: str = ""


class Identities:
    """Finds callers by access key: users in moto's IAM, sessions and root keys in tables of the lab."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._root_keys: dict[str, str] = {}

    def add_session(self, session: Session) -> None:
        self._sessions[session.key_id] = session

    def add_root_key(self, key_id: str, account: str) -> None:
        self._root_keys[key_id] = account

    def find(self, key_id: str) -> Caller | None:
        """The caller behind a key; None for a key that no account knows."""
        if key_id in self._root_keys:
            return root_caller(self._root_keys[key_id], key_id)
        if key_id in self._sessions:
            return _session_caller(self._sessions[key_id])
        return _user_caller(key_id)

    def session(self, key_id: str) -> Session | None:
        """The session of a temporary key; None for a long-term one."""
        return self._sessions.get(key_id)


def root_caller(account: str, key_id: str = "") -> Caller:
    """The root user of an account."""
    arn = f"arn:aws:iam::{account}:root"
    identity = {"type": "Root", "principalId": account, "arn": arn, "accountId": account}
    if key_id:
        identity["accessKeyId"] = key_id
    return Caller(account=account, arn=arn, kind="Root", identity=identity)


def anonymous_caller(account: str, operation: str, parameters: Mapping[str, Any]) -> Caller:
    """The caller of AssumeRoleWithSAML or AssumeRoleWithWebIdentity, who signs nothing."""
    if operation == "AssumeRoleWithSAML":
        provider = parameters.get("PrincipalArn", "")
        identity = {"type": "SAMLUser", "principalId": "saml:user", "userName": "user", "identityProvider": provider}
        return Caller(account=account, arn="", kind="SAMLUser", identity=identity)
    provider = parameters.get("ProviderId") or "token.actions.githubusercontent.com"
    identity = {
        "type": "WebIdentityUser",
        "principalId": f"{provider}:sts.amazonaws.com",
        "userName": "sts.amazonaws.com",
        "identityProvider": provider,
    }
    return Caller(account=account, arn="", kind="WebIdentityUser", identity=identity)


def _user_caller(key_id: str) -> Caller | None:
    for account, partitions in list(iam_backends.items()):
        backend = partitions[PARTITION]
        key = backend.access_keys.get(key_id)
        if key is None or not key.user_name:
            continue
        user = backend.users.get(key.user_name)
        if user is None:
            return None
        identity = {
            "type": "IAMUser",
            "principalId": user.id,
            "arn": user.arn,
            "accountId": account,
            "accessKeyId": key_id,
            "userName": user.name,
        }
        return Caller(
            account=account,
            arn=user.arn,
            kind="IAMUser",
            identity=identity,
            user_name=user.name,
            active=key.status == "Active",
        )
    return None


def _session_caller(session: Session) -> Caller:
    attributes = {
        "creationDate": session.issued.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "mfaAuthenticated": "true" if session.mfa else "false",
    }
    context: dict[str, Any] = {"attributes": attributes}
    issuer, account = session.issuer, session.account
    if session.kind == "IAMUser":
        context = {"sessionIssuer": {}, "webIdFederationData": {}, "attributes": attributes}
        identity = {
            "type": "IAMUser",
            "principalId": issuer["principalId"],
            "arn": issuer["arn"],
            "accountId": account,
            "accessKeyId": session.key_id,
            "userName": issuer["userName"],
            "sessionContext": context,
        }
        return Caller(
            account=account,
            arn=issuer["arn"],
            kind="IAMUser",
            identity=identity,
            user_name=issuer["userName"],
            issued=session.issued,
        )
    context["sessionIssuer"] = dict(issuer)
    if session.source_identity:
        context["sourceIdentity"] = session.source_identity
    if session.federated_provider:
        context["webIdFederationData"] = {"federatedProvider": session.federated_provider, "attributes": {}}
    if session.kind == "FederatedUser":
        arn, principal = f"arn:aws:sts::{account}:federated-user/{session.name}", f"{account}:{session.name}"
    else:
        arn = f"arn:aws:sts::{account}:assumed-role/{issuer['userName']}/{session.name}"
        principal = f"{issuer['principalId']}:{session.name}"
    identity = {
        "type": session.kind,
        "principalId": principal,
        "arn": arn,
        "accountId": account,
        "accessKeyId": session.key_id,
        "sessionContext": context,
    }
    return Caller(
        account=account,
        arn=arn,
        kind=session.kind,
        identity=identity,
        user_name=issuer.get("userName", "") if session.kind == "FederatedUser" else "",
        role_arn=issuer.get("arn", "") if session.kind == "AssumedRole" else "",
        issued=session.issued,
        session_policy=session.policy,
    )
