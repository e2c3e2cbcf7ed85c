"""Who a record says made the call. The actor behind it is found later, over links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Principal(msgspec.Struct, frozen=True):
    """The caller as the record itself states it, without any conclusion.

    Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
    """

    key: str
    """Stable text to group by: the user's, role's or service's ARN (the issuer for role sessions)."""
    kind: str
    """`userIdentity.type` as recorded, or `Unknown`."""
    account: str
    name: str
    """Short name for people: user name, role name, service host name, `root`."""
    session_name: str = ""
    """Role session name; chosen by the caller, so it proves nothing."""
    arn: str = ""
    issuer_arn: str = ""
    access_key: str = ""
    source_identity: str = ""
    invoked_by: str = ""
    mfa: bool | None = None
    """Whether the session was made with MFA, where the record says so."""

    def __str__(self) -> str:
        who = "root" if self.kind == "Root" else self.name or self.key
        if self.kind == "AssumedRole":
            who = f"role {who}" + (f" as {self.session_name}" if self.session_name else "")
        elif self.kind == "IAMUser":
            who = f"user {who}"
        return f"{who} in {self.account}" if self.account else who


def principal_of(record: Mapping[str, Any]) -> Principal:
    """The record's principal; every missing part is an empty string, nothing raises."""
    identity = _mapping(record.get("userIdentity"))
    session = _mapping(identity.get("sessionContext"))
    issuer = _mapping(session.get("sessionIssuer"))
    attributes = _mapping(session.get("attributes"))
    arn, kind = _text(identity, "arn"), _text(identity, "type") or "Unknown"
    invoked_by = _text(identity, "invokedBy")
    issuer_arn = _text(issuer, "arn")
    principal_id = _text(identity, "principalId")
    session_name = arn.rsplit("/", 1)[-1] if ":assumed-role/" in arn else principal_id.partition(":")[2]
    name = _text(issuer, "userName") or _text(identity, "userName") or _name_of(arn) or invoked_by
    account = _text(identity, "accountId") or _text(record, "recipientAccountId")
    mfa = _text(attributes, "mfaAuthenticated").lower()
    on_behalf = _text(_mapping(identity.get("onBehalfOf")), "userId")
    key = issuer_arn or arn or on_behalf or invoked_by or principal_id or name
    if not key:
        key = f"{kind}@{account or 'unknown'}"
    return Principal(
        key=key,
        kind=kind,
        account=account,
        name=name or on_behalf or principal_id,
        session_name=session_name,
        arn=arn,
        issuer_arn=issuer_arn,
        access_key=_text(identity, "accessKeyId"),
        source_identity=_text(session, "sourceIdentity"),
        invoked_by=invoked_by,
        mfa={"true": True, "false": False}.get(mfa),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    # a dict is asked first: asking an abstract class takes ten times as long, and this runs for every match
    return value if isinstance(value, dict) or isinstance(value, Mapping) else {}  # noqa: SIM101 the order matters


def _text(mapping: Mapping[str, Any], key: str) -> str:
    value = mapping.get(key)
    return value if isinstance(value, str) else ""


def _name_of(arn: str) -> str:
    resource = arn.split(":", 5)[-1] if arn.count(":") >= 5 else ""  # noqa: PLR2004 arn:aws:iam::account:resource
    if resource.startswith("assumed-role/"):
        return resource.split("/")[1]
    return resource.rsplit("/", 1)[-1]
