"""What stands around a record and not in it: tables of addresses, own accounts, and what trailwatch leans on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from trailwatch.model.address import AddressFacts
from trailwatch.ports import AddressBook

SOURCES = {
    "trail": "cloudtrail.amazonaws.com",
    "bucket": "s3.amazonaws.com",
    "key": "kms.amazonaws.com",
    "queue": "sqs.amazonaws.com",
    "topic": "sns.amazonaws.com",
    "role": "iam.amazonaws.com",
}
"""For each kind of thing that trailwatch can lean on, the service whose calls change it."""
OWN_NAME = "trailwatch"
"""Things of this name, or of one that goes on with a hyphen, count as trailwatch's own without any setting."""
_DEPTH = 4


class Surroundings:
    """An address book that knows more: own accounts, and the things that trailwatch itself depends on.

    Args:
        book: the tables of addresses, where there are any.
        accounts: own accounts, which are not external ones in policies.
        organizations: ids of own organisations, whose members are not external either.
        things: for each kind of `SOURCES`, ARNs or names.
        callers: ARNs of the users and role sessions whose credentials trailwatch works with.
        bare: whether no table is configured, so that nothing but an address itself tells anything of it.
    """

    def __init__(
        self,
        book: AddressBook | None = None,
        *,
        accounts: Collection[str] = (),
        organizations: Collection[str] = (),
        things: Mapping[str, Collection[str]] | None = None,
        callers: Collection[str] = (),
        bare: bool = False,
    ) -> None:
        self._book = book
        self.bare = bare
        self.accounts = frozenset(accounts)
        self.organizations = frozenset(organizations)
        self.callers = frozenset(named for arn in callers if (named := _as_parameter(arn)) is not None)
        """Request parameter and value, in lower case, of calls that change these users and roles."""
        self._names = {
            SOURCES[kind]: frozenset(name for text in texts for name in _names(text))
            for kind, texts in (things or {}).items()
        }

    def look_up(self, text: str) -> AddressFacts | None:
        """What the tables know of an address."""
        return self._book.look_up(text) if self._book is not None else None

    def network(self, text: str) -> str:
        """The address's network, as the tables say."""
        return self._book.network(text) if self._book is not None else ""

    def names_of(self, source: str) -> frozenset[str]:
        """Names of the things that calls of this service can change, in lower case."""
        return self._names.get(source, frozenset())


def own_accounts(book: AddressBook | None) -> frozenset[str]:
    """Ids of one's own accounts, where they are configured."""
    return book.accounts if isinstance(book, Surroundings) else frozenset()


def own_organizations(book: AddressBook | None) -> frozenset[str]:
    """Ids of one's own organisations, where they are configured."""
    return book.organizations if isinstance(book, Surroundings) else frozenset()


def touches_self(record: Mapping[str, Any], book: AddressBook | None) -> bool:
    """Whether the request names something that trailwatch itself depends on."""
    source, parameters = record.get("eventSource"), record.get("requestParameters")
    if source not in SOURCES.values():
        return False
    around = book if isinstance(book, Surroundings) else Surroundings()
    if source == SOURCES["role"] and isinstance(parameters, Mapping) and _names_caller(parameters, around):
        return True
    names = around.names_of(str(source))
    return any(
        name in names or name == OWN_NAME or name.startswith(f"{OWN_NAME}-")
        for text in _texts(parameters, 0)
        for name in _names(text)
    )


def _names_caller(parameters: Mapping[str, Any], around: Surroundings) -> bool:
    """Whether a call of IAM is about the user or role that trailwatch works as.

    A user, a role and a policy may have one name: only the parameter tells which of them is meant.
    """
    return any((kind, str(parameters.get(kind, "")).lower()) in around.callers for kind in ("userName", "roleName"))


def _as_parameter(arn: str) -> tuple[str, str] | None:
    """How calls name a caller: `("roleName", name)`, `("userName", name)`; None for root and federated users."""
    kind, *names = arn.lower().rpartition(":")[2].split("/")
    if kind == "assumed-role" and names:
        return "roleName", names[0]
    if kind in {"role", "user"} and names:
        return f"{kind}Name", names[-1]
    return None


def _names(text: str) -> tuple[str, ...]:
    """The text itself, and the name at its end where it is an ARN or an address.

    The ARN of a subscription is that of its topic and an id behind it, so the topic is named too.
    """
    low = text.lower()
    names = low, low.rpartition("/")[2].rpartition(":")[2]
    match low.split(":"):
        case ["arn", _, "sns", _, _, topic, _]:
            return *names, topic
    return names


def _texts(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth > _DEPTH:
        return
    elif isinstance(value, list):
        for element in value:
            yield from _texts(element, depth + 1)
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _texts(member, depth + 1)
