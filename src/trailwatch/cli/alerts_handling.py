"""`trailwatch alerts ack|close|snooze|note`: what people decide about an alert; each is kept in its history."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from trailwatch.cli.alert_choice import find_alert, opened_store
from trailwatch.cli.main import Invocation
from trailwatch.errors import UsageError

if TYPE_CHECKING:
    from trailwatch.model.alert import AlertState, Verdict

_NOTE = click.option("--note", "--reason", "note", default="", help="Why; kept in the alert's history.")


@click.command()
@click.argument("alert_id", metavar="ID")
@_NOTE
@click.pass_obj
def ack(invocation: Invocation, alert_id: str, note: str) -> None:
    """Say that somebody is on it."""
    from trailwatch.model.alert import AlertState

    _handle(invocation, alert_id, AlertState.ACKED, None, note)


@click.command()
@click.argument("alert_id", metavar="ID")
@click.option(
    "--verdict",
    type=click.Choice(["true-positive", "false-positive"]),
    required=True,
    help="true-positive: it was what the rule says, and unwanted.",
)
@_NOTE
@click.pass_obj
def close(invocation: Invocation, alert_id: str, verdict: str, note: str) -> None:
    """Say that it is done, and what it was."""
    from trailwatch.model.alert import AlertState, Verdict

    _handle(invocation, alert_id, AlertState.CLOSED, Verdict(verdict), note)


@click.command()
@click.argument("alert_id", metavar="ID")
@click.option("--for", "span", required=True, metavar="DURATION", help="For how long, such as 4h or 2d.")
@_NOTE
@click.pass_obj
def snooze(invocation: Invocation, alert_id: str, span: str, note: str) -> None:
    """Put it off: it is not listed until then, and is told once more if it was not closed by then.

    An alert that grows more severe is told at once all the same.
    """
    from trailwatch.cli.scan_output import iso
    from trailwatch.model.alert import AlertState
    from trailwatch.model.inert import for_terminal

    seconds, now = span_of(span), int(datetime.now(UTC).timestamp())
    with opened_store(invocation) as store, store.transaction():
        alert = find_alert(store, alert_id)
        if alert.state is AlertState.CLOSED:
            raise UsageError(f"alert {alert.id}", "it is closed, so nobody is told of it", "ack it to open it again")
        store.handling.snooze(alert.id, now + seconds, note, now)
    click.echo(f"{alert.id} put off until {iso(now + seconds)}: {for_terminal(alert.title)}")


@click.command()
@click.argument("alert_id", metavar="ID")
@click.argument("text")
@click.pass_obj
def note(invocation: Invocation, alert_id: str, text: str) -> None:
    """Keep TEXT with it: what somebody found out. Earlier notes stay in its history."""
    from trailwatch.model.inert import for_terminal

    if not text.strip():
        raise UsageError("TEXT", "it is empty", "write what you found out")
    with opened_store(invocation) as store, store.transaction():
        alert = find_alert(store, alert_id)
        store.handling.note(alert.id, text, int(datetime.now(UTC).timestamp()))
    click.echo(f"{alert.id} noted: {for_terminal(alert.title)}")


def span_of(text: str) -> int:
    """The seconds of `--for`.

    Raises:
        UsageError: it is no span, or none at all.
    """
    from trailwatch.config.units import parse_duration

    try:
        seconds = int(parse_duration(text))
    except ValueError as error:
        raise UsageError("--for", str(error), "write it so") from error
    if not seconds:
        raise UsageError("--for", "must be more than 0", "ack it, or close it")
    return seconds


def _handle(invocation: Invocation, alert_id: str, state: AlertState, verdict: Verdict | None, note: str) -> None:
    from trailwatch.model.inert import for_terminal

    with opened_store(invocation) as store, store.transaction():
        alert = find_alert(store, alert_id)
        store.alerts.handle(alert.id, state, verdict, note, int(datetime.now(UTC).timestamp()))
    said = f"{state.value} ({verdict.value})" if verdict else state.value
    click.echo(f"{alert.id} {said}: {for_terminal(alert.title)}")
