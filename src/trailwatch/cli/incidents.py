"""`trailwatch incidents`: what belongs together, who began it, how bad it is and what to contain."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from trailwatch.cli.alert_choice import find_incident
from trailwatch.cli.incidents_handling import ack, close, note, snooze
from trailwatch.cli.lazy_group import Entry, LazyGroup
from trailwatch.cli.main import Invocation
from trailwatch.cli.row_output import FORMAT, write_data, write_rows
from trailwatch.errors import StoreError

if TYPE_CHECKING:
    from trailwatch.model.incident import Incident
    from trailwatch.store.incidents import Kept
    from trailwatch.store.store import Store

_LOOKED_AT = 10_000
"""Of so many incidents at most it is asked whether they fit."""
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
@click.option(
    "--severity",
    type=click.Choice(["informational", "low", "medium", "high", "critical"]),
    default="informational",
    show_default=True,
    help="The least severity of the worst of its alerts.",
)
@click.option("--since", help="Last event not before this: a time in ISO 8601, or how long ago: 90m, 24h, 30d.")
@click.option("--until", help="First event before this.")
@click.option("--account", default="", help="Only incidents with an alert of this account.")
@click.option("--region", default="", help="Only incidents with an alert of this region.")
@click.option("--rule", default="", help="Only incidents with an alert of this rule, by id or short name.")
@click.option("--who", default="", help="Only where the actor or a principal has this in it.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The latest so many.")
@FORMAT
@click.pass_obj
def list_incidents(
    invocation: Invocation, /, *, states: tuple[str, ...], since: str | None, limit: int, form: str, **chosen: Any
) -> None:
    """List incidents, the worst first."""
    from trailwatch.cli.incident_output import COLUMNS, incident_row
    from trailwatch.cli.times import seconds
    from trailwatch.model.alert import AlertState

    wanted = list(AlertState) if "all" in states else [AlertState(state) for state in states]
    now = datetime.now(UTC)
    begin, end = seconds(since, "--since", now) or 0, seconds(chosen.pop("until"), "--until", now) or 0
    with _store(invocation) as store:
        every = (whole_incident(store, one) for one in store.incidents.latest(wanted, begin, _LOOKED_AT))
        found = list(islice((one for one in every if _fits(one, until=end, **chosen)), limit))
    found.sort(key=lambda one: (-one.score, one.first_time))
    write_rows([incident_row(one) for one in found], COLUMNS, form, "no incidents")


def _fits(
    incident: Incident,
    *,
    min_score: int,
    severity: str,
    until: int,
    account: str,
    region: str,
    rule: str,
    who: str,
) -> bool:
    from trailwatch.model.severity import Severity

    alerts = incident.alerts
    return (
        incident.score >= min_score
        and incident.severity >= Severity(severity)
        and (not until or incident.first_time < until)
        and (not account or any(alert.account == account for alert in alerts))
        and (not region or any(alert.region == region for alert in alerts))
        and (not rule or any(rule in (alert.rule.id, alert.rule.slug) for alert in alerts))
        and (not who or who.lower() in "\n".join((incident.actor, *incident.principals)).lower())
    )


@command.command()
@click.argument("incident_id", metavar="ID")
@FORMAT
@click.pass_obj
def show(invocation: Invocation, incident_id: str, form: str) -> None:
    """Show everything about one incident: its timeline, what it touched, what to contain."""
    from trailwatch.cli.incident_output import incident_row, page

    with _store(invocation) as store:
        kept = find_incident(store, incident_id)
        incident = whole_incident(store, kept)
    if form != "table":
        write_data([incident_row(incident)], form)
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
