"""The one alert or incident that a person means, by the beginning of its id."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trailwatch.cli.main import Invocation
from trailwatch.errors import StoreError

if TYPE_CHECKING:
    from trailwatch.model.alert import Alert
    from trailwatch.store.incidents import Kept
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


def find_incident(store: Store, prefix: str) -> Kept:
    """The incident whose id begins so; of one that turned out to be part of another, that other.

    Raises:
        StoreError: there is none, or more than one.
    """
    found = store.incidents.find(prefix.strip().lower(), _PREFIXES_SHOWN)
    where = f"incident {prefix!r}"
    if not found:
        raise StoreError(where, "there is none with this id", "`trailwatch incidents list --state all` lists them")
    if len(found) > 1:
        raise StoreError(where, f"more than one begins so: {', '.join(one.id for one in found)}", "write more of it")
    kept = found[0]
    if kept.merged_into:
        click.echo(f"{kept.id} turned out to be part of {kept.merged_into}", err=True)
        return store.incidents.get(kept.merged_into) or kept
    return kept
