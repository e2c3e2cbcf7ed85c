"""What stands around a record and not in it: tables of addresses, own accounts, and what trailwatch leans on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from trailwatch.model.address import AddressFacts
from trailwatch.model.aws_accounts import SERVICE_ACCOUNTS
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
        things: for each kind of `SOURCES`, ARNs or names.
    """

    def __init__(
        self,
        book: AddressBook | None = None,
        *,
        accounts: Collection[str] = (),
        things: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._book = book
        self.accounts = frozenset(accounts)
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


def known_accounts(source: str, book: AddressBook | None) -> frozenset[str]:
    """Accounts that are not external in a policy of this service: one's own, and in buckets those AWS logs from.

    Nobody but a bucket has a reason to let in the accounts that write logs.
    """
    own = book.accounts if isinstance(book, Surroundings) else frozenset()
    return own | SERVICE_ACCOUNTS if source == SOURCES["bucket"] else own


def touches_self(record: Mapping[str, Any], book: AddressBook | None) -> bool:
    """Whether the request names something that trailwatch itself depends on."""
    source = record.get("eventSource")
    if source not in SOURCES.values():
        return False
    names = book.names_of(str(source)) if isinstance(book, Surroundings) else frozenset()
    return any(
        name in names or name == OWN_NAME or name.startswith(f"{OWN_NAME}-")
        for text in _texts(record.get("requestParameters"), 0)
        for name in _names(text)
    )


def _names(text: str) -> tuple[str, str]:
    """The text itself, and the name at its end where it is an ARN or an address."""
    low = text.lower()
    return low, low.rpartition("/")[2].rpartition(":")[2]


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
