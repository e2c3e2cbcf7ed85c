"""How derived fields are computed; their names and meanings stand in `trailwatch.rules.derived_names`.

Each is a pure function of the record and of the tables of addresses, asked for only when a rule needs it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from trailwatch.detect.agent import agent_family
from trailwatch.detect.policy import statements_of
from trailwatch.detect.surroundings import SOURCES, Surroundings, own_accounts, own_organizations, touches_self
from trailwatch.model.address import AddressFacts
from trailwatch.model.aws_accounts import LOG_WRITING, SERVICE_ACCOUNTS
from trailwatch.model.event import Event
from trailwatch.model.principal import principal_of
from trailwatch.ports import AddressBook
from trailwatch.rules.derived_names import PREFIX

Value = str | bool | int | list[str] | None
_SERVICE_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".aws.internal")


def untold(book: AddressBook | None) -> frozenset[str]:
    """Derived fields that have no value in any record, because there is no table that could tell it."""
    if book is None:
        return frozenset(LOOKED_UP)
    return frozenset(LOOKED_UP) - _TOLD_BARE if isinstance(book, Surroundings) and book.bare else frozenset()


def derive(path: str, record: Mapping[str, Any], book: AddressBook | None = None) -> list[Any]:
    """The values of the derived field at `path`; none for a field that does not exist or says nothing here."""
    looked_up = LOOKED_UP.get(path) or AROUND.get(path)
    if looked_up is not None:
        value = looked_up(record, book)
    else:
        compute = COMPUTED.get(path)
        value = compute(record) if compute else None
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _principal(record: Mapping[str, Any]) -> Value:
    return principal_of(record).key


def is_aws_service(address: str) -> bool:
    """Whether a source address is the host name of a service, or the words that stand for one."""
    return address.lower().endswith(_SERVICE_HOSTS) or address == "AWS Internal"


def _from_aws_service(record: Mapping[str, Any]) -> Value:
    address = record.get("sourceIPAddress")
    return is_aws_service(address) if isinstance(address, str) else None


def _is_other_user(record: Mapping[str, Any]) -> Value:
    parameters = record.get("requestParameters")
    target = parameters.get("userName") if isinstance(parameters, Mapping) else None
    if not isinstance(target, str) or not target:
        return False
    identity = record.get("userIdentity")
    if not isinstance(identity, Mapping) or identity.get("type") != "IAMUser":
        return True
    return str(identity.get("userName", "")).lower() != target.lower()


def _public(record: Mapping[str, Any]) -> Value:
    return any(statement.public for statement in statements_of(record))


def _admin(record: Mapping[str, Any]) -> Value:
    return any(statement.admin for statement in statements_of(record))


def _escalation(record: Mapping[str, Any]) -> Value:
    actions = (action for statement in statements_of(record) for action in statement.escalating)
    return list(dict.fromkeys(actions))


def _external_accounts(record: Mapping[str, Any], book: AddressBook | None = None) -> Value:
    own: set[Any] = {record.get("recipientAccountId")}
    if not own - {None}:
        identity = record.get("userIdentity")
        own.add(identity.get("accountId") if isinstance(identity, Mapping) else None)
    own |= own_accounts(book)
    ours = own_organizations(book)
    in_bucket = record.get("eventSource") == SOURCES["bucket"]
    found: dict[str, None] = {}
    for statement in statements_of(record):
        # nobody but a bucket has a reason to let in the accounts that write logs, and for nothing else
        writers = SERVICE_ACCOUNTS if in_bucket and statement.only(LOG_WRITING) else frozenset()
        found.update(dict.fromkeys(one for one in statement.outsiders(ours) if one not in own | writers))
    return list(found)


def _agent_family(record: Mapping[str, Any]) -> Value:
    agent = record.get("userAgent")
    return (agent_family(agent) or None) if isinstance(agent, str) else None


def _hour(record: Mapping[str, Any]) -> Value:
    time = record.get("eventTime")
    found = _HOUR.match(time) if isinstance(time, str) else None
    return found.group(1) if found else None


_HOUR = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[^+]*Z$")


def _unknown(_record: Mapping[str, Any]) -> Value:
    return None


LookUp = Callable[[Mapping[str, Any], AddressBook | None], Value]


def _fact(get: Callable[[AddressFacts], Value]) -> LookUp:
    """A derived field that says what a table knows of the source address."""

    def look_up(record: Mapping[str, Any], book: AddressBook | None) -> Value:
        address = record.get("sourceIPAddress")
        facts = book.look_up(address) if book is not None and isinstance(address, str) else None
        return None if facts is None else get(facts)

    return look_up


def _network(record: Mapping[str, Any], book: AddressBook | None) -> Value:
    address = record.get("sourceIPAddress")
    return (book.network(address) or None) if book is not None and isinstance(address, str) else None


def _location(facts: AddressFacts) -> Value:
    if facts.latitude is None or facts.longitude is None:
        return None
    return f"{facts.latitude:.2f},{facts.longitude:.2f}"


LOOKED_UP: dict[str, LookUp] = {
    "derived.country": _fact(lambda facts: facts.country or None),
    "derived.city": _fact(lambda facts: facts.city or None),
    "derived.location": _fact(_location),
    "derived.asn": _fact(lambda facts: facts.asn or None),
    "derived.as_org": _fact(lambda facts: facts.as_org or None),
    "derived.network": _network,
    "derived.ip.is_aws": _fact(lambda facts: facts.is_aws),
    "derived.ip.is_hosting": _fact(lambda facts: facts.hosting),
    "derived.ip.list": _fact(lambda facts: list(facts.lists)),
    "derived.ip.kind": _fact(lambda facts: list(facts.kinds)),
}
"""Fields that the tables of addresses tell; without any they say nothing."""
_TOLD_BARE = frozenset({"derived.network", "derived.ip.is_hosting"})
"""Those of which an address alone says something."""
AROUND: dict[str, LookUp] = {"derived.policy.external_accounts": _external_accounts, "derived.self": touches_self}
"""Fields that what is configured makes more exact."""

COMPUTED: dict[str, Callable[[Mapping[str, Any]], Value]] = {
    "derived.principal": _principal,
    "derived.ip.is_aws_service": _from_aws_service,
    "derived.target.is_other_user": _is_other_user,
    "derived.policy.public": _public,
    "derived.policy.admin": _admin,
    "derived.policy.escalation": _escalation,
    "derived.policy.external_accounts": _external_accounts,
    "derived.self": lambda record: touches_self(record, None),
    **dict.fromkeys(LOOKED_UP, _unknown),
    "derived.agent.family": _agent_family,
    "derived.hour": _hour,
}
"""All of them, as far as the record alone tells."""


class Derived(Mapping[str, Any]):
    """The derived fields of one record by name, without the `derived.` before it."""

    def __init__(self, record: Mapping[str, Any], book: AddressBook | None = None) -> None:
        self._record = record
        self._book = book

    def __getitem__(self, name: str) -> Any:
        looked_up = LOOKED_UP.get(PREFIX + name) or AROUND.get(PREFIX + name)
        return looked_up(self._record, self._book) if looked_up else COMPUTED[PREFIX + name](self._record)

    def __iter__(self) -> Iterator[str]:
        return (path.removeprefix(PREFIX) for path in COMPUTED)

    def __len__(self) -> int:
        return len(COMPUTED)


class ScriptEvent(Event):
    """The event that Python rules get: an `Event` with `.derived["policy.public"]` and the other derived fields."""

    book: AddressBook | None = None
    """The tables of addresses, where there are any."""

    @functools.cached_property
    def derived(self) -> Derived:
        """Derived fields by name; each is computed when it is asked for."""
        return Derived(self.record, self.book)
