"""From stored alerts to messages in the outbox: at once, as an update, in a digest, or as a flood.

Everything here happens inside the transaction of whoever calls it, so that after a crash the next cycle tells what
was left untold, and nothing is told twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo

import msgspec

from trailwatch.config.notifiers import TellingSettings
from trailwatch.detect.routing import AT_ONCE, Routing, digest_due
from trailwatch.detect.sameness import as_one
from trailwatch.detect.telling import FLOOD, digest_of, flood_of, messages_of, pointer_of, updates_of
from trailwatch.model.alert import Alert, AlertState
from trailwatch.model.message import Message
from trailwatch.store.store import Store
from trailwatch.store.telling import Due, Told, by_notifier

FLOOD_SECONDS = 60
"""A cycle tells twice: after the newest windows and at its end; both count as one flood."""
GROWTH_DOUBLINGS = 6
"""Events that only add to alerts are told ever more rarely: after this many doublings not more rarely still."""


class _Work(msgspec.Struct):
    """What the alerts and conversations of one round are."""

    now: int
    alerts: dict[str, Alert]
    told: Mapping[tuple[str, str], Told]


class Announcer:
    """Decides what is told through which notifier, and when.

    Args:
        store: alerts come from it, messages go into its outbox.
        routing: who gets what.
        settings: `[telling]`.
        zone: for the time of daily digests; None for the machine's.
    """

    def __init__(
        self, store: Store, routing: Routing, settings: TellingSettings | None = None, zone: tzinfo | None = None
    ) -> None:
        self._store = store
        self._routing = routing
        self._settings = settings or TellingSettings()
        self._zone = zone

    def announce(self, untold: Sequence[Alert], now: int) -> None:
        """Puts what is to be told by now into the outbox; inside the caller's transaction.

        Args:
            untold: alerts that are new, became more severe, or woke.
            now: seconds since 1970.
        """
        telling = self._store.telling
        grown = telling.grown()
        waiting = self._ripe(telling.waiting(), now)
        if untold or grown or waiting:
            self._plan(untold, grown, waiting, now)
        for merger in telling.mergers(self._routing.names):
            self._store.outbox.add(pointer_of(merger.gone, merger.home, now), merger.notifiers, now)
            telling.pointed(merger.gone, now)

    def _ripe(self, rows: Sequence[Due], now: int) -> list[Due]:
        """Those of which something may be told now, with all that would be told together with them."""
        groups = {(one.notifier, one.digest) for one in rows if one.due <= now}
        names = self._routing.names
        return [one for one in rows if (one.notifier, one.digest) in groups or one.notifier not in names]

    def _plan(self, untold: Sequence[Alert], grown: Mapping[str, int], waiting: Sequence[Due], now: int) -> None:
        telling = self._store.telling
        alerts = {alert.id: alert for alert in untold}
        for alert_id in {*grown, *(one.alert_id for one in waiting)} - alerts.keys():
            alert = self._store.alerts.get(alert_id)
            if alert is not None:
                alerts[alert_id] = alert
        threads = {_thread(alert) for alert in alerts.values()}
        work = _Work(now, alerts, telling.conversations({FLOOD, *threads}))
        telling.put([due for alert in untold for due in self._new(alert, work)])
        telling.put([due for one, known in grown.items() for due in self._growth(alerts[one], known, work)])
        telling.put([due for one in waiting for due in self._moved(one, work)])
        self._store.alerts.mark_told([alert.id for alert in untold], now)
        telling.noticed(grown)
        for name, rows in by_notifier(self._ripe(telling.waiting(), now)).items():
            self._tell(name, rows, work)

    def _new(self, alert: Alert, work: _Work) -> list[Due]:
        found = []
        for name, digest in self._routing.places(alert).items():
            if digest:
                due = digest_due(digest, work.now, self._settings.digest_at, self._zone)
            else:
                due = self._next_time(work.told.get((name, _thread(alert))), alert, work.now)
            found.append(Due(name, alert.id, due, digest))
        return found

    def _growth(self, alert: Alert, known: int, work: _Work) -> list[Due]:
        """Only where it was told in a message of its own: a digest tells each alert once."""
        found = []
        for name, digest in self._routing.places(alert).items():
            told = work.told.get((name, _thread(alert)))
            if digest == AT_ONCE and told is not None:
                pause = self._settings.update_every * 2 ** min(told.messages - 1, GROWTH_DOUBLINGS)
                found.append(Due(name, alert.id, told.last + int(pause), AT_ONCE, known))
        return found

    def _moved(self, row: Due, work: _Work) -> list[Due]:
        """What waits for a notifier that is no longer there goes to those that have not heard of it."""
        alert = work.alerts.get(row.alert_id)
        if row.notifier in self._routing.names:
            return []
        self._store.telling.done([row])
        if alert is None or row.known:
            return []
        heard = self._store.telling.told_by(alert.id)
        return [due for due in self._new(alert, work) if due.notifier not in heard]

    def _next_time(self, told: Told | None, alert: Alert, now: int) -> int:
        if told is None or alert.severity > told.worst:
            return now
        return max(now, told.last + int(self._settings.update_every))

    def _tell(self, name: str, rows: Sequence[Due], work: _Work) -> None:
        telling = self._store.telling
        for one in rows:
            if one.alert_id not in work.alerts and (alert := self._store.alerts.get(one.alert_id)) is not None:
                work.alerts[one.alert_id] = alert
        kept = [one for one in rows if _worth(work.alerts.get(one.alert_id))]
        telling.done([one for one in rows if not _worth(work.alerts.get(one.alert_id))])
        at_once = [one for one in kept if one.digest == AT_ONCE]
        threads = {_thread(work.alerts[one.alert_id]) for one in at_once if one.due <= work.now}
        # what waits in a conversation that is written to anyhow goes along
        due = [one for one in at_once if _thread(work.alerts[one.alert_id]) in threads]
        told = self._tell_at_once(name, due, work) if due else []
        for period in ("hourly", "daily"):
            gathered = [one for one in kept if one.digest == period]
            if any(one.due <= work.now for one in gathered):
                alerts = [work.alerts[one.alert_id] for one in gathered]
                self._store.outbox.add(digest_of(alerts, period, work.now), [name], work.now, alerts)
                told += gathered
        telling.done(told)

    def _tell_at_once(self, name: str, rows: Sequence[Due], work: _Work) -> list[Due]:
        """Those of the rows that are told now."""
        new = [one for one in rows if not one.known]
        given = self._store.telling.given_since(name, work.now - FLOOD_SECONDS)
        if new and len(as_one(work.alerts[one.alert_id] for one in new)) + given > self._settings.flood:
            return self._tell_flood(name, new, work)
        alerts = [work.alerts[one.alert_id] for one in rows]
        known = {one.alert_id: one.known for one in rows}
        by_thread: dict[str, list[Alert]] = {}
        for alert in alerts:
            by_thread.setdefault(_thread(alert), []).append(alert)
        fresh = [alert for thread, found in by_thread.items() if (name, thread) not in work.told for alert in found]
        messages: list[Message] = messages_of(fresh, work.now)
        for thread, found in by_thread.items():
            if (name, thread) in work.told:
                messages += updates_of(found, known, work.now)
        for message in messages:
            self._store.outbox.add(message, [name], work.now)
        return list(rows)

    def _tell_flood(self, name: str, rows: list[Due], work: _Work) -> list[Due]:
        """New alerts alone: what only grew is told when the flood is over; one that goes on as seldom as updates."""
        alerts = [work.alerts[one.alert_id] for one in rows]
        flood = flood_of(alerts, work.now)
        before = work.told.get((name, FLOOD)) if flood.thread == FLOOD else None
        if self._next_time(before, flood.alerts[0], work.now) > work.now:
            return []
        self._store.outbox.add(flood, [name], work.now, alerts)
        return rows


def _thread(alert: Alert) -> str:
    return alert.incident or alert.principal


def _worth(alert: Alert | None) -> bool:
    """Whether it is still to be told: somebody may have closed it or put it off."""
    return alert is not None and alert.state is not AlertState.CLOSED and not alert.snoozed
