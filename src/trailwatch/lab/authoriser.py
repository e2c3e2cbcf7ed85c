"""Decides in front of moto whether a call may pass: keys, sessions, identity policies and trust policies.

moto itself ignores conditions, lets inactive keys pass, checks no trust policy and answers denials in the wrong form.
Policies of resources (buckets, keys, functions) grant nothing here; what they deny is moto's business.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from moto.iam.models import iam_backends

from trailwatch.lab.answers import Refusal
from trailwatch.lab.call import Call
from trailwatch.lab.denials import access_denied
from trailwatch.lab.identities import PARTITION, Caller, Session
from trailwatch.lab.policy import Context, Verdict, Wish, conditions_hold, judge, matches, statements
from trailwatch.lab.sts import ISSUING, find_role
from trailwatch.lab.wishes import wish_of

# How services spell "this key is unknown", which they all do differently.
_UNKNOWN_KEY = {
    "ec2": ("AuthFailure", "AWS was not able to validate the provided access credentials", 401),
    "query": ("InvalidClientTokenId", "The security token included in the request is invalid.", 403),
    "rest-xml": ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403),
    "json": ("UnrecognizedClientException", "The security token included in the request is invalid.", 400),
    "rest-json": ("UnrecognizedClientException", "The security token included in the request is invalid.", 403),
}
_EXPIRED = {
    "ec2": ("RequestExpired", "Request has expired.", 400),
    "query": ("ExpiredToken", "The security token included in the request is expired", 403),
    "rest-xml": ("ExpiredToken", "The provided token has expired.", 400),
    "json": ("ExpiredTokenException", "The security token included in the request is expired", 400),
    "rest-json": ("ExpiredTokenException", "The security token included in the request is expired", 403),
}
# Every identity may call these, whatever its policies say.
_FREE = {"sts:GetCallerIdentity", "sts:GetSessionToken", "sts:GetAccessKeyInfo"}
_NO_POLICY = " because no identity-based policy allows the {} action"
_DENIED = " with an explicit deny in an identity-based policy"


class Authoriser:
    """Answers like AWS for whoever has no right to a call."""

    def authenticate(self, call: Call, caller: Caller | None, session: Session | None, now: datetime) -> Caller:
        """The caller of a call with a good key.

        Raises:
            Refusal: the key is unknown, inactive or expired; spelled as the call's protocol spells it.
        """
        if caller is None or not caller.active:
            raise Refusal(*_UNKNOWN_KEY[call.protocol])
        if session is not None and session.expires <= now:
            raise Refusal(*_EXPIRED[call.protocol])
        return caller

    def authorise(self, call: Call, caller: Caller, session: Session | None, now: datetime) -> None:
        """Lets the call pass.

        Raises:
            Refusal: policies do not allow it, or deny it.
        """
        wish = wish_of(call, caller, session, now)
        if call.signing_name == "sts" and call.operation in ISSUING:
            self._authorise_role(call, caller, wish)
            return
        if caller.kind == "Root" or wish.action in _FREE:
            return
        verdict = _identity_verdict(caller, wish)
        if verdict is not Verdict.ALLOW:
            reason = _DENIED if verdict is Verdict.DENY else _NO_POLICY.format(wish.action)
            raise access_denied(call, caller.arn, wish.resource, reason)

    def _authorise_role(self, call: Call, caller: Caller, wish: Wish) -> None:
        role = find_role(call)
        own = Verdict.ALLOW if caller.kind == "Root" else _identity_verdict(caller, wish)
        trust = _trust(role, call, caller, wish.context) if role is not None else None
        anonymous = not call.key_id
        same_account = role is not None and role.arn.split(":")[4] == caller.account
        if trust == "named" and (anonymous or (same_account and own is not Verdict.DENY)):
            return
        if trust and own is Verdict.ALLOW and not anonymous:
            return
        raise access_denied(call, caller.arn, str(call.parameters.get("RoleArn", "*")))


def _identity_verdict(caller: Caller, wish: Wish) -> Verdict:
    verdict = judge(policies_of(caller), wish)
    limits = [_boundary(caller), caller.session_policy]
    for limit in limits:
        if limit and verdict is Verdict.ALLOW:
            verdict = judge([limit], wish)
    return verdict


def policies_of(caller: Caller) -> Iterator[str]:
    """The documents of every identity policy that counts for a caller."""
    backend = iam_backends[caller.account][PARTITION]
    owner = backend.users.get(caller.user_name) if caller.user_name else _role(backend, caller.role_arn)
    if owner is None:
        return
    yield from _documents(owner)
    if caller.user_name:
        for group in backend.groups.values():
            if owner in group.users:
                yield from _documents(group)


def _documents(owner: Any) -> Iterator[str]:
    yield from (_text(policy) for policy in owner.policies.values())
    for policy in owner.managed_policies.values():
        current = next((one for one in policy.versions if one.version_id == policy.default_version_id), None)
        if current is not None:
            yield _text(current.document)


def _boundary(caller: Caller) -> str:
    backend = iam_backends[caller.account][PARTITION]
    role = _role(backend, caller.role_arn)
    arn = role.permissions_boundary_arn if role is not None else None
    policy = backend.managed_policies.get(arn) if arn else None
    if policy is None:
        return ""
    return next((_text(one.document) for one in policy.versions if one.version_id == policy.default_version_id), "")


def _role(backend: Any, arn: str) -> Any:
    return next((role for role in backend.roles.values() if role.arn == arn), None) if arn else None


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)


def _trust(role: Any, call: Call, caller: Caller, context: Context) -> str:
    """`named` where the trust policy names this very caller, `account` where it names the account, or empty."""
    trust = ""
    for statement in statements(_text(role.assume_role_policy_document)):
        actions = statement.get("Action", ())
        patterns = [actions] if isinstance(actions, str) else actions
        if not any(matches(str(one), f"sts:{call.operation}", ignore_case=True) for one in patterns):
            continue
        how = _principal(statement.get("Principal", {}), caller)
        if not how or not conditions_hold(statement, context):
            continue
        if statement.get("Effect") == "Deny":
            return ""
        trust = how if trust != "named" else trust
    return trust


def _principal(principal: Any, caller: Caller) -> str:
    if principal == "*":
        principal = {"AWS": "*"}
    if caller.kind in {"WebIdentityUser", "SAMLUser"}:
        return "named" if principal.get("Federated") else ""
    named = principal.get("AWS", ())
    ids = [named] if isinstance(named, str) else named
    if {caller.arn, caller.role_arn} & set(ids) or ("*" in ids):
        return "named"
    return "account" if {caller.account, f"arn:aws:iam::{caller.account}:root"} & set(ids) else ""
