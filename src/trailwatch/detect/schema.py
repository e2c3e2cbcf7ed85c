"""The struct that records are decoded into: only the plain fields that the loaded rules test.

Every field here is a text or a boolean in all records that AWS documents. A record that has something else there does
not fit the struct, so it is decoded whole and goes the slow way: the table decides about speed, never about matches.

Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

Found = TypeVar("Found")
Text = str | None | UnsetType
Flag = bool | str | None | UnsetType
"""A boolean, which some services write as a text."""

_RECORD = """
eventVersion
userIdentity.type userIdentity.principalId userIdentity.arn userIdentity.accountId userIdentity.accessKeyId
userIdentity.userName
userIdentity.sessionContext.sessionIssuer.type userIdentity.sessionContext.sessionIssuer.principalId
userIdentity.sessionContext.sessionIssuer.arn userIdentity.sessionContext.sessionIssuer.accountId
userIdentity.sessionContext.sessionIssuer.userName
userIdentity.sessionContext.webIdFederationData.federatedProvider
userIdentity.sessionContext.attributes.creationDate userIdentity.sessionContext.attributes.mfaAuthenticated
userIdentity.sessionContext.sourceIdentity userIdentity.sessionContext.ec2RoleDelivery
userIdentity.invokedBy userIdentity.identityProvider userIdentity.credentialId userIdentity.onBehalfOf.userId
userIdentity.inScopeOf.sourceArn userIdentity.inScopeOf.issuerType
eventTime eventSource eventName awsRegion sourceIPAddress userAgent errorCode errorMessage
requestParameters responseElements additionalEventData
eventID readOnly eventType apiVersion managementEvent recipientAccountId sharedEventID
vpcEndpointId vpcEndpointAccountId eventCategory
tlsDetails.tlsVersion tlsDetails.cipherSuite tlsDetails.clientProvidedHostHeader
sessionCredentialFromConsole
"""
_IN_ORDER = tuple(_RECORD.split())
"""As records have them: a field that comes where it is expected is found without a search."""
_FOLLOWS = ("requestID", "eventID")
"""One that no rule asks for and nearly every record has, and the field that comes after it."""
_FLAGS = {
    *("readOnly", "managementEvent", "sessionCredentialFromConsole"),
    "userIdentity.sessionContext.attributes.mfaAuthenticated",
}
FREE_FIELDS = ("requestParameters", "responseElements", "additionalEventData")
"""Top-level fields that hold whatever a service puts there; they stay raw until a test needs them."""
_MEMBER = re.compile(rf"({'|'.join(FREE_FIELDS)})\.[A-Za-z0-9]+")
PLAIN_FIELDS: dict[str, Any] = {
    path: Flag if path in _FLAGS else Text for path in _IN_ORDER if path not in {*FREE_FIELDS, "eventID", "eventTime"}
}
"""Paths whose values are plain in every documented record, with their types."""

_NEEDED: dict[str, Any] = {
    "eventName": Annotated[str, msgspec.Meta(min_length=1)],
    "eventID": Annotated[str, msgspec.Meta(min_length=1)],
    "eventTime": datetime,
}
"""What every event must have; their types check what `Event` would."""
_ALWAYS = (
    *("recipientAccountId", "eventCategory", "eventType", "errorCode"),
    *("userIdentity.type", "userIdentity.invokedBy"),
)


def is_member(path: str) -> bool:
    """Whether it is the path of a member of a free-form field, by its name alone."""
    return _MEMBER.fullmatch(path) is not None


def build(paths: Iterable[str], free: Iterable[str]) -> type[msgspec.Struct]:
    """The struct for records.

    Args:
        paths: of `PLAIN_FIELDS`, what to take out.
        free: of `FREE_FIELDS`, what to keep raw.
    """
    kinds = dict.fromkeys(free, msgspec.Raw) | {path: PLAIN_FIELDS[path] for path in (*_ALWAYS, *paths)} | _NEEDED
    tree: dict[str, Any] = {}
    for path in sorted(kinds, key=_IN_ORDER.index):
        *way, last = path.split(".")
        node = tree
        for name in way:
            node = node.setdefault(name, {})
        node[last] = kinds[path]
    return _struct("Plain", tree)


def layout(paths: Collection[str]) -> list[tuple[str, Any]]:
    """The fields that records have, in their order, each with its type; None for one that is not taken out.

    Of an object without a field that is taken out, there is only the object.

    Args:
        paths: what is taken out, as `build` does.
    """
    taken = {*paths, *_ALWAYS, *_NEEDED}
    above = {".".join(path.split(".")[:depth]) for path in taken for depth in range(1, path.count(".") + 2)}
    types = PLAIN_FIELDS | _NEEDED
    found: dict[str, Any] = {}
    for path in _IN_ORDER:
        names = path.split(".")
        begins = [".".join(names[:depth]) for depth in range(1, len(names) + 1)]
        known = next((begin for begin in begins if begin not in above), path)
        if path == _FOLLOWS[1]:
            found[_FOLLOWS[0]] = None
        found[known] = types[path] if path in taken else None
    return list(found.items())


def values_at(paths: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What takes the values at some paths out of a decoded struct, in order."""
    unknown = set(paths) - PLAIN_FIELDS.keys()
    if unknown:
        raise KeyError(unknown.pop())
    values = "".join(f"event.{path}, " for path in paths)
    made: Callable[[Any], tuple[Any, ...]] = eval(f"lambda event: ({values})")  # noqa: S307 names of this page only
    return made


def each_found(
    paths: Sequence[str], table: Mapping[tuple[Any, ...], Found]
) -> Callable[[Iterable[Any]], list[Found]]:
    """What finds for each of some decoded structs, by its values at the paths, what a table has for them."""
    unknown = set(paths) - PLAIN_FIELDS.keys()
    if unknown:
        raise KeyError(unknown.pop())
    values = "".join(f"event.{path}, " for path in paths)
    code = f"lambda events: [table[{values}] for event in events]"
    made: Callable[[Iterable[Any]], list[Found]] = eval(code, {"table": table})  # noqa: S307 names of this page only
    return made


def classes_at(paths: Sequence[str], classes: Sequence[Mapping[Any, int]]) -> Callable[[Any], tuple[int, ...]]:
    """What takes the classes of the values at some paths, in order."""
    unknown = set(paths) - PLAIN_FIELDS.keys()
    if unknown:
        raise KeyError(unknown.pop())
    names = {f"c{number}": one for number, one in enumerate(classes)}
    values = "".join(f"c{number}[event.{path}], " for number, path in enumerate(paths))
    made: Callable[[Any], tuple[int, ...]] = eval(f"lambda event: ({values})", names)  # noqa: S307 names of this page only
    return made


def _struct(name: str, tree: dict[str, Any]) -> type[msgspec.Struct]:
    fields: list[Any] = []
    for member, kind in tree.items():
        if isinstance(kind, dict):
            inner = _struct(f"{name}_{member}", kind)
            fields.append((member, inner, inner()))
        elif member in _NEEDED:
            fields.append((member, kind))
        elif kind is msgspec.Raw:
            fields.append((member, kind, msgspec.Raw(b"null")))
        else:
            fields.append((member, kind, UNSET))
    return msgspec.defstruct(name, fields, gc=False, frozen=True, kw_only=True)
