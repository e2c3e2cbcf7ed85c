"""Stage 3, what is one thing for people: alerts that say the same of several regions are told as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from trailwatch.model.alert import EVIDENCE_KEPT, Alert, Evidence


def as_one(alerts: Iterable[Alert]) -> list[Alert]:
    """The alerts in their order; of those that one principal caused by one rule in several regions only the first.

    It has the evidence, times and regions of all, and names the others as its twins.
    """
    groups: dict[tuple[str, ...], list[Alert]] = {}
    for alert in alerts:
        key = (alert.rule.id, alert.severity.value, alert.principal, alert.account, alert.title, alert.incident)
        groups.setdefault(key, []).append(alert)
    found: list[Alert] = []
    for group in groups.values():
        several = len({region for alert in group for region in regions_of(alert)}) > 1
        apart = len({alert.region for alert in group}) > 1
        found += [_joined(group)] if apart and several else group
    return found


def regions_of(alert: Alert) -> tuple[str, ...]:
    """Every region that the alert speaks of, in order."""
    return tuple(sorted({*alert.regions, alert.region, *(one.region for one in alert.evidence)} - {""}))


def _joined(group: Sequence[Alert]) -> Alert:
    first = group[0]
    return msgspec.structs.replace(
        first,
        first_time=min(alert.first_time for alert in group),
        last_time=max(alert.last_time for alert in group),
        event_count=sum(alert.event_count for alert in group),
        evidence=_evidence(group),
        twins=tuple(alert.id for alert in group[1:]),
        regions=tuple(sorted({region for alert in group for region in regions_of(alert)})),
    )


def _evidence(group: Sequence[Alert]) -> tuple[Evidence, ...]:
    """The first event of each, then as many of the others as are kept; by time."""
    chosen: dict[tuple[str, str], Evidence] = {}
    for depth in range(EVIDENCE_KEPT):
        for alert in group:
            if depth < len(alert.evidence) and len(chosen) < EVIDENCE_KEPT:
                one = alert.evidence[depth]
                chosen.setdefault((one.account, one.event_id), one)
    return tuple(sorted(chosen.values(), key=lambda one: (one.time, one.event_id, one.account)))
