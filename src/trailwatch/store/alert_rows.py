"""Alerts and their parts as rows, and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from trailwatch.model.alert import Alert, AlertState, Evidence, Head, Verdict
from trailwatch.model.rule import Dedup, RuleInfo
from trailwatch.store.text import RECORD_KEPT, storable, storable_id


def alert_of(row: sqlite3.Row, evidence: Iterable[sqlite3.Row]) -> Alert:
    """The alert of its row, with the rows of its evidence in order."""
    return Alert(
        id=row["id"],
        rule=msgspec.json.decode(row["rule"], type=RuleInfo),
        title=row["title"],
        principal=row["principal"],
        actor=row["actor"],
        account=row["account"],
        region=row["region"],
        first_time=row["first_time"],
        last_time=row["last_time"],
        event_count=row["event_count"],
        evidence=tuple(_evidence(found) for found in evidence),
        context=msgspec.json.decode(row["context"], type=dict[str, str]),
        state=AlertState(row["state"]),
        verdict=Verdict(row["verdict"]) if row["verdict"] else None,
        note=row["note"],
        created=row["created"],
        snoozed=row["snoozed"] or 0,
        identity=row["identity"],
        incident=row["incident"],
        staged=bool(row["staged"]),
        actor_key=row["actor_key"],
        head=_head(row["head_time"], row["head"]),
    )


def rule_text(rule: RuleInfo) -> str:
    """A rule as it is kept with its alerts."""
    try:
        return msgspec.json.encode(rule).decode()
    except UnicodeEncodeError:
        plain = RuleInfo(
            id=storable(rule.id),
            slug=storable(rule.slug),
            title=storable(rule.title),
            severity=rule.severity,
            origin=storable(rule.origin),
            dedup=Dedup(period_seconds=rule.dedup.period_seconds),
        )
        return msgspec.json.encode(plain).decode()


def head_row(head: Head) -> tuple[int, str]:
    """When it was, and the rest as a text whose order is the head's."""
    return head.time, f"{head.place:04} {storable_id(head.event_id)} {storable_id(head.account)}"


def _head(time: int, text: str) -> Head | None:
    place, _, rest = text.partition(" ")
    event_id, _, account = rest.rpartition(" ")
    return Head(time, int(place), event_id, account) if place else None


def evidence_row(evidence: Evidence) -> tuple[int | str | bytes, ...]:
    """What a row of evidence has besides its alert's id."""
    return (
        evidence.time,
        storable_id(evidence.event_id),
        storable_id(evidence.account),
        storable(evidence.event_name),
        storable(evidence.event_source),
        storable(evidence.region),
        storable(evidence.source_ip),
        storable(evidence.user_agent),
        storable(evidence.error_code),
        storable(evidence.reason),
        evidence.record[:RECORD_KEPT],
    )


def _evidence(row: sqlite3.Row) -> Evidence:
    return Evidence(
        event_id=row["event_id"],
        time=row["time"],
        event_name=row["event_name"],
        event_source=row["event_source"],
        account=row["account"],
        region=row["region"],
        source_ip=row["source_ip"],
        user_agent=row["user_agent"],
        error_code=row["error_code"],
        reason=row["reason"],
        record=row["record"],
    )
