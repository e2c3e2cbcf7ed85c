"""How derived fields are computed; their names and meanings stand in `trailwatch.rules.derived_names`.

Each is a pure function of the record, asked for only when a rule needs it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from trailwatch.detect.policy import statements_of
from trailwatch.model.event import Event
from trailwatch.model.principal import principal_of
from trailwatch.rules.derived_names import PREFIX

Value = str | bool | list[str] | None
_SERVICE_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".aws.internal")


def derive(path: str, record: Mapping[str, Any]) -> list[Any]:
    """The values of the derived field at `path`; none for a field that does not exist or says nothing here."""
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


def _external_accounts(record: Mapping[str, Any]) -> Value:
    identity = record.get("userIdentity")
    own = {record.get("recipientAccountId")}
    if isinstance(identity, Mapping) and not own - {None}:
        own.add(identity.get("accountId"))
    accounts = (account for statement in statements_of(record) for account in statement.accounts())
    return [account for account in dict.fromkeys(accounts) if account not in own]


COMPUTED: dict[str, Callable[[Mapping[str, Any]], Value]] = {
    "derived.principal": _principal,
    "derived.ip.is_aws_service": _from_aws_service,
    "derived.target.is_other_user": _is_other_user,
    "derived.policy.public": _public,
    "derived.policy.admin": _admin,
    "derived.policy.external_accounts": _external_accounts,
}


class Derived(Mapping[str, Any]):
    """The derived fields of one record by name, without the `derived.` before it."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._record = record

    def __getitem__(self, name: str) -> Any:
        return COMPUTED[PREFIX + name](self._record)

    def __iter__(self) -> Iterator[str]:
        return (path.removeprefix(PREFIX) for path in COMPUTED)

    def __len__(self) -> int:
        return len(COMPUTED)


class ScriptEvent(Event):
    """The event that Python rules get: an `Event` with `.derived["policy.public"]` and the other derived fields."""

    @functools.cached_property
    def derived(self) -> Derived:
        """Derived fields by name; each is computed when it is asked for."""
        return Derived(self.record)
