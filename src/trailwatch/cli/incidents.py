"""`trailwatch incidents`: what belongs together, who began it, how bad it is and what to contain."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from trailwatch.cli.alert_choice import find_incident
from trailwatch.cli.incidents_handling import ack, close, note, snooze
from trailwatch.cli.lazy_group import Entry, LazyGroup
from trailwatch.cli.main import Invocation
from trailwatch.errors import StoreError

if TYPE_CHECKING:
    from trailwatch.model.incident import Incident
    from trailwatch.store.incidents import Kept
    from trailwatch.store.store import Store

_FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "jsonl"]), default="table", help="How to print."
)


LAZY: dict[str, Entry] = {
    "suppress": Entry(
        "trailwatch.cli.incidents_suppress", "Write a suppression, after showing what it would have hidden."
    ),
}


@click.group(cls=LazyGroup, lazy=LAZY)
def command() -> None:
    """List, show and handle incidents: the alerts of one actor as one story."""


for handling in (ack, close, snooze, note):
    command.add_command(handling)


@command.command("list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(["open", "acked", "closed", "all"]),
    default=["open", "acked"],
    show_default=True,
    help="Only incidents with an alert in this state; may be repeated.",
)
@click.option("--min-score", type=click.IntRange(0, 100), default=0, show_default=True, help="The least score.")
@click.option("--since", help="Last event not before this: a time in ISO 8601, or how long ago: 90m, 24h, 30d.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The latest so many.")
@_FORMAT
@click.pass_obj
def list_incidents(
    invocation: Invocation, states: tuple[str, ...], min_score: int, since: str | None, limit: int, form: str
) -> None:
    """List incidents, the worst first."""
    from trailwatch.cli.incident_output import COLUMNS, incident_row
    from trailwatch.cli.scan_output import write_jsonl, write_table
    from trailwatch.cli.times import seconds
    from trailwatch.model.alert import AlertState

    wanted = list(AlertState) if "all" in states else [AlertState(state) for state in states]
    begin = seconds(since, "--since", datetime.now(UTC)) or 0
    with _store(invocation) as store:
        found = [whole_incident(store, one) for one in store.incidents.latest(wanted, begin, limit)]
    found = sorted((one for one in found if one.score >= min_score), key=lambda one: (-one.score, one.first_time))
    rows = [incident_row(one) for one in found]
    if form == "jsonl":
        write_jsonl(rows, sys.stdout)
    elif rows:
        write_table(rows, COLUMNS, sys.stdout)
    if not rows:
        click.echo("no incidents", err=True)


@command.command()
@click.argument("incident_id", metavar="ID")
@_FORMAT
@click.pass_obj
def show(invocation: Invocation, incident_id: str, form: str) -> None:
    """Show everything about one incident: its timeline, what it touched, what to contain."""
    from trailwatch.cli.incident_output import incident_row, page
    from trailwatch.cli.scan_output import write_jsonl

    with _store(invocation) as store:
        kept = find_incident(store, incident_id)
        incident = whole_incident(store, kept)
    if form == "jsonl":
        write_jsonl([incident_row(incident)], sys.stdout)
        return
    for line in page(incident):
        click.echo(line)


def whole_incident(store: Store, kept: Kept) -> Incident:
    """The incident with its alerts.

    Raises:
        StoreError: its alerts are past their time.
    """
    from trailwatch.detect.incidents import RARITY_SECONDS, incident_of

    alerts = [alert for one in store.incidents.alert_ids(kept.id) if (alert := store.alerts.get(one)) is not None]
    if not alerts:
        raise StoreError(f"incident {kept.id}", "its alerts are past their time", "the archive has the events")
    until = max(alert.last_time for alert in alerts)
    rules = {alert.rule.id for alert in alerts}
    others = store.incidents.others(rules, kept.actor_key, until - RARITY_SECONDS, until)
    return incident_of(
        kept.id, kept.actor_key, alerts, others, created=kept.created, merged=store.incidents.merged(kept.id)
    )


def _store(invocation: Invocation) -> Store:
    from trailwatch import wiring

    return wiring.open_store(invocation.config(), invocation.environment)
