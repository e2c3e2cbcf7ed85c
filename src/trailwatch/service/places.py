"""Which account the credentials belong to, and which of its regions are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from trailwatch.config.schema import Account, Check
from trailwatch.errors import SourceError
from trailwatch.store.regions import Regions


class AccountAccess(Protocol):
    """What a cycle needs of `trailwatch.aws.Access`."""

    account: Account

    def client(self, service: str, region: str) -> Any:
        """A new client."""

    def offers(self, service: str, region: str) -> bool:
        """Whether AWS has the service in that region at all."""

    @property
    def access_key(self) -> str:
        """The access key id in use."""

    @property
    def known_account_id(self) -> str:
        """The account id, where no call is needed to know it."""

    def ask_caller(self) -> tuple[str, str]:
        """Asks AWS for the account id and the ARN."""

    def ask_regions(self) -> tuple[str, ...]:
        """Asks AWS for the enabled regions."""


def account_and_regions(
    access: AccountAccess, regions: Regions, check: Check, only: Sequence[str], now: int
) -> tuple[str, Sequence[str]]:
    """The account id, and the regions in the order in which they are read.

    Args:
        access: to the account.
        regions: what is known of accounts; what is asked is kept there.
        check: `[check]`, which may name the regions.
        only: the only regions to read; empty for those of the configuration or of the account.
        now: seconds since 1970.

    Raises:
        SourceError: the credentials are no good, or AWS does not answer and nothing is known from before.
    """
    access_key = access.access_key
    account = access.known_account_id or regions.account_of(access_key, now)
    if account is None:
        account, arn = access.ask_caller()
        regions.keep_account(access_key, account, now, arn)
    chosen = only or access.account.regions or check.regions or regions.enabled(account, now)
    if not chosen:
        try:
            chosen = access.ask_regions()
        except SourceError:
            chosen = regions.last_enabled(account)
            if not chosen:
                raise
        else:
            regions.keep_enabled(account, chosen, now)
    return account, chosen
