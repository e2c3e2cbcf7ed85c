"""`trailwatch alerts`: list, show, acknowledge and close. Needs no cycle's lock, so it never waits for one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from trailwatch.cli.main import Invocation
from trailwatch.errors import StoreError

if TYPE_CHECKING:
    from trailwatch.model.alert import Alert, AlertState, Evidence, Verdict
    from trailwatch.store.store import Store

_FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "jsonl"]),
    default="table",
    show_default=True,
    help="How to print.",
)
_NOTE = click.option("--note", default="", help="Why; kept in the alert's history.")
_PREFIXES_SHOWN = 10
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


@click.group()
def command() -> None:
    """List, show, acknowledge and close alerts. An id may be cut to any unique beginning."""


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
@click.option("--rule", default="", help="Only alerts of this rule, by id or short name.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="The latest so many.")
@_FORMAT
@click.pass_obj
def list_alerts(
    invocation: Invocation,
    states: tuple[str, ...],
    severity: str,
    since: str | None,
    account: str,
    rule: str,
    limit: int,
    form: str,
) -> None:
    """List alerts, oldest first."""
    from trailwatch.cli.scan_output import write_jsonl, write_table
    from trailwatch.cli.times import seconds
    from trailwatch.model.alert import AlertState
    from trailwatch.model.severity import Severity
    from trailwatch.store.alerts import AlertFilter

    wanted = AlertFilter(
        states=() if "all" in states else tuple(AlertState(state) for state in states),
        min_severity=Severity(severity),
        since=seconds(since, "--since", datetime.now(UTC)) or 0,
        account=account,
        rule=rule,
        limit=limit,
    )
    with _store(invocation) as store:
        rows = [_row(alert) for alert in store.alerts.search(wanted)]
    if form == "jsonl":
        write_jsonl(rows, sys.stdout)
    elif rows:
        write_table(rows, COLUMNS, sys.stdout)
    if not rows:
        click.echo("no alerts", err=True)


@command.command()
@click.argument("alert_id", metavar="ID")
@_FORMAT
@click.pass_obj
def show(invocation: Invocation, alert_id: str, form: str) -> None:
    """Show everything about one alert: the rule, the events, what was sent and what was done."""
    with _store(invocation) as store:
        alert = _find(store, alert_id)
        row = _everything(store, alert)
    if form == "jsonl":
        from trailwatch.cli.scan_output import write_jsonl

        write_jsonl([row], sys.stdout)
    else:
        for line in _page(alert, row):
            click.echo(line)


@command.command()
@click.argument("alert_id", metavar="ID")
@_NOTE
@click.pass_obj
def ack(invocation: Invocation, alert_id: str, note: str) -> None:
    """Say that somebody is on it."""
    from trailwatch.model.alert import AlertState

    _handle(invocation, alert_id, AlertState.ACKED, None, note)


@command.command()
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


def _handle(invocation: Invocation, alert_id: str, state: AlertState, verdict: Verdict | None, note: str) -> None:
    from trailwatch.model.inert import for_terminal

    with _store(invocation) as store, store.transaction():
        alert = _find(store, alert_id)
        store.alerts.handle(alert.id, state, verdict, note, int(datetime.now(UTC).timestamp()))
    said = f"{state.value} ({verdict.value})" if verdict else state.value
    click.echo(f"{alert.id} {said}: {for_terminal(alert.title)}")


def _store(invocation: Invocation) -> Store:
    from trailwatch import wiring

    return wiring.open_store(invocation.config(), invocation.environment)


def _find(store: Store, prefix: str) -> Alert:
    found = store.alerts.find(prefix.strip().lower(), _PREFIXES_SHOWN)
    if len(found) == 1:
        return found[0]
    where = f"alert {prefix!r}"
    if not found:
        raise StoreError(where, "there is none with this id", "`trailwatch alerts list --state all` lists them")
    raise StoreError(where, f"more than one begins so: {', '.join(alert.id for alert in found)}", "write more of it")


def _row(alert: Alert) -> dict[str, Any]:
    from trailwatch.cli.scan_output import alert_row

    return {
        **alert_row(alert),
        "state": alert.state.value,
        "verdict": alert.verdict.value if alert.verdict else None,
        "note": alert.note,
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
        "note": row["note"],
        "who": row["actor"] or row["principal"],
        "principal": row["principal"],
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
