"""Alerts at rest: merged by id, handled by people, told once.

What is stored of an alert is a pure function of the set of its events: the order in which they come, how they are
split over deliveries and how often they come change nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from trailwatch.model.alert import EVIDENCE_KEPT, Alert, AlertState, Verdict
from trailwatch.model.severity import Severity
from trailwatch.store.alert_rows import alert_of, evidence_row, head_row, rule_text
from trailwatch.store.database import Database
from trailwatch.store.handling import Change, Handling
from trailwatch.store.text import storable, storable_id

EventAt = tuple[int, str, str]
"""Event time, account, event id of one event of an alert."""


class AlertFilter(msgspec.Struct, frozen=True):
    """Which alerts to list; what is not set does not filter."""

    states: tuple[AlertState, ...] = ()
    min_severity: Severity = Severity.INFORMATIONAL
    since: int = 0
    """Last event not before this, in seconds since 1970."""
    account: str = ""
    rule: str = ""
    """Id or slug."""
    limit: int = 100
    until: int = 0
    """First event before this; 0 does not filter."""
    who: str = ""
    """Part of the principal or of the actor, in any case."""
    verdict: Verdict | None = None
    snoozed: bool | None = None
    """Whether it is put off."""
    staged: bool = False
    """Alerts of rules on trial instead of those that people are told of."""
    region: str = ""


class Alerts:
    def __init__(self, database: Database) -> None:
        self._db = database
        self._handling = Handling(database)

    def merge(
        self, alerts: Sequence[Alert], now: int, events: Mapping[str, Sequence[EventAt]] | None = None
    ) -> list[Alert]:
        """Keeps the alerts; one that is known grows. What comes back are those that were not known, as stored.

        An alert that grows more severe than it was is untold again.

        Args:
            alerts: with their first evidence, oldest first.
            now: seconds since 1970.
            events: every event of each alert by alert id, for alerts with more events than evidence.
        """
        opened = []
        with self._db.transaction():
            for alert in alerts:
                members = (events or {}).get(alert.id) or [(e.time, e.account, e.event_id) for e in alert.evidence]
                if self._merge_one(alert, now, members):
                    opened.append(alert.id)
            return [self._stored(alert_id) for alert_id in opened]

    def get(self, alert_id: str) -> Alert | None:
        """The alert with exactly this id."""
        row = self._db.one("SELECT * FROM alerts WHERE id = ?", (alert_id,))
        return None if row is None else self._alert(row)

    def has(self, alert_id: str) -> bool:
        """Whether there is an alert with exactly this id."""
        return self._db.one("SELECT 1 FROM alerts WHERE id = ?", (alert_id,)) is not None

    def find(self, prefix: str, limit: int = 10) -> list[Alert]:
        """Alerts whose id begins so, by id; at most `limit`."""
        begin = storable(prefix)
        rows = self._db.all(
            "SELECT * FROM alerts WHERE id >= ? AND id < ? || char(1114111) ORDER BY id LIMIT ?",
            (begin, begin, limit),
        )
        return [self._alert(row) for row in rows]

    def search(self, wanted: AlertFilter) -> list[Alert]:
        """The latest alerts that pass the filter, oldest first."""
        severities = [s.value for s in Severity if s >= wanted.min_severity]
        states = [s.value for s in wanted.states or AlertState]
        rows = self._db.all(
            f"""
            SELECT * FROM alerts
            WHERE severity IN ({_marks(severities)}) AND state IN ({_marks(states)}) AND last_time >= ?
              AND ? IN ('', account) AND ? IN ('', rule_id, slug) AND (? = 0 OR first_time < ?)
              AND instr(lower(principal || char(10) || actor), ?) AND ? IN ('', verdict)
              AND coalesce((snoozed IS NOT NULL) = ?, TRUE) AND staged = ? AND ? IN ('', region)
            ORDER BY last_time DESC, id DESC LIMIT ?
            """,  # noqa: S608 only question marks are put in
            (
                *(*severities, *states, wanted.since, storable(wanted.account), storable(wanted.rule)),
                *(wanted.until, wanted.until, storable(wanted.who.lower())),
                wanted.verdict.value if wanted.verdict else "",
                wanted.snoozed,
                wanted.staged,
                storable(wanted.region),
                wanted.limit,
            ),
        )
        return [self._alert(row) for row in reversed(rows)]

    def unclosed(self, rule_id: str) -> list[tuple[str, str, str]]:
        """Id, account and region of the alerts of a rule that are not closed."""
        rows = self._db.all(
            "SELECT id, account, region FROM alerts WHERE rule_id = ? AND state <> 'closed' ORDER BY id", (rule_id,)
        )
        return [(row["id"], row["account"], row["region"]) for row in rows]

    def told_since(self, since: int) -> int:
        """How many alerts people were told of since then."""
        row = self._db.one("SELECT count(*) AS number FROM alerts WHERE told >= ?", (since,))
        return int(row["number"]) if row else 0

    def counts(self) -> dict[AlertState, int]:
        """How many alerts are in each state, without those of rules on trial."""
        rows = self._db.all("SELECT state, count(*) FROM alerts WHERE staged = 0 GROUP BY state")
        found = {AlertState(row[0]): int(row[1]) for row in rows}
        return {state: found.get(state, 0) for state in AlertState}

    def untold(self) -> list[Alert]:
        """Alerts that are still to be told, by principal, then oldest first; not closed ones, nor rules on trial."""
        rows = self._db.all(
            """
            SELECT * FROM alerts WHERE told IS NULL AND state <> 'closed' AND snoozed IS NULL AND staged = 0
            ORDER BY principal, first_time, id
            """
        )
        return [self._alert(row) for row in rows]

    def mark_told(self, ids: Iterable[str], now: int) -> None:
        """They are in the outbox, or reach no notifier."""
        with self._db.transaction():
            self._db.executemany(
                "UPDATE alerts SET told = ?, told_events = event_count WHERE id = ?",
                [(now, alert_id) for alert_id in ids],
            )

    def drop_untold(self, ids: Iterable[str]) -> None:
        """Forgets those of these alerts that nobody was told of and nobody handled."""
        with self._db.transaction():
            self._db.executemany(
                "DELETE FROM alerts WHERE id = ? AND told IS NULL AND state = 'open' AND snoozed IS NULL"
                " AND id NOT IN (SELECT alert_id FROM alert_history)",
                [(alert_id,) for alert_id in sorted(ids)],
            )

    def handle(self, alert_id: str, state: AlertState, verdict: Verdict | None, note: str, now: int) -> Alert | None:
        """Sets state, verdict and note, and adds to the history; the alert as it is now, or None for no such id."""
        with self._db.transaction():
            done = self._handling.handle(alert_id, state, verdict, note, now)
            return self._stored(alert_id) if done else None

    def history(self, alert_id: str) -> list[Change]:
        """What people did with it, oldest first."""
        return self._handling.history(alert_id)

    def prune(self, before: int) -> int:
        """Forgets alerts that neither grew nor were handled since `before`, with all that hangs on them; how many.

        It goes by when they were stored, not by event time: catching up reads old events, and an alert that was
        forgotten would be told again.
        """
        with self._db.transaction():
            return self._db.execute(
                "DELETE FROM alerts WHERE changed < ? AND (told IS NOT NULL OR state = 'closed' OR staged)", (before,)
            ).rowcount

    def _merge_one(self, alert: Alert, now: int, members: Sequence[EventAt]) -> bool:
        known = self._db.one("SELECT severity, head_time, head FROM alerts WHERE id = ?", (alert.id,))
        if known is None:
            self._insert(alert, now)
        head = head_row(alert.speaks_of)
        if known is None or head < (known["head_time"], known["head"]):
            self._set_head(alert, head)
        added = self._db.executemany(
            "INSERT OR IGNORE INTO alert_events (alert_id, time, account, event_id) VALUES (?, ?, ?, ?)",
            [(alert.id, time, storable_id(account), storable_id(event_id)) for time, account, event_id in members],
        ).rowcount
        if not added:
            return known is None
        self._add_evidence(alert)
        times = [member[0] for member in members]
        self._db.execute(
            """
            UPDATE alerts SET changed = ?, event_count = event_count + ?,
                first_time = min(first_time, ?), last_time = max(last_time, ?)
            WHERE id = ?
            """,
            (now, added, min(times), max(times), alert.id),
        )
        if known is not None and alert.severity > Severity(known["severity"]):
            self._db.execute(
                "UPDATE alerts SET severity = ?, rule = ?, told = NULL, snoozed = NULL WHERE id = ?",
                (alert.severity.value, rule_text(alert.rule), alert.id),
            )
        return known is None

    def _insert(self, alert: Alert, now: int) -> None:
        self._db.execute(
            """
            INSERT INTO alerts (id, rule_id, slug, severity, rule, title, principal, actor, account, region,
                first_time, last_time, event_count, context, state, note, created, changed, staged)
            VALUES (?, ?, ?, ?, ?, '', '', '', '', '', ?, ?, 0, '{}', 'open', '', ?, ?, ?)
            """,
            (
                alert.id,
                storable(alert.rule.id),
                storable(alert.rule.slug),
                alert.severity.value,
                rule_text(alert.rule),
                alert.first_time,
                alert.last_time,
                now,
                now,
                alert.staged,
            ),
        )

    def _set_head(self, alert: Alert, head: tuple[int, str]) -> None:
        """What the alert says of the event that it speaks of."""
        context = {storable(k, 200): storable(v, 2000) for k, v in sorted(alert.context.items())[:50]}
        self._db.execute(
            """
            UPDATE alerts SET title = ?, principal = ?, actor = ?, who = ?, identity = ?, account = ?, region = ?,
                context = ?, head_time = ?, head = ?
            WHERE id = ?
            """,
            (
                storable(alert.title, 1000),
                storable(alert.principal, 2048),
                storable(alert.actor, 4096),
                storable(alert.actor, 4096),
                storable(alert.identity or alert.principal, 2048),
                storable(alert.account, 64),
                storable(alert.region, 64),
                msgspec.json.encode(context).decode(),
                *head,
                alert.id,
            ),
        )

    def _add_evidence(self, alert: Alert) -> None:
        self._db.executemany(
            "INSERT OR IGNORE INTO alert_evidence VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(alert.id, *evidence_row(evidence)) for evidence in alert.evidence],
        )
        self._db.execute(
            """
            DELETE FROM alert_evidence WHERE alert_id = ?1 AND rowid NOT IN (
                SELECT rowid FROM alert_evidence WHERE alert_id = ?1 ORDER BY time, event_id, account LIMIT ?2)
            """,
            (alert.id, EVIDENCE_KEPT),
        )

    def _stored(self, alert_id: str) -> Alert:
        row = self._db.one("SELECT * FROM alerts WHERE id = ?", (alert_id,))
        if row is None:
            raise KeyError(alert_id)
        return self._alert(row)

    def _alert(self, row: sqlite3.Row) -> Alert:
        evidence = self._db.all(
            "SELECT * FROM alert_evidence WHERE alert_id = ? ORDER BY time, event_id, account", (row["id"],)
        )
        return alert_of(row, evidence)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
