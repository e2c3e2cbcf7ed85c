"""IAM policy documents as they stand in records: identity, resource and trust policies.

The same document comes as an object, as JSON text, or as URL-encoded JSON text, under a name that each service
chose for itself. What cannot be read as a policy is no policy: nothing here raises.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html and, for what counts as
public, https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec

DOCUMENT_NAMES = frozenset(
    {
        "policydocument",
        "inlinepolicy",
        "assumerolepolicydocument",
        "bucketpolicy",
        "policy",
        "policytext",
        "policyinjson",
        "attributevalue",
        "resourcepolicy",
        "accesspolicies",
        "accesspolicy",
        "repositorypolicytext",
        "registrypolicytext",
        "vaultpolicy",
        "filesystempolicy",
        "secretpolicy",
        "keypolicy",
        "domainpolicy",
        "content",
    }
)
"""Lower-cased names of request parameters that hold a policy document."""

_DEPTH = 4
_STARS = 4
_LONGEST = 262_144
_ACCOUNT = re.compile(r"(?:arn:[a-z-]+:(?:iam|sts)::)?([0-9]{12})(?::.*)?")
_NARROWING_KEYS = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:principalservicename",
        "aws:sourceaccount",
        "aws:sourceowner",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "aws:vpcsourceip",
        "kms:calleraccount",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
    }
)
_ORGANIZATION_KEYS = frozenset({"aws:principalorgid", "aws:principalorgpaths"})
_NARROWING_OPERATORS = frozenset(
    {"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "ipaddress"}
)
_EVERYWHERE = frozenset({"*", "0.0.0.0/0", "::/0"})
_ADMIN_BY = ("iam:attachrolepolicy", "iam:createpolicyversion", "iam:createuser", "iam:passrole", "iam:putuserpolicy")
"""Whoever may do all of this to everything can give themselves every right."""
ESCALATING = (
    "iam:AddUserToGroup",
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:CreatePolicyVersion",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteUserPermissionsBoundary",
    "iam:PutGroupPolicy",
    "iam:PutRolePolicy",
    "iam:PutUserPolicy",
    "iam:SetDefaultPolicyVersion",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateLoginProfile",
    "sts:AssumeRole",
)
"""Each of them on everything lets its holder get more rights than were given; `iam:PassRole` needs a service too."""
_EVERY_ONE = re.compile(r"\*|arn:[a-z*-]+:(?:iam|sts)::[0-9*]*:(?:\*|(?:user|role|group|policy)/?\*)")


class Statement(msgspec.Struct, frozen=True):
    """One statement of a policy document, every member a tuple of texts."""

    allows: bool
    principals: tuple[str, ...]
    """AWS principals: `*`, account ids and ARNs; services and federations are left out."""
    has_principal: bool
    all_but: bool
    """The principals are those that are left out (`NotPrincipal`)."""
    actions: tuple[str, ...]
    all_actions_but: tuple[str, ...]
    """Those that `NotAction` leaves out; empty where there is none."""
    resources: tuple[str, ...]
    narrowed: bool
    """A condition limits who may use it."""
    organizations: tuple[str, ...] = ()
    """Ids of the organisations to whose members a condition limits it."""

    @property
    def public(self) -> bool:
        """Whether it lets everybody in."""
        return self.allows and not self.narrowed and (self.all_but or "*" in self.principals)

    @property
    def admin(self) -> bool:
        """Whether it allows every action on every resource, or enough of IAM to get there, to whom it is attached."""
        return self._for_its_holder and "*" in self.resources and all(map(self._grants, _ADMIN_BY))

    @property
    def escalating(self) -> list[str]:
        """The actions of `ESCALATING` that it allows on everything, to whom it is attached."""
        if not self._for_its_holder or not any(_EVERY_ONE.fullmatch(resource) for resource in self.resources):
            return []
        return [action for action in ESCALATING if self._grants(action.lower())]

    @property
    def _for_its_holder(self) -> bool:
        return self.allows and not self.has_principal

    def _grants(self, action: str) -> bool:
        """Whether it names an action, given in lower case."""
        if self.all_actions_but:
            return not _names_any(self.all_actions_but, action)
        return _names_any(self.actions, action)

    def only(self, actions: Collection[str]) -> bool:
        """Whether it names no actions but these, which are in lower case."""
        return not self.all_actions_but and all(action.lower() in actions for action in self.actions)

    def outsiders(self, own_organizations: Collection[str]) -> Iterator[str]:
        """The 12-digit accounts it allows, and the organisations; none where only own organisations get in.

        Args:
            own_organizations: ids of one's own; where they are not known, organisations say nothing.
        """
        if not own_organizations or not self.organizations:
            yield from self.accounts()
        elif self.allows:
            foreign = [one for one in self.organizations if one not in own_organizations]
            yield from foreign
            if foreign:
                yield from self.accounts()

    def accounts(self) -> Iterator[str]:
        """The 12-digit accounts among the principals it allows."""
        if self.allows and not self.all_but:
            for principal in self.principals:
                found = _ACCOUNT.fullmatch(principal)
                if found:
                    yield found.group(1)


def _names_any(patterns: Sequence[str], action: str) -> bool:
    """Whether one of the patterns, with `*` and `?` and in any case, names the action."""
    return any(
        pattern.lower() == action or _glob(pattern.lower()).fullmatch(action) is not None for pattern in patterns
    )


@functools.lru_cache(256)
def _glob(pattern: str) -> re.Pattern[str]:
    # stars in a row mean one star, and many of them apart would take long to try
    parts = re.split(r"\*+", pattern, maxsplit=_STARS)
    return re.compile(".*".join(re.escape(part).replace(r"\?", ".") for part in parts))


def statements_of(record: Mapping[str, Any]) -> list[Statement]:
    """Every statement of every policy document among the request's parameters."""
    parameters = record.get("requestParameters")
    if not isinstance(parameters, Mapping):
        return []
    found = [statement for document in _documents(parameters, 0) for statement in _statements(document)]
    if str(record.get("eventName", "")).startswith("AddPermission"):
        found += _added_permission(parameters)
    return found


def _documents(value: object, depth: int) -> Iterator[Mapping[str, Any]]:
    if depth > _DEPTH:
        return
    if isinstance(value, list):
        for element in value:
            yield from _documents(element, depth + 1)
    elif isinstance(value, Mapping):
        for name, member in value.items():
            document = parse_document(member) if str(name).lower() in DOCUMENT_NAMES else None
            if document is not None:
                yield document
            else:
                yield from _documents(member, depth + 1)


def parse_document(value: object) -> Mapping[str, Any] | None:
    """A policy document from an object, JSON text or URL-encoded JSON text; None when it is none of these."""
    if isinstance(value, Mapping):
        return value if "Statement" in value else None
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    text = value.strip()
    if text[:3].lower() == "%7b":
        text = unquote(text)
    if not text.startswith("{"):
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and "Statement" in document else None


def _statements(document: Mapping[str, Any]) -> Iterator[Statement]:
    members = document.get("Statement")
    for member in members if isinstance(members, list) else [members]:
        if isinstance(member, Mapping):
            yield _statement(member)


def _statement(member: Mapping[str, Any]) -> Statement:
    principal = member.get("Principal", member.get("NotPrincipal"))
    aws = principal.get("AWS") if isinstance(principal, Mapping) else principal
    return Statement(
        allows=str(member.get("Effect", "")).lower() == "allow",
        principals=_texts(aws),
        has_principal=principal is not None,
        all_but="NotPrincipal" in member,
        actions=_texts(member.get("Action")),
        all_actions_but=_texts(member.get("NotAction")),
        resources=_texts(member.get("Resource")),
        narrowed=_narrowed(member.get("Condition")),
        organizations=tuple(_organizations(member.get("Condition"))),
    )


def _added_permission(parameters: Mapping[str, Any]) -> Iterator[Statement]:
    """Lambda, SNS and SQS take the parts of a statement instead of a document."""
    given = [*_texts(parameters.get("principal")), *_texts(parameters.get("aWSAccountId"))]
    given += [*_texts(parameters.get("aWSAccountIds")), *_texts(parameters.get("accountIds"))]
    principals = tuple(p for p in given if not p.endswith((".amazonaws.com", ".amazonaws.com.cn")))
    if principals:
        narrowing = ("sourceArn", "sourceAccount", "principalOrgID", "eventSourceToken")
        yield Statement(
            allows=True,
            principals=principals,
            has_principal=True,
            all_but=False,
            actions=_texts(parameters.get("action")),
            all_actions_but=(),
            resources=(),
            narrowed=any(parameters.get(name) for name in narrowing),
            organizations=_texts(parameters.get("principalOrgID")),
        )


def _narrowed(condition: object) -> bool:
    return any(key in _NARROWING_KEYS and not _EVERYWHERE.intersection(values) for key, values in _limits(condition))


def _organizations(condition: object) -> Iterator[str]:
    """The organisations' ids: a path begins with one, `o-a1b2c3d4e5/r-ab12/*`."""
    for key, values in _limits(condition):
        if key in _ORGANIZATION_KEYS:
            yield from (value.partition("/")[0] for value in values)


def _limits(condition: object) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Condition keys in lower case with the values that they must have."""
    for operator, tests in condition.items() if isinstance(condition, Mapping) else ():
        plain = str(operator).lower().rpartition(":")[2]
        if plain in _NARROWING_OPERATORS and isinstance(tests, Mapping):
            yield from ((str(key).lower(), _texts(values)) for key, values in tests.items())


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(item) for item in (value if isinstance(value, list) else [value]))
