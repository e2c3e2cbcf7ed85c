"""Suppressed: what a suppression kept from becoming an alert; counted and listed, never dropped in silence."""

from __future__ import annotations

import msgspec

from trailwatch.model.alert import Alert
from trailwatch.model.match import Match
from trailwatch.model.severity import Severity

LAPSED = "suppression"
"""In a context: which suppression would have hidden this, had it not expired."""


class Suppressed(msgspec.Struct, frozen=True):
    """One event of an alert that nobody was told of."""

    suppression: str
    """Its name."""
    rule_id: str
    slug: str
    severity: Severity
    title: str
    alert_id: str
    time: int
    """Event time in seconds since 1970."""
    account: str
    region: str
    event_id: str
    event_name: str
    principal: str
    actor: str
    source_ip: str


def suppressed_match(match: Match, suppression: str) -> Suppressed:
    return Suppressed(
        suppression=suppression,
        rule_id=match.rule.id,
        slug=match.rule.slug,
        severity=match.rule.severity,
        title=match.title or match.rule.title,
        alert_id=match.alert_id,
        time=match.time,
        account=match.account,
        region=match.region,
        event_id=match.event_id,
        event_name=match.event_name,
        principal=match.principal,
        actor=match.actor,
        source_ip=match.source_ip,
    )


def lapsed_alert(alert: Alert, text: str) -> Alert:
    """The alert, saying that nobody heard of such ones until a suppression expired."""
    return msgspec.structs.replace(alert, context={**alert.context, LAPSED: text})
