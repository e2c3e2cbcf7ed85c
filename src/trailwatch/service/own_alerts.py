"""Alerts that trailwatch raises about itself: kept, listed, told and closed like all others.

One stays open for as long as it is so. One that is still so a day after somebody closed it comes again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from trailwatch.model.alert import Alert, AlertState, Evidence
from trailwatch.model.identity import alert_id
from trailwatch.model.rule import OWN_ORIGIN, Dedup, RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.store.store import Store

DAY_SECONDS = 86400
PRINCIPAL = "trailwatch"


class Complaint(msgspec.Struct, frozen=True):
    """What is wrong in one account and region."""

    account: str
    region: str
    title: str
    reason: str
    facts: Mapping[str, str]
    known: bool = False
    """Whether people were told already in another way."""


def raise_alerts(store: Store, rule: RuleInfo, complaints: Iterable[Complaint], now: int) -> list[Alert]:
    """Opens an alert for each complaint that has none yet; those that were opened.

    Args:
        store: where they are kept; the normal way of alerts tells them.
        rule: which of trailwatch's own rules it is.
        complaints: what is wrong now.
        now: seconds since 1970.
    """
    opened: list[Alert] = []
    standing = {(account, region) for _, account, region in store.alerts.unclosed(rule.id)}
    with store.transaction():
        for one in complaints:
            if (one.account, one.region) in standing:
                continue
            fresh = store.alerts.merge([_alert(rule, one, now)], now)
            if one.known:
                store.alerts.mark_told([alert.id for alert in fresh], now)
            opened += fresh
    return opened


def close_alerts(store: Store, rule: RuleInfo, over: Iterable[tuple[str, str]], why: str, now: int) -> int:
    """Closes the open alerts of these accounts and regions; how many."""
    done, good = 0, set(over)
    for number, account, region in store.alerts.unclosed(rule.id):
        if (account, region) in good:
            store.alerts.handle(number, AlertState.CLOSED, None, why, now)
            done += 1
    return done


def own_rule(rule_id: str, title: str, description: str, triage: tuple[str, ...]) -> RuleInfo:
    """A rule of trailwatch's own; what it says is worth a high alert."""
    return RuleInfo(
        id=rule_id,
        slug=rule_id,
        title=title,
        severity=Severity.HIGH,
        origin=OWN_ORIGIN,
        description=description,
        triage=triage,
        dedup=Dedup(by=("recipientAccountId", "awsRegion"), period_seconds=DAY_SECONDS),
    )


def _alert(rule: RuleInfo, one: Complaint, now: int) -> Alert:
    day = now // DAY_SECONDS
    evidence = Evidence(
        event_id=f"{rule.id}:{one.account}:{one.region}:{day}",
        time=now,
        event_name=rule.id,
        event_source=PRINCIPAL,
        account=one.account,
        region=one.region,
        source_ip="",
        user_agent="",
        error_code="",
        reason=one.reason,
        record=msgspec.json.encode(dict(one.facts)),
    )
    return Alert(
        id=alert_id(rule.id, [one.account, one.region], now, DAY_SECONDS),
        rule=rule,
        title=one.title,
        principal=PRINCIPAL,
        actor=PRINCIPAL,
        account=one.account,
        region=one.region,
        first_time=now,
        last_time=now,
        event_count=1,
        evidence=(evidence,),
        context=dict(one.facts),
    )
