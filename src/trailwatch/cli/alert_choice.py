"""The one alert that a person means, by the beginning of its id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trailwatch.cli.main import Invocation
from trailwatch.errors import StoreError

if TYPE_CHECKING:
    from trailwatch.model.alert import Alert
    from trailwatch.store.store import Store

_PREFIXES_SHOWN = 10


def opened_store(invocation: Invocation) -> Store:
    """The configured store; use it as a context manager."""
    from trailwatch import wiring

    return wiring.open_store(invocation.config(), invocation.environment)


def find_alert(store: Store, prefix: str) -> Alert:
    """The alert whose id begins so.

    Raises:
        StoreError: there is none, or more than one.
    """
    found = store.alerts.find(prefix.strip().lower(), _PREFIXES_SHOWN)
    if len(found) == 1:
        return found[0]
    where = f"alert {prefix!r}"
    if not found:
        raise StoreError(where, "there is none with this id", "`trailwatch alerts list --state all` lists them")
    raise StoreError(where, f"more than one begins so: {', '.join(alert.id for alert in found)}", "write more of it")
