"""`trailwatch outbox`: what is to be sent, what was sent, what was given up; and what a person does about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from trailwatch.cli.alert_choice import opened_store
from trailwatch.cli.main import Invocation
from trailwatch.cli.row_output import FORMAT, write_rows
from trailwatch.errors import StoreError, UsageError

if TYPE_CHECKING:
    from trailwatch.store.outbox import Entry
    from trailwatch.store.store import Store

COLUMNS = {
    "id": "id",
    "notifier": "notifier",
    "state": "state",
    "severity": "severity",
    "what": "headline",
    "attempts": "attempts",
    "decided": "created",
    "next": "due",
    "last": "detail",
}
_STATES = ("waiting", "sending", "sent", "dead")
_IDS = click.argument("ids", nargs=-1, type=int, metavar="[ID]...")
_DEAD = click.option("--dead", is_flag=True, help="Everything that was given up.")
_NOTIFIER = click.option("--notifier", default="", help="Only what goes through this notifier.")


@click.group()
def command() -> None:
    """Messages on their way: what waits, what was sent, what was given up."""


@command.command("list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([*_STATES, "all"]),
    default=["waiting", "sending", "dead"],
    show_default=True,
    help="Only messages in this state; may be repeated.",
)
@_NOTIFIER
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="The latest so many.")
@FORMAT
@click.pass_obj
def list_entries(invocation: Invocation, states: tuple[str, ...], notifier: str, limit: int, form: str) -> None:
    """List messages in the order in which they were decided, with what their last attempt came to."""
    from trailwatch.store.outbox import OutboxState

    wanted = () if "all" in states else tuple(OutboxState(state) for state in states)
    with opened_store(invocation) as store:
        rows = [_row(entry) for entry in store.outbox.entries(wanted, notifier, limit=limit)]
    write_rows(rows, COLUMNS, form, "no messages")


@command.command()
@_IDS
@_DEAD
@_NOTIFIER
@click.pass_obj
def retry(invocation: Invocation, ids: tuple[int, ...], dead: bool, notifier: str) -> None:
    """Send these again with the next cycle, as if they had just been decided. IDs are those that `list` shows."""
    now = int(datetime.now(UTC).timestamp())
    _each(invocation, ids, dead, notifier, "due again", lambda store, entry: store.outbox.retry(entry.id, now))


@command.command()
@_IDS
@_DEAD
@_NOTIFIER
@click.pass_obj
def drop(invocation: Invocation, ids: tuple[int, ...], dead: bool, notifier: str) -> None:
    """Never send these; the alerts themselves stay. IDs are those that `list` shows."""
    _each(invocation, ids, dead, notifier, "dropped", lambda store, entry: store.outbox.drop(entry.id))


def _each(
    invocation: Invocation,
    ids: Sequence[int],
    dead: bool,
    notifier: str,
    said: str,
    act: Callable[[Store, Entry], bool],
) -> None:
    from trailwatch.model.inert import for_terminal
    from trailwatch.store.outbox import OutboxState

    if bool(ids) == dead:
        raise UsageError("outbox", "name ids, or --dead for all that was given up", "`trailwatch outbox list`")
    with opened_store(invocation) as store, store.transaction():
        if dead:
            chosen = store.outbox.entries([OutboxState.DEAD], notifier, limit=-1)
        else:
            chosen = store.outbox.entries((), notifier, ids, limit=-1)
        missing = sorted(set(ids) - {entry.id for entry in chosen})
        if missing:
            raise StoreError("outbox", f"there is no message {missing[0]}", "`trailwatch outbox list --state all`")
        for entry in chosen:
            if not act(store, entry):
                remedy = "wait for its end" if entry.state is OutboxState.SENDING else "it needs nothing"
                raise StoreError("outbox", f"message {entry.id} is {entry.state.value}", remedy)
            click.echo(for_terminal(f"{entry.id} {said}: {entry.notifier}: {entry.message.headline}"))
    if not chosen:
        click.echo("no messages", err=True)


def _row(entry: Entry) -> Mapping[str, Any]:
    from trailwatch.cli.scan_output import iso
    from trailwatch.model.secrets import masked_text

    return {
        "id": entry.id,
        "notifier": entry.notifier,
        "state": entry.state.value,
        "kind": entry.message.kind.value,
        "severity": entry.message.severity.value,
        "headline": masked_text(entry.message.headline),
        "principal": entry.message.principal,
        "alert_ids": [alert.id for alert in entry.message.alerts],
        "message_id": entry.message.id,
        "attempts": entry.attempts,
        "created": iso(entry.created),
        "due": iso(entry.due) if entry.state.value == "waiting" else "",
        "ended": iso(entry.ended) if entry.ended is not None else "",
        "detail": masked_text(entry.detail),
    }
