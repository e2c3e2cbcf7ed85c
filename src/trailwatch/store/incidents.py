"""Incidents at rest: which alert belongs to which, and which ones turned out to be one."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence

import msgspec

from trailwatch.model.alert import AlertState
from trailwatch.model.incident import Member, Ruling, Subject
from trailwatch.model.severity import Severity
from trailwatch.store.database import Database
from trailwatch.store.handling import Handling
from trailwatch.store.text import storable

_MARKS = 500


class Kept(msgspec.Struct, frozen=True):
    """An incident as a row: what does not follow from its alerts."""

    id: str
    created: int
    merged_into: str
    """Empty for one that stands for itself."""
    actor_key: str
    actor: str
    """Of its first alert."""


class Incidents:
    """The table `incidents`, and what the table `alerts` says of actors; `trailwatch.ports.IncidentState`."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._handling = Handling(database)

    def subjects(self, alert_ids: Collection[str]) -> list[Subject]:
        """These alerts, as far as they are stored; those of rules on trial are nobody's yet."""
        return self._subjects("id", alert_ids)

    def subjects_of(self, identities: Collection[str]) -> list[Subject]:
        """The alerts whose way back begins at one of these."""
        return self._subjects("identity", identities)

    def attribute(self, alert_id: str, actor_key: str, actor: str) -> None:
        """The alert began with this actor; that changes nothing about what was told of it."""
        self._db.execute(
            "UPDATE alerts SET actor_key = ?, actor = ? WHERE id = ?",
            (storable(actor_key, 2048), storable(actor, 4096), alert_id),
        )

    def members(self, actor_keys: Collection[str]) -> list[Member]:
        """Every alert of these actors."""
        rows = self._in(
            "SELECT id, actor_key, first_time, last_time, incident FROM alerts WHERE actor_key IN ({})",
            [storable(key, 2048) for key in actor_keys],
        )
        return [Member(*row) for row in rows]

    def ages(self, ids: Collection[str]) -> dict[str, int]:
        """When each of these was created."""
        rows = self._in("SELECT id, created FROM incidents WHERE id IN ({})", ids)
        return {row["id"]: row["created"] for row in rows}

    def shared(self, ids: Collection[str], actor_keys: Collection[str]) -> set[str]:
        """Those of the incidents that also have alerts of other actors."""
        rows = self._in("SELECT DISTINCT incident, actor_key FROM alerts WHERE incident IN ({})", ids)
        return {row["incident"] for row in rows if row["actor_key"] not in actor_keys}

    def taken(self, incident_id: str) -> bool:
        """Whether there is or was an incident with this id."""
        return self._db.one("SELECT 1 FROM incidents WHERE id = ?", (incident_id,)) is not None

    def keep(self, ruling: Ruling, now: int) -> int:
        """Writes down which alert belongs to which incident, and which became one.

        How many alerts joined an incident that is put off, and are put off with it, comes back.
        """
        put_off = 0
        with self._db.transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO incidents (id, created) VALUES (?, ?)", [(one, now) for one in ruling.opened]
            )
            for alert_id, home in ruling.homes.items():
                moved = self._db.execute(
                    "UPDATE alerts SET incident = ?1 WHERE id = ?2 AND incident <> ?1", (home, alert_id)
                ).rowcount
                if moved:
                    put_off += self._put_off(alert_id, home, now)
            for gone, home in sorted(ruling.merged.items()):
                # what was merged into it before goes along, so that one step is always enough
                self._db.execute("UPDATE incidents SET merged_into = ? WHERE ? IN (id, merged_into)", (home, gone))
        return put_off

    def snooze(self, incident_id: str, until: int | None, worst: Severity = Severity.CRITICAL) -> None:
        """Puts off what joins it before `until`, unless that is more severe than `worst`; None ends that.

        What it has already is for `trailwatch.store.handling.Handling`.
        """
        self._db.execute(
            "UPDATE incidents SET snoozed = ?, snoozed_severity = ? WHERE id = ?",
            (until, worst.value if until else "", incident_id),
        )

    def snoozed(self, incident_id: str) -> int:
        """Until when what joins it is put off; 0 for never."""
        row = self._db.one("SELECT snoozed FROM incidents WHERE id = ?", (incident_id,))
        return (row["snoozed"] or 0) if row else 0

    def _put_off(self, alert_id: str, incident_id: str, now: int) -> bool:
        """An alert that joins what was put off is put off too; whether it is."""
        row = self._db.one(
            """
            SELECT one.snoozed, one.snoozed_severity AS worst, alerts.severity FROM incidents AS one
            JOIN alerts ON alerts.incident = one.id
            WHERE one.id = ? AND one.snoozed > ? AND alerts.id = ? AND alerts.state <> 'closed'
            """,
            (incident_id, now, alert_id),
        )
        if row is None or Severity(row["severity"]) > Severity(row["worst"]):
            return False
        return self._handling.snooze(alert_id, row["snoozed"], "", now)

    def find(self, prefix: str, limit: int = 10) -> list[Kept]:
        """Incidents whose id begins so, by id; one that was merged too."""
        begin = storable(prefix, 64)
        return self._kept(
            "WHERE id >= ? AND id < ? || char(1114111) ORDER BY id LIMIT ?", (begin, begin, limit), alone=False
        )

    def get(self, incident_id: str) -> Kept | None:
        """The incident with exactly this id."""
        found = self._kept("WHERE id = ?", (incident_id,), alone=False)
        return found[0] if found else None

    def latest(self, states: Collection[AlertState], since: int, limit: int) -> list[Kept]:
        """Incidents with an alert in one of these states and an event since then, the one that acted last first."""
        marks = ", ".join("?" * len(states))
        return self._kept(
            f"""
            JOIN (SELECT incident, max(last_time) AS last FROM alerts WHERE incident <> ''
                  GROUP BY incident HAVING max(state IN ({marks})) AND last >= ?) AS newest ON newest.incident = id
            ORDER BY newest.last DESC, id LIMIT ?
            """,  # noqa: S608 only question marks are put in
            (*(state.value for state in states), since, limit),
        )

    def alert_ids(self, incident_id: str) -> list[str]:
        """Its alerts, oldest first."""
        rows = self._db.all("SELECT id FROM alerts WHERE incident = ? ORDER BY first_time, id", (incident_id,))
        return [row["id"] for row in rows]

    def merged(self, incident_id: str) -> list[str]:
        """Ids of the younger ones that turned out to be this one."""
        rows = self._db.all("SELECT id FROM incidents WHERE merged_into = ? ORDER BY created, id", (incident_id,))
        return [row["id"] for row in rows]

    def others(self, rule_ids: Collection[str], actor_key: str, since: int, until: int) -> dict[str, int]:
        """For each rule, how many other actors had an alert of it in that time."""
        found: dict[str, int] = {}
        for rule_id in sorted(set(rule_ids)):
            row = self._db.one(
                """
                SELECT count(DISTINCT actor_key) FROM alerts
                WHERE rule_id = ? AND last_time >= ? AND last_time <= ? AND actor_key <> ?
                """,
                (storable(rule_id), since, until, actor_key),
            )
            found[rule_id] = row[0] if row else 0
        return found

    def prune(self, before: int) -> int:
        """Forgets incidents that were created before then and have no alerts left; how many."""
        with self._db.transaction():
            return self._db.execute(
                """
                DELETE FROM incidents AS one WHERE created < ?
                AND NOT EXISTS (SELECT 1 FROM alerts WHERE incident IN (one.id, one.merged_into))
                """,
                (before,),
            ).rowcount

    def _kept(self, rest: str, values: Sequence[object], *, alone: bool = True) -> list[Kept]:
        only = "WHERE merged_into IS NULL" if alone else ""
        rows = self._db.all(
            f"SELECT id, created, merged_into FROM (SELECT * FROM incidents {only}) {rest}",  # noqa: S608 texts of this module alone
            values,
        )
        return [self._with_actor(row) for row in rows]

    def _with_actor(self, row: sqlite3.Row) -> Kept:
        actor = self._db.one(
            """
            SELECT actor_key, actor FROM alerts WHERE incident = ?
            ORDER BY length(actor) - length(replace(actor, ' -> ', '')) DESC, first_time, id LIMIT 1
            """,
            (row["merged_into"] or row["id"],),
        )
        key, text = (actor["actor_key"], actor["actor"]) if actor else ("", "")
        return Kept(row["id"], row["created"], row["merged_into"] or "", key, text)

    def _subjects(self, column: str, values: Collection[str]) -> list[Subject]:
        rows = self._in(
            f"SELECT id, identity, who, head_time, actor_key FROM alerts WHERE {column} IN ({{}}) AND staged = 0",  # noqa: S608 a column's name
            values,
        )
        return [Subject(*row) for row in rows]

    def _in(self, sql: str, values: Collection[str]) -> Iterable[sqlite3.Row]:
        ordered = sorted(values)
        for start in range(0, len(ordered), _MARKS):
            some = ordered[start : start + _MARKS]
            yield from self._db.all(sql.format(", ".join("?" * len(some))), some)
