"""Stage 3, what is told: alerts become messages, one for each principal."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from trailwatch.model.alert import Alert
from trailwatch.model.message import Message

ALERTS_TOLD = 100
"""Alerts in one message; more go into a further one."""
RECORDS_TOLD = 1024 * 1024
"""Bytes of raw records in one message; evidence beyond has none, the store and the archive do."""
HEADLINE_TOLD = 200


def messages_of(alerts: Iterable[Alert], now: int) -> list[Message]:
    """One message for each incident, most severe first; several where it has more than `ALERTS_TOLD` alerts.

    Alerts without an incident go by their principal.

    The ids are a pure function of what is told and when it is decided.

    Args:
        alerts: what to tell.
        now: seconds since 1970.
    """
    together: dict[str, list[Alert]] = {}
    for alert in sorted(alerts, key=lambda a: (-a.severity.rank, a.first_time, a.id)):
        together.setdefault(alert.incident or alert.principal, []).append(alert)
    return [
        _message(found[0].principal, found[start : start + ALERTS_TOLD], now)
        for found in together.values()
        for start in range(0, len(found), ALERTS_TOLD)
    ]


def _message(principal: str, alerts: list[Alert], now: int) -> Message:
    digest = hashlib.sha256(f"{now}\0{principal}".encode())
    for alert in alerts:
        digest.update(f"\0{alert.id}\0{alert.severity.value}".encode())
    return Message(
        id=digest.hexdigest()[:32],
        created=now,
        principal=principal,
        alerts=tuple(_within(alerts, RECORDS_TOLD)),
        headline=_headline(alerts),
    )


def _headline(alerts: list[Alert]) -> str:
    worst = alerts[0]
    more = f" and {len(alerts) - 1} more" if len(alerts) > 1 else ""
    title = "".join(c if c.isprintable() else "\ufffd" for c in worst.title[:HEADLINE_TOLD])
    return f"{worst.severity.value}: {title}{more}"


def _within(alerts: list[Alert], budget: int) -> Iterable[Alert]:
    for alert in alerts:
        evidence = []
        for one in alert.evidence:
            budget -= len(one.record)
            evidence.append(one if budget >= 0 else msgspec.structs.replace(one, record=b""))
        yield msgspec.structs.replace(alert, evidence=tuple(evidence))
