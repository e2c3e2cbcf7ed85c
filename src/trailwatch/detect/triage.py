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


def _by_time(match: Match) -> tuple[int, str]:
    return match.time, match.event_id


def _alert_of(matches: Sequence[Match]) -> Alert:
    first = matches[0]
    return Alert(
        id=first.alert_id,
        rule=first.rule,
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
    )
