"""Alerts as a table or as JSON lines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from trailwatch.model.alert import Alert

COLUMNS = ("TIME", "SEVERITY", "RULE", "PRINCIPAL", "ACCOUNT", "REGION", "EVENTS")


def write_alerts(alerts: Sequence[Alert], form: str) -> None:
    """Writes alerts to stdout.

    Args:
        alerts: in the order of the output.
        form: `table` or `jsonl`.
    """
    if form == "jsonl":
        for alert in alerts:
            click.echo(msgspec.json.encode(as_mapping(alert)))
        return
    rows = [COLUMNS, *(_row(alert) for alert in alerts)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def as_mapping(alert: Alert) -> dict[str, Any]:
    """An alert as JSON output shows it."""
    return {
        "id": alert.id,
        "rule_id": alert.rule.id,
        "title": alert.title,
        "severity": alert.severity.value,
        "tactics": alert.rule.tactics,
        "techniques": alert.rule.techniques,
        "first_time": _time(alert.first_time),
        "last_time": _time(alert.last_time),
        "account": alert.account,
        "region": alert.region,
        "principal": alert.principal,
        "actor": alert.actor,
        "event_count": alert.event_count,
        "event_ids": [evidence.event_id for evidence in alert.evidence],
        "reason": alert.evidence[0].reason if alert.evidence else "",
    }


def _row(alert: Alert) -> tuple[str, ...]:
    texts = (
        _time(alert.first_time),
        alert.severity.value,
        alert.title,
        alert.principal,
        alert.account,
        alert.region,
        str(alert.event_count),
    )
    # what an intruder chose must not steer the terminal
    return tuple("".join(char if char.isprintable() else "\ufffd" for char in text) for text in texts)


def _time(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
