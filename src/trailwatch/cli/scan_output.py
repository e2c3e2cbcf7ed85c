"""Matches and alerts as table, JSON lines or CSV; every text masked, and escaped for where it goes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

from trailwatch.decode.records import to_mapping
from trailwatch.errors import DecodeError
from trailwatch.model.alert import Alert
from trailwatch.model.inert import for_csv, for_terminal
from trailwatch.model.match import Match
from trailwatch.model.secrets import Mask
from trailwatch.model.severity import Severity

Row = Mapping[str, Any]

MATCH_FIELDS = (
    *("rule_id", "rule", "title", "severity", "tactics", "techniques", "time", "account", "region"),
    *("event_source", "event_name", "event_id", "event_ids", "principal", "actor", "source_ip", "user_agent"),
    *("error_code", "reason", "context", "alert_id", "alerting", "origin", "position"),
)
ALERT_FIELDS = (
    *("alert_id", "rule_id", "rule", "title", "severity", "tactics", "techniques", "first_time", "last_time"),
    *("event_count", "account", "region", "event_source", "event_name", "event_ids", "principal", "actor"),
    *("source_ip", "source_ips", "user_agent", "error_code", "reason", "context", "incident"),
)
MATCH_COLUMNS = {
    "time": "time",
    "severity": "severity",
    "rule": "title",
    "event": "event_name",
    "who": "actor",
    "from": "source_ip",
    "region": "region",
    "error": "error_code",
}
ALERT_COLUMNS = {
    "first": "first_time",
    "severity": "severity",
    "alert": "title",
    "who": "actor",
    "from": "source_ip",
    "region": "region",
    "events": "event_count",
    "id": "alert_id",
}
_STYLES = {
    Severity.CRITICAL.value: "bold white on red",
    Severity.HIGH.value: "bold red",
    Severity.MEDIUM.value: "yellow",
    Severity.LOW.value: "cyan",
    Severity.INFORMATIONAL.value: "dim",
}
_CSV_CELL = 32_000
"""Spreadsheets take no longer cells; JSON has everything."""
_TABLE_CELL = 2_000
_PLAIN_WIDTH = 100_000
"""Off a terminal nothing is folded: one line for each row, for grep."""


def match_row(match: Match) -> Row:
    """What an output says of a match, secrets masked."""
    mask = Mask(record_of(match.record))
    return {
        "rule_id": match.rule.id,
        "rule": match.rule.slug,
        "title": mask(match.title or match.rule.title),
        "severity": match.rule.severity.value,
        "tactics": list(match.rule.tactics),
        "techniques": list(match.rule.techniques),
        "time": iso(match.time),
        "account": match.account,
        "region": match.region,
        "event_source": match.event_source,
        "event_name": match.event_name,
        "event_id": match.event_id,
        "event_ids": list(match.event_ids or (match.event_id,)),
        "principal": mask(match.principal),
        "actor": mask(match.actor),
        "source_ip": mask(match.source_ip),
        "user_agent": mask(match.user_agent),
        "error_code": match.error_code,
        "reason": mask(match.reason),
        "context": {name: mask(text) for name, text in match.context.items()},
        "alert_id": match.alert_id,
        "alerting": match.rule.alerting,
        "origin": match.origin,
        "position": match.position,
    }


def alert_row(alert: Alert) -> Row:
    """What an output says of an alert, secrets masked; the events are those kept as evidence, oldest first."""
    mask = Mask(*(record_of(one.record) for one in alert.evidence))
    first = alert.evidence[0]
    return {
        "alert_id": alert.id,
        "rule_id": alert.rule.id,
        "rule": alert.rule.slug,
        "title": mask(alert.title),
        "severity": alert.severity.value,
        "tactics": list(alert.rule.tactics),
        "techniques": list(alert.rule.techniques),
        "first_time": iso(alert.first_time),
        "last_time": iso(alert.last_time),
        "event_count": alert.event_count,
        "account": alert.account,
        "region": alert.region,
        "event_source": first.event_source,
        "event_name": first.event_name,
        "event_ids": [one.event_id for one in alert.evidence],
        "principal": mask(alert.principal),
        "actor": mask(alert.actor),
        "source_ip": mask(first.source_ip),
        "source_ips": sorted({mask(one.source_ip) for one in alert.evidence}),
        "user_agent": mask(first.user_agent),
        "error_code": first.error_code,
        "reason": mask(first.reason),
        "context": {name: mask(text) for name, text in alert.context.items()},
        "incident": alert.incident,
    }


def write_jsonl(rows: Iterable[Row], stream: TextIO) -> None:
    """One ASCII line of JSON for each row, so that nothing in it acts on a terminal."""
    stream.writelines(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)


def write_csv(rows: Iterable[Row], columns: Sequence[str], stream: TextIO) -> None:
    """A header and one line for each row; lists joined by blanks, no cell that a spreadsheet would run or refuse."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        cells = (_short(_cell(row[name]), _CSV_CELL) for name in columns)
        writer.writerow([_short(for_csv(cell), _CSV_CELL) for cell in cells])


def write_table(rows: Sequence[Row], columns: Mapping[str, str], stream: TextIO) -> None:
    """A table for people; on a terminal as wide as that, elsewhere without colours."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = stream.isatty()
    console = Console(file=stream, width=None if terminal else _PLAIN_WIDTH, highlight=False, emoji=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, name in columns.items():
        table.add_column(
            heading,
            no_wrap=name in {"first_time", "last", "time", "severity", "alert_id", "event_id"},
            overflow="fold",
            justify="right" if name in {"event_count", "id", "times", "bytes"} else "left",
        )
    for row in rows:
        style = _STYLES.get(str(row.get("severity")), "")
        cells = [
            Text(for_terminal(_short(_cell(row[name]), _TABLE_CELL)), style if name == "severity" else "")
            for name in columns.values()
        ]
        table.add_row(*cells)
    console.print(table)


def iso(time: int) -> str:
    """Seconds since 1970 as CloudTrail writes times."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(str(item) for item in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return str(value)


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


def record_of(raw: bytes) -> Mapping[str, Any]:
    """The decoded record; empty for one that is not at hand or cannot be read, which has no secrets to look for."""
    if not raw:
        return {}
    try:
        return to_mapping(raw)
    except DecodeError:
        return {}
