"""What stage 1 says of identities: from an event to the links between who called and who came of it.

Two sorts. An event that issues credentials or makes an identity says so whether a rule matches or not. And every
event that a rule said yes to says what its own record knows of its caller: whose key it is, which machine or person
holds the session. The latter hold at any time, so their time is 0.

A service that calls by itself joins nobody: its sessions have no link, except those of machines.

Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from trailwatch.model.actor import node_text
from trailwatch.model.principal import Principal, principal_of
from trailwatch.model.signal import Link
from trailwatch.rules.predicate import And, Field, Not, Op

ALWAYS = 0
"""Time of a link that holds at any time."""

ASSUMED = "assumed"
FEDERATED = "federated"
SESSION = "session"
CREATED_KEY = "created-key"
CREATED_USER = "created-user"
SET_PASSWORD = "set-password"  # noqa: S105 the name of a kind
SIGNED_IN = "signed-in"
SWITCHED = "switched"
NAMED = "assumed-name"
"""A session by its ARN alone, for records that hold no key."""
RUNS_ON = "runs-on"
PERSON = "person"
SAYS = "says"
"""Source identity: it stays through role chains, but the first caller chose it."""
BELONGS = "belongs"
SHARED = "shared"
STRANGER = "stranger"
OF_ROLE = "of-role"

_KEY = re.compile(r"[A-Za-z0-9]{16,128}")
_MACHINE = re.compile(r"i-[0-9a-f]{8,17}")
_RESERVED = "AWSReservedSSO_"


class _Call(NamedTuple):
    """An event that issues or makes an identity."""

    record: Mapping[str, Any]
    principal: Principal
    caller: str
    """The caller's identity."""
    time: int
    event_id: str

    def part(self, *names: str) -> Mapping[str, Any]:
        return _part(self.record, *names)

    def link(self, kind: str, parent: str, child: str, child_text: str = "") -> Link:
        return Link(
            kind=kind,
            parent=parent,
            child=child,
            time=self.time,
            event_id=self.event_id,
            account=_text(self.record, "recipientAccountId") or self.principal.account,
            parent_text=node_text(parent),
            child_text=child_text or node_text(child),
        )


def identity_of(principal: Principal) -> str:
    """The identity from which the way back begins: the access key, else whatever the record tells most exactly."""
    if _KEY.fullmatch(principal.access_key):
        return f"key:{principal.access_key}"
    if principal.kind == "AWSService" or (principal.invoked_by and principal.key == principal.invoked_by):
        return f"service:{principal.key}@{principal.account}"
    if principal.kind == "IAMUser" and (principal.arn or principal.account):
        return f"login:{plain(principal.arn) or _user_arn('aws', principal.account, principal.name)}"
    return plain(principal.arn) or principal.key


def may_issue(event: Any) -> bool:
    """Whether an event of a name in `ISSUING_NAMES` can state links, by its plain fields alone.

    Most of these events are services that assume a role; of those only machines are of interest.
    """
    if type(event.errorCode) is str and event.errorCode:
        return False
    caller = event.userIdentity
    service = caller.invokedBy
    by_service = event.eventName == "AssumeRole" and caller.type == "AWSService" and type(service) is str and service
    return not by_service or service.startswith("ec2.")


def links_of(record: Mapping[str, Any], time: int, event_id: str, principal: Principal | None = None) -> list[Link]:
    """The links that an event of a name in `ISSUING` states; none for one that failed or that a service made.

    Args:
        record: the event's record; only the fields that are needed are asked for.
        time: event time in seconds since 1970.
        event_id: its id.
        principal: its principal, where that is known already: the record's own links are known then as well, and
            left out.
    """
    stated = ISSUING.get(_text(record, "eventName").lower())
    if stated is None or _text(record, "errorCode"):
        return []
    caller = principal or principal_of({name: record.get(name) for name in ("userIdentity", "recipientAccountId")})
    call = _Call(record, caller, identity_of(caller), time, event_id)
    found = [link for link in stated(call) if link.parent != link.child]
    return [*found, *own_links(record, caller)] if found and principal is None else found


def own_links(record: Mapping[str, Any], known: Principal | None = None) -> list[Link]:
    """What a record says of its own caller; links that hold at any time."""
    principal = known or principal_of({name: record.get(name) for name in ("userIdentity", "recipientAccountId")})
    identity = _part(record, "userIdentity")
    call = _Call(record, principal, "", ALWAYS, "")
    return [call.link(kind, parent, child) for kind, parent, child in _own(principal, identity) if parent != child]


def plain(arn: str) -> str:
    """The ARN, of a user without its path: names are unique in an account, and many records hold the name alone."""
    head, separator, rest = arn.partition(":user/")
    return f"{head}:user/{rest.rpartition('/')[2]}" if separator and ":iam:" in head else arn


def _own(principal: Principal, identity: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    start, arn = identity_of(principal), plain(principal.arn)
    user = principal.kind == "IAMUser" and arn
    long_term = principal.access_key.startswith("AKIA")
    if user and start.startswith("key:"):
        # a temporary key whose issuing call is not known came of a sign-in to the console
        yield BELONGS, arn if long_term else f"login:{arn}", start
    elif arn and start.startswith("key:"):
        yield BELONGS, arn, start
    session = _part(identity, "sessionContext")
    if principal.kind == "FederatedUser" and arn and principal.issuer_arn:
        yield FEDERATED, plain(principal.issuer_arn), arn
    if principal.kind == "AssumedRole" and arn:
        yield from _of_session(principal, identity, session, arn)
    on_behalf = _text(_part(identity, "onBehalfOf"), "userId")
    if principal.kind == "IdentityCenterUser" and on_behalf:
        yield PERSON, f"sso-id:{on_behalf}", start
        name = _text(identity, "userName")
        if name:
            yield PERSON, f"sso:{name}", f"sso-id:{on_behalf}"


def _of_session(
    principal: Principal, identity: Mapping[str, Any], session: Mapping[str, Any], arn: str
) -> Iterator[tuple[str, str, str]]:
    scope = _part(identity, "inScopeOf")
    on_behalf = _text(_part(identity, "onBehalfOf"), "userId")
    if ":role/aws-service-role/" in principal.issuer_arn:
        host = principal.invoked_by or principal.issuer_arn.split("/")[2]
        yield PERSON, f"service:{host}@{principal.account}", arn
    elif principal.name.startswith(_RESERVED) and principal.session_name:
        # the session's name is set by Identity Center, nobody else may assume these roles
        yield PERSON, f"sso:{principal.session_name}", arn
        if on_behalf:
            yield PERSON, f"sso:{principal.session_name}", f"sso-id:{on_behalf}"
    elif on_behalf:
        yield PERSON, f"sso-id:{on_behalf}", arn
    elif ":function:" in _text(scope, "sourceArn"):
        yield RUNS_ON, _text(scope, "sourceArn"), arn
    elif _MACHINE.fullmatch(principal.session_name) and _text(session, "ec2RoleDelivery"):
        yield RUNS_ON, f"machine:{principal.session_name}@{principal.account}", arn
    if principal.source_identity:
        yield SAYS, f"source:{principal.source_identity}", arn
    if principal.issuer_arn:
        yield OF_ROLE, principal.issuer_arn, arn


def _assumed(call: _Call) -> Iterator[Link]:
    answer = call.part("responseElements")
    key = _key_in(answer)
    arn = _text(_part(answer, "assumedRoleUser"), "arn")
    role = node_text(arn or _text(call.part("requestParameters"), "roleArn"))
    parent = call.caller
    kind = call.principal.kind
    if kind == "AWSService":
        name = _text(call.part("requestParameters"), "roleSessionName")
        if call.principal.key.startswith("ec2.") and _MACHINE.fullmatch(name) and key:
            account = _text(call.record, "recipientAccountId")
            yield call.link(RUNS_ON, f"machine:{name}@{account}", key, role)
        return
    if kind in ("SAMLUser", "WebIdentityUser"):
        parent = _outsider(call, arn)
    elif kind == "AWSAccount":
        shared = _text(call.record, "sharedEventID")
        stranger = f"id:{_text(call.part('userIdentity'), 'principalId')}@{call.principal.account}"
        parent = f"shared:{shared}" if shared else stranger
        if shared:
            yield call.link(STRANGER, stranger, parent)
    elif _text(call.record, "sharedEventID"):
        yield call.link(SHARED, parent, f"shared:{_text(call.record, 'sharedEventID')}")
    if key:
        yield call.link(ASSUMED, parent, key, role)
    if arn:
        yield call.link(NAMED, parent, arn, role)


def _outsider(call: _Call, session: str) -> str:
    identity = call.part("userIdentity")
    name = call.principal.name or _text(identity, "principalId")
    role, _, session_name = session.partition(":assumed-role/")[2].partition("/")
    if role.startswith(_RESERVED) and session_name:
        return f"sso:{session_name}"
    scheme = "saml" if call.principal.kind == "SAMLUser" else "web"
    provider = _text(identity, "identityProvider")
    return f"{scheme}:{name}" + (f"|{provider}" if provider else "")


def _session(call: _Call) -> Iterator[Link]:
    key = _key_in(call.part("responseElements"))
    if key:
        yield call.link(SESSION, call.caller, key)


def _federated(call: _Call) -> Iterator[Link]:
    answer = call.part("responseElements")
    arn = _text(_part(answer, "federatedUser"), "arn")
    for child in (_key_in(answer), arn):
        if child:
            yield call.link(FEDERATED, call.caller, child, node_text(arn))


def _root_session(call: _Call) -> Iterator[Link]:
    key = _key_in(call.part("responseElements"))
    target = _text(call.part("requestParameters"), "targetPrincipal")
    if key:
        yield call.link(ASSUMED, call.caller, key, f"root in {target}")


def _console_federated(call: _Call) -> Iterator[Link]:
    key = _key_in(call.part("responseElements"))
    arn = plain(call.principal.arn)
    if key:
        yield call.link(SIGNED_IN, call.caller, key)
    if arn and call.principal.kind in ("AssumedRole", "FederatedUser"):
        yield call.link(SIGNED_IN, call.caller, arn)


def _switched(call: _Call) -> Iterator[Link]:
    before = plain(_text(call.part("additionalEventData"), "SwitchFrom"))
    if before.startswith("arn:") and call.principal.arn:
        # whoever is at the console signed in to it
        parent = f"login:{before}" if ":user/" in before else before
        yield call.link(SWITCHED, parent, call.principal.arn)


def _created_key(call: _Call) -> Iterator[Link]:
    made = _part(call.part("responseElements"), "accessKey")
    key = _text(made, "accessKeyId")
    if not _KEY.fullmatch(key):
        return
    user = _user(call, _text(made, "userName") or _text(call.part("requestParameters"), "userName"))
    if user:
        yield call._replace(time=ALWAYS, event_id="").link(BELONGS, user, f"key:{key}")
    if user != plain(call.principal.arn):
        yield call.link(CREATED_KEY, call.caller, f"key:{key}", node_text(user))


def _created_user(call: _Call) -> Iterator[Link]:
    made = _part(call.part("responseElements"), "user")
    user = plain(_text(made, "arn")) or _user(call, _text(call.part("requestParameters"), "userName"))
    if user:
        yield call.link(CREATED_USER, call.caller, user)


def _set_password(call: _Call) -> Iterator[Link]:
    user = _user(call, _text(call.part("requestParameters"), "userName"))
    if user and user != plain(call.principal.arn):
        yield call.link(SET_PASSWORD, call.caller, f"login:{user}", node_text(user))


ISSUING: dict[str, Callable[[_Call], Iterator[Link]]] = {
    "assumerole": _assumed,
    "assumerolewithsaml": _assumed,
    "assumerolewithwebidentity": _assumed,
    "assumeroot": _root_session,
    "getsessiontoken": _session,
    "getfederationtoken": _federated,
    "getsignintoken": _console_federated,
    "switchrole": _switched,
    "createaccesskey": _created_key,
    "createuser": _created_user,
    "createloginprofile": _set_password,
    "updateloginprofile": _set_password,
}
"""Lower-cased names of the events that state links, and who reads each."""

ISSUING_NAMES = frozenset(
    {
        *("AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "GetSessionToken"),
        *("GetFederationToken", "GetSigninToken", "SwitchRole", "CreateAccessKey", "CreateUser"),
        *("CreateLoginProfile", "UpdateLoginProfile"),
    }
)
"""The same names as records spell them."""

STATING = And(
    (
        Field("eventName", Op.EQ, tuple(sorted(ISSUING_NAMES)), cased=True),
        Not(And((Field("errorCode", Op.EXISTS), Not(Field("errorCode", Op.EQ, ("",)))))),
        Not(
            And(
                (
                    Field("eventName", Op.EQ, ("AssumeRole",), cased=True),
                    Field("userIdentity.type", Op.EQ, ("AWSService",), cased=True),
                    Field("userIdentity.invokedBy", Op.EXISTS),
                    Not(Field("userIdentity.invokedBy", Op.EQ, ("",))),
                    Not(Field("userIdentity.invokedBy", Op.STARTSWITH, ("ec2.",), cased=True)),
                )
            )
        ),
    )
)
"""What holds for the events that can state links: one of these names, and what `may_issue` says."""


def _user(call: _Call, name: str) -> str:
    """ARN of the user of this name in the event's account; the caller's own where there is no name."""
    own = plain(call.principal.arn)
    if not name:
        return own if call.principal.kind == "IAMUser" else ""
    account = _text(call.record, "recipientAccountId") or call.principal.account
    partition = own.split(":")[1] if own.startswith("arn:") else "aws"
    return _user_arn(partition, account, name)


def _user_arn(partition: str, account: str, name: str) -> str:
    return f"arn:{partition}:iam::{account}:user/{name}"


def _key_in(answer: Mapping[str, Any]) -> str:
    key = _text(_part(answer, "credentials"), "accessKeyId")
    return f"key:{key}" if _KEY.fullmatch(key) else ""


def _part(mapping: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    value: Any = mapping
    for name in names:
        value = value.get(name) if type(value) is dict or isinstance(value, Mapping) else None
    return value if type(value) is dict or isinstance(value, Mapping) else {}


def _text(mapping: Mapping[str, Any], key: str) -> str:
    value = mapping.get(key)
    return value if isinstance(value, str) else ""
