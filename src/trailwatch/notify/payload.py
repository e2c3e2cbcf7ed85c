"""A message as data: the JSON that webhooks get and files keep. Every text in it is inert and masked."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any

import msgspec

from trailwatch.model.alert import Alert
from trailwatch.model.message import Message
from trailwatch.notify.compose import by_weight, view_of
from trailwatch.notify.plain import inert
from trailwatch.notify.wording import as_brief, subject

VERSION = 1
"""Changes only when a field goes or means something else; new fields may come at any time."""


def as_data(message: Message, zone: tzinfo | None) -> dict[str, Any]:
    """The message as JSON has it.

    Args:
        message: what is told.
        zone: for local times in texts; None for the machine's.
    """
    view = view_of(message, zone)
    return {
        "version": VERSION,
        "id": inert(message.id),
        "kind": message.kind.value,
        "time": f"{datetime.fromtimestamp(message.created, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "severity": view.severity,
        "subject": subject(message).removeprefix("[trailwatch] "),
        "text": as_brief(message, zone),
        "conversation": inert(message.conversation),
        "plan": inert(message.plan),
        "who": view.who,
        "preface": view.preface,
        "commands": list(view.commands),
        "alerts": [
            {**msgspec.to_builtins(shown), **_facts(alert)}
            for shown, alert in zip(view.alerts, by_weight(message), strict=False)
        ],
        "more": [msgspec.to_builtins(line) for line in (*view.folded, *view.lines)],
        "counts": [msgspec.to_builtins(group) for group in view.counts],
        "total": message.total or len(message.alerts),
    }


def _facts(alert: Alert) -> dict[str, Any]:
    """What a program asks of an alert."""
    return {
        "account": inert(alert.account),
        "region": inert(alert.region),
        "regions": [inert(region) for region in alert.regions or (alert.region,)],
        "incident": inert(alert.incident),
        "event_count": alert.event_count,
        "same": [inert(twin) for twin in alert.twins],
        "tactics": [inert(one) for one in alert.rule.tactics],
        "techniques": [inert(one) for one in alert.rule.techniques],
    }


def as_json(message: Message, zone: tzinfo | None) -> bytes:
    """The same, as one line of JSON in ASCII, which nothing that reads it can stumble over."""
    import json

    return json.dumps(as_data(message, zone), ensure_ascii=True, separators=(",", ":")).encode("ascii")
