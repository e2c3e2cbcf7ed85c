"""Stage 3, the pure half: matches become alerts by their alert id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trailwatch.model.alert import EVIDENCE_KEPT, Alert, evidence_of
from trailwatch.model.match import Match


def group(matches: Iterable[Match]) -> list[Alert]:
    """One alert for each alert id among the alerting matches, by (first event time, id).

    Repeated (rule, event) pairs count once, so redelivery changes nothing.
    """
    by_id: dict[str, dict[tuple[str, str], Match]] = {}
    for match in matches:
        if match.rule.alerting:
            by_id.setdefault(match.alert_id, {}).setdefault((match.account, match.event_id), match)
    alerts = [_alert_of(sorted(found.values(), key=_by_time)) for found in by_id.values()]
    return sorted(alerts, key=lambda alert: (alert.first_time, alert.id))


def events_of(matches: Iterable[Match]) -> dict[str, list[tuple[int, str, str]]]:
    """Event time, account and id of every event of each alert, by alert id; an alert itself has its first ones."""
    found: dict[str, dict[tuple[int, str, str], None]] = {}
    for match in matches:
        if match.rule.alerting:
            found.setdefault(match.alert_id, {})[match.time, match.account, match.event_id] = None
    return {alert_id: list(events) for alert_id, events in found.items()}


def _by_time(match: Match) -> tuple[int, str, str]:
    return match.time, match.event_id, match.account


def _alert_of(matches: Sequence[Match]) -> Alert:
    first = matches[0]
    return Alert(
        id=first.alert_id,
        # a script may rate each event on its own, and the worst must not hide behind the first
        rule=max(matches, key=lambda match: match.rule.severity).rule,
        title=first.title or first.rule.title,
        principal=first.principal,
        actor=first.actor,
        account=first.account,
        region=first.region,
        first_time=first.time,
        last_time=matches[-1].time,
        event_count=len(matches),
        evidence=tuple(evidence_of(match) for match in matches[:EVIDENCE_KEPT]),
        context=first.context,
        identity=first.identity,
    )
