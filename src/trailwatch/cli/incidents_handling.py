"""`trailwatch incidents ack|close|snooze|note`: a decision about all alerts of an incident that are not closed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from trailwatch.cli.alert_choice import find_incident, opened_store
from trailwatch.cli.alerts_handling import span_of
from trailwatch.cli.main import Invocation
from trailwatch.errors import UsageError

if TYPE_CHECKING:
    from trailwatch.model.alert import AlertState, Verdict
    from trailwatch.store.store import Store

_NOTE = click.option("--note", "--reason", "note", default="", help="Why; kept in the history of each alert.")
_ID = click.argument("incident_id", metavar="ID")
NOTED = "noted"


@click.command()
@_ID
@_NOTE
@click.pass_obj
def ack(invocation: Invocation, incident_id: str, note: str) -> None:
    """Say that somebody is on it."""
    from trailwatch.model.alert import AlertState

    _each(invocation, incident_id, "acked", _handling(AlertState.ACKED, None, note))


@click.command()
@_ID
@click.option(
    "--verdict",
    type=click.Choice(["true-positive", "false-positive"]),
    required=True,
    help="true-positive: it was what the rules say, and unwanted.",
)
@_NOTE
@click.pass_obj
def close(invocation: Invocation, incident_id: str, verdict: str, note: str) -> None:
    """Say that it is done, and what it was; alerts that were closed before keep their own verdict."""
    from trailwatch.model.alert import AlertState, Verdict

    _each(invocation, incident_id, f"closed ({verdict})", _handling(AlertState.CLOSED, Verdict(verdict), note))


@click.command()
@_ID
@click.option("--for", "span", required=True, metavar="DURATION", help="For how long, such as 4h or 2d.")
@_NOTE
@click.pass_obj
def snooze(invocation: Invocation, incident_id: str, span: str, note: str) -> None:
    """Put it off, with what joins it until then, unless that is more severe than all that it has."""
    from trailwatch.cli.scan_output import iso

    until = int(datetime.now(UTC).timestamp()) + span_of(span)

    def act(store: Store, alert_id: str, now: int) -> None:
        store.handling.snooze(alert_id, until, note, now)

    _each(invocation, incident_id, f"put off until {iso(until)}", act, until)


@click.command()
@_ID
@click.argument("text")
@click.pass_obj
def note(invocation: Invocation, incident_id: str, text: str) -> None:
    """Keep TEXT with each of its alerts: what somebody found out."""
    if not text.strip():
        raise UsageError("TEXT", "it is empty", "write what you found out")

    def act(store: Store, alert_id: str, now: int) -> None:
        store.handling.note(alert_id, text, now)

    _each(invocation, incident_id, NOTED, act)


def _handling(state: AlertState, verdict: Verdict | None, note: str) -> Callable[[Store, str, int], None]:
    def act(store: Store, alert_id: str, now: int) -> None:
        store.alerts.handle(alert_id, state, verdict, note, now)

    return act


def _each(
    invocation: Invocation,
    incident_id: str,
    said: str,
    act: Callable[[Store, str, int], None],
    until: int | None = None,
) -> None:
    """Does it to each alert, and says so; what joins the incident later is put off until `until`."""
    from trailwatch.model.alert import AlertState
    from trailwatch.model.inert import for_terminal

    now = int(datetime.now(UTC).timestamp())
    with opened_store(invocation) as store, store.transaction():
        kept = find_incident(store, incident_id)
        alerts = [alert for one in store.incidents.alert_ids(kept.id) if (alert := store.alerts.get(one))]
        chosen = [alert for alert in alerts if alert.state is not AlertState.CLOSED]
        for alert in chosen:
            act(store, alert.id, now)
        if chosen and said != NOTED:
            store.incidents.snooze(kept.id, until, max(alert.severity for alert in alerts))
    for alert in chosen:
        click.echo(f"{alert.id} {said}: {for_terminal(alert.title)}")
    if not chosen:
        click.echo(f"incident {kept.id}: every alert of it is closed; nothing was done", err=True)
