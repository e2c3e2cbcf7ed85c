"""`trailwatch alerts`: list, show and handle. Needs no cycle's lock, so it never waits for one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from trailwatch.cli.alert_choice import find_alert, opened_store
from trailwatch.cli.alerts_handling import ack, close, note, snooze
from trailwatch.cli.lazy_group import Entry, LazyGroup
from trailwatch.cli.main import Invocation
from trailwatch.cli.row_output import FORMAT, write_data, write_rows

if TYPE_CHECKING:
    from trailwatch.model.alert import Alert, Evidence
    from trailwatch.store.store import Store

LAZY: dict[str, Entry] = {
    "suppress": Entry(
        "trailwatch.cli.alerts_suppress", "Write a suppression, after showing what it would have hidden."
    ),
}

COLUMNS = {
    "id": "alert_id",
    "first": "first_time",
    "severity": "severity",
    "state": "state",
    "alert": "title",
    "who": "actor",
    "account": "account",
    "region": "region",
    "events": "event_count",
}
"""Headings of the table, and which value stands under each."""


@click.group(cls=LazyGroup, lazy=LAZY)
def command() -> None:
    """List, show and handle alerts. An id may be cut to any unique beginning."""


for handling in (ack, close, snooze, note):
    command.add_command(handling)


@command.command(name="list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(["open", "acked", "closed", "all"]),
    default=["open", "acked"],
    show_default=True,
    help="Only alerts in this state; may be repeated.",
)
@click.option(
    "--severity",
    type=click.Choice(["informational", "low", "medium", "high", "critical"]),
    default="informational",
    show_default=True,
    help="The least severity to list.",
)
@click.option("--since", help="Last event not before this: a time in ISO 8601, or how long ago: 90m, 24h, 30d.")
@click.option("--account", default="", help="Only alerts of this account.")
@click.option("--region", default="", help="Only alerts of this region.")
@click.option("--rule", default="", help="Only alerts of this rule, by id or short name.")
@click.option("--until", help="First event before this.")
@click.option("--who", default="", help="Only where the principal or the actor has this in it.")
@click.option(
    "--verdict", type=click.Choice(["true-positive", "false-positive"]), help="Only alerts that were closed so."
)
@click.option("--snoozed", is_flag=True, help="Only alerts that were put off; otherwise they are left out.")
@click.option("--staged", is_flag=True, help="Alerts of rules on trial, which nobody was told of, and no others.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="The latest so many.")
@FORMAT
@click.pass_obj
def list_alerts(
    invocation: Invocation,
    /,
    *,
    states: tuple[str, ...],
    severity: str,
    since: str | None,
    until: str | None,
    verdict: str | None,
    snoozed: bool,
    form: str,
    **chosen: Any,
) -> None:
    """List alerts, oldest first."""
    from trailwatch.cli.times import seconds
    from trailwatch.model.alert import AlertState, Verdict
    from trailwatch.model.severity import Severity
    from trailwatch.store.alerts import AlertFilter

    now = datetime.now(UTC)
    every = "all" in states
    wanted = AlertFilter(
        states=() if every or verdict else tuple(AlertState(state) for state in states),
        min_severity=Severity(severity),
        since=seconds(since, "--since", now) or 0,
        until=seconds(until, "--until", now) or 0,
        verdict=Verdict(verdict) if verdict else None,
        snoozed=None if every and not snoozed else snoozed,
        **chosen,
    )
    with opened_store(invocation) as store:
        rows = [_row(alert) for alert in store.alerts.search(wanted)]
    write_rows(rows, COLUMNS, form, "no alerts")


@command.command()
@click.argument("alert_id", metavar="ID")
@FORMAT
@click.pass_obj
def show(invocation: Invocation, alert_id: str, form: str) -> None:
    """Show everything about one alert: the rule, the events, what was sent and what was done."""
    with opened_store(invocation) as store:
        alert = find_alert(store, alert_id)
        row = _everything(store, alert)
    if form != "table":
        write_data([row], form)
    else:
        for line in _page(alert, row):
            click.echo(line)


def _row(alert: Alert) -> dict[str, Any]:
    from trailwatch.cli.scan_output import alert_row, iso

    return {
        **alert_row(alert),
        "state": "staged" if alert.staged else alert.state.value,
        "verdict": alert.verdict.value if alert.verdict else None,
        "note": alert.note,
        "snoozed": iso(alert.snoozed) if alert.snoozed else None,
    }


def _everything(store: Store, alert: Alert) -> dict[str, Any]:
    from trailwatch.cli.scan_output import iso

    return {
        **_row(alert),
        "rule_origin": alert.rule.origin,
        "description": alert.rule.description,
        "triage": list(alert.rule.triage),
        "false_positives": list(alert.rule.false_positives),
        "references": list(alert.rule.references),
        "stored": iso(alert.created),
        "sent": [
            {"notifier": notifier, "state": state.value, "ended": None if ended is None else iso(ended)}
            for notifier, state, ended in store.outbox.sendings_of(alert.id)
        ],
        "history": [
            {
                "time": iso(change.at),
                "state": change.state.value,
                "verdict": change.verdict.value if change.verdict else None,
                "snoozed": None if change.snoozed is None else f"put off until {iso(change.snoozed)}",
                "note": change.note,
            }
            for change in store.alerts.history(alert.id)
        ],
        "events": [_event(evidence) for evidence in alert.evidence],
    }


def _event(evidence: Evidence) -> dict[str, Any]:
    """One event with its record; where the record cannot be read, nothing tells its secrets from the rest."""
    from trailwatch.cli.scan_output import iso
    from trailwatch.decode.records import to_mapping
    from trailwatch.errors import DecodeError
    from trailwatch.model.secrets import Mask, masked

    try:
        content = to_mapping(evidence.record)
        record = masked(content)
    except DecodeError:
        content, record = {}, f"({len(evidence.record):,} bytes that are no whole record; see the archive)"
    mask = Mask(content)
    return {
        "event_id": evidence.event_id,
        "time": iso(evidence.time),
        "event_name": evidence.event_name,
        "event_source": evidence.event_source,
        "account": evidence.account,
        "region": evidence.region,
        "source_ip": mask(evidence.source_ip),
        "user_agent": mask(evidence.user_agent),
        "error_code": evidence.error_code,
        "reason": mask(evidence.reason),
        "record": record,
    }


def _page(alert: Alert, row: dict[str, Any]) -> Iterator[str]:
    from trailwatch.model.inert import for_terminal

    yield for_terminal(f"{alert.severity.value}: {alert.title}")
    yield from _facts(row, for_terminal)
    for title, key in (
        ("What to do first", "triage"),
        ("Known false alarms", "false_positives"),
        ("More", "references"),
    ):
        if row[key]:
            yield ""
            yield f"{title}:"
            yield from (f"  {for_terminal(str(line))}" for line in row[key])
    yield from _log("Sent", row["sent"], for_terminal)
    yield from _log("Handled", row["history"], for_terminal)
    for number, event in enumerate(row["events"], 1):
        yield ""
        yield f"Event {number} of {alert.event_count}:"
        for name, value in event.items():
            if name != "record" and value:
                yield f"  {name:<13} {for_terminal(str(value))}"
        text = json.dumps(event["record"], indent=2, ensure_ascii=False)
        yield from (f"  {for_terminal(line)}" for line in text.splitlines())


def _facts(row: dict[str, Any], inert: Callable[[str], str]) -> Iterator[str]:
    facts = {
        "id": row["alert_id"],
        "state": row["state"] + (f" ({row['verdict']})" if row["verdict"] else ""),
        "put off until": row["snoozed"],
        "note": row["note"],
        "who": row["actor"] or row["principal"],
        "principal": row["principal"],
        "incident": row["incident"],
        "account": row["account"],
        "region": row["region"],
        "events": row["event_count"],
        "first event": row["first_time"],
        "last event": row["last_time"],
        "stored": row["stored"],
        "rule": f"{row['rule']} ({row['rule_id']}), {row['rule_origin']}",
        "tactics": ", ".join(row["tactics"]),
        "techniques": ", ".join(row["techniques"]),
        "why": " ".join(row["description"].split()),
        **row["context"],
    }
    for name, value in facts.items():
        if value:
            yield f"  {inert(str(name)):<13} {inert(str(value))}"


def _log(title: str, entries: list[dict[str, Any]], inert: Callable[[str], str]) -> Iterator[str]:
    if entries:
        yield ""
        yield f"{title}:"
        for entry in entries:
            yield "  " + inert("  ".join(str(value) for value in entry.values() if value))
