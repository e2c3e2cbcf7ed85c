"""Incidents as rows for tables and JSON lines, and as a page; every text masked, and escaped for where it goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trailwatch.cli.scan_output import iso, record_of
from trailwatch.model.incident import Incident
from trailwatch.model.inert import for_terminal
from trailwatch.model.secrets import Mask

FIELDS = (
    *(
        "incident",
        "score",
        "severity",
        "state",
        "actor",
        "actor_key",
        "ways",
        "principals",
        "first_time",
        "last_time",
    ),
    *("alert_count", "event_count", "tactics", "alerts", "rules", "keys", "sessions", "made", "addresses"),
    *("resources", "measures", "timeline", "merged"),
)
COLUMNS = {
    "first": "first_time",
    "last": "last_time",
    "score": "score",
    "severity": "severity",
    "began with": "actor",
    "tactics": "tactics",
    "alerts": "alert_count",
    "events": "event_count",
    "id": "incident",
}
_ALERTS_SHOWN = 50
_MOMENTS_SHOWN = 100


def incident_row(incident: Incident) -> dict[str, Any]:
    """What an output says of an incident, secrets masked."""
    mask = Mask(*(record_of(one.record) for alert in incident.alerts for one in alert.evidence))
    return {
        "incident": incident.id,
        "score": incident.score,
        "severity": incident.severity.value,
        "state": incident.state.value,
        "actor": mask(incident.actor),
        "actor_key": mask(incident.actor_key),
        "ways": list(dict.fromkeys(mask(alert.actor) for alert in incident.alerts)),
        "principals": [mask(text) for text in incident.principals],
        "first_time": iso(incident.first_time),
        "last_time": iso(incident.last_time),
        "alert_count": len(incident.alerts),
        "event_count": incident.event_count,
        "tactics": list(incident.tactics),
        "alerts": [alert.id for alert in incident.alerts],
        "rules": list(dict.fromkeys(alert.rule.slug for alert in incident.alerts)),
        "keys": list(incident.keys),
        "sessions": [mask(text) for text in incident.sessions],
        "made": [mask(text) for text in incident.made],
        "addresses": [mask(text) for text in incident.addresses],
        "resources": [mask(text) for text in incident.resources],
        "measures": [{"target": mask(one.target), "action": one.action} for one in incident.measures],
        "timeline": [
            {
                "time": iso(one.time),
                "event_name": one.event_name,
                "severity": one.severity.value,
                "title": mask(one.title),
                "account": one.account,
                "region": one.region,
                "source_ip": mask(one.source_ip),
                "error_code": one.error_code,
                "event_id": one.event_id,
                "alert": one.alert_id,
            }
            for one in incident.timeline
        ],
        "merged": list(incident.merged),
    }


def page(incident: Incident) -> Iterator[str]:
    """An incident as lines for a terminal."""
    row = incident_row(incident)
    yield for_terminal(f"{row['severity']}, score {row['score']} of 100: {row['actor']}")
    for name, text in _facts(row).items():
        if text:
            yield f"  {name:<12} {for_terminal(text)}"
    yield from _list("What to contain, in this order", [f"{m['target']}: {m['action']}" for m in row["measures"]])
    if row["measures"]:
        yield f"  see what would do it: trailwatch respond plan {row['incident']}"
    yield from _list("Made by it", row["made"])
    alerts = [
        f"{iso(alert.first_time)}  {alert.severity.value:<13} {alert.title}  ({alert.id})"
        for alert in incident.alerts
    ]
    yield from _list("Alerts", alerts, _ALERTS_SHOWN)
    moments = [
        "  ".join(text for text in (m["time"], m["event_name"], m["error_code"], m["source_ip"], m["region"]) if text)
        for m in row["timeline"]
    ]
    yield from _list("Timeline", moments, _MOMENTS_SHOWN)
    yield from _list("Resources touched", row["resources"])


def _facts(row: dict[str, Any]) -> dict[str, str]:
    return {
        "id": row["incident"],
        "state": row["state"],
        "began with": row["actor"],
        "principals": ", ".join(row["principals"]),
        "first event": row["first_time"],
        "last event": row["last_time"],
        "events": str(row["event_count"]),
        "tactics": " -> ".join(row["tactics"]),
        "from": ", ".join(row["addresses"]),
        "keys": ", ".join(row["keys"]),
        "sessions": ", ".join(row["sessions"]),
        "ways": "; ".join(row["ways"]) if len(row["ways"]) > 1 else "",
        "also known as": ", ".join(row["merged"]),
    }


def _list(title: str, lines: list[str], most: int = 100) -> Iterator[str]:
    if not lines:
        return
    yield ""
    yield f"{title}:"
    yield from (f"  {for_terminal(line)}" for line in lines[:most])
    if len(lines) > most:
        yield f"  ... and {len(lines) - most:,} more; --format jsonl has them all"
