"""From alerts to whom they prove something against: what could be forged or provoked falls through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from trailwatch.config.automatic import AutomaticSettings
from trailwatch.decode.records import to_mapping
from trailwatch.detect.incidents import score
from trailwatch.errors import DecodeError
from trailwatch.model.alert import Alert, Evidence
from trailwatch.model.incident import Incident
from trailwatch.model.provenance import Provenance
from trailwatch.model.response import Order, Target
from trailwatch.respond.choose import Chooser
from trailwatch.respond.guard import Subject, distrust, subject_of, ungrounded
from trailwatch.respond.reach import Children, reached, starts_of


class Candidate(msgspec.Struct, frozen=True):
    """Alerts that belong together."""

    alerts: tuple[Alert, ...]
    thread: str
    """The conversation that they are told in: an incident's id, or a principal."""
    incident: Incident | None = None
    provenance: Mapping[str, Provenance] = {}
    """By event id, the way on which an event came."""
    otherwise: Provenance = Provenance.FILE
    """The way of all others."""

    @property
    def cause(self) -> str:
        """In words, for people."""
        if self.incident is not None:
            return f"incident {self.incident.id}"
        return "alert " + ", ".join(alert.id[:12] for alert in self.alerts)


class Proven(msgspec.Struct, frozen=True):
    """A target that trusted events prove something against."""

    target: Target
    orders: tuple[Order, ...]
    newest: int
    """Time of the newest of these events."""


class Sieve:
    """Asks playbooks about trusted events alone.

    Args:
        settings: what the user allows.
        chooser: asks the playbooks that may run by themselves, and no others.
        find: the record of an event of which an alert has only the id, as those of rules over time.
        children: what came of an identity; see `trailwatch.respond.reach`.
    """

    def __init__(
        self,
        settings: AutomaticSettings,
        chooser: Chooser,
        find: Callable[[Evidence], bytes | None] = lambda _evidence: None,
        children: Children = lambda _node: (),
    ) -> None:
        self._settings = settings
        self._chooser = chooser
        self._find = find
        self._children = children

    def targets(self, candidate: Candidate, now: int) -> list[Proven]:
        """Each target once, with what playbooks order about it.

        Args:
            candidate: alerts that belong together.
            now: seconds since 1970.
        """
        trusted = [one for alert in candidate.alerts if (one := self._trusted(alert, candidate, now)) is not None]
        if not trusted:
            return []
        by_target: dict[Target, list[Order]] = {}
        for alerts in _by_proof(trusted, candidate.incident):
            for order in self._meant(alerts, candidate.incident):
                by_target.setdefault(msgspec.structs.replace(order.target, evidence=b""), []).append(order)
        for order in list(self._for_roles_taken(trusted, by_target)):
            by_target[order.target] = [order]
        times = {one.event_id: one.time for alert in trusted for one in alert.evidence}
        return [
            Proven(target, tuple(orders), max(times[order.event_id] for order in orders))
            for target, orders in by_target.items()
        ]

    def _meant(self, trusted: Sequence[Alert], incident: Incident | None) -> Iterator[Order]:
        """The orders about alerts that are bad enough together."""
        points = score(trusted, {})
        if incident is not None:  # what others provoked must not make it worse than it is
            points = min(points, incident.score)
            incident = msgspec.structs.replace(incident, alerts=tuple(trusted), score=points)
        for order in self._chooser.choose(trusted, incident).orders:
            if self._is_meant(order, trusted, points):
                yield order

    def _trusted(self, alert: Alert, candidate: Candidate, now: int) -> Alert | None:
        """The alert with only those of its events that can be trusted; None where there is none."""
        kept = []
        for one in alert.evidence:
            if now - one.time > self._settings.max_age:
                continue  # looking for its record would cost more than it is worth
            way = candidate.provenance.get(one.event_id, candidate.otherwise)
            whole = one if one.record else msgspec.structs.replace(one, record=self._find(one) or b"")
            try:
                record = to_mapping(whole.record)
                # a record is found by its id, which others may have written into theirs
                if record.get("eventID") == one.event_id and not distrust(record, way, now, self._settings):
                    kept.append(whole)
            except DecodeError:
                continue  # nowhere to be found, or cut short
        if any(not one.record for one in alert.evidence) and not _by_one_caller(alert, kept):
            return None
        return msgspec.structs.replace(alert, evidence=tuple(kept)) if kept else None

    def _for_roles_taken(
        self, trusted: Iterable[Alert], by_target: Mapping[Target, Sequence[Order]]
    ) -> Iterator[Order]:
        """Sessions of roles that were taken outlive a lock, so each such role is answered like who took it."""
        known = {(one.kind, one.account, one.name) for one in by_target}
        first = {order.alert_id: order for orders in by_target.values() for order in orders}
        for alert in trusted:
            cause = first.get(alert.id)
            # an alert's identity is that of its first event, which may be one that anybody can provoke
            if cause is None or alert.evidence[0].time != alert.first_time:
                continue
            for role in reached(starts_of([alert]), self._children).roles:
                if (role.kind, role.account, role.name) not in known:
                    known.add((role.kind, role.account, role.name))
                    yield msgspec.structs.replace(cause, action="revoke-sessions", target=role)

    def _is_meant(self, order: Order, trusted: Iterable[Alert], points: int) -> bool:
        playbook = self._settings.playbooks.get(order.playbook)
        if playbook is None or points < playbook.min_score:
            return False
        if max(alert.severity for alert in trusted) < playbook.min_severity:
            return False
        return not ungrounded(order.target, to_mapping(order.target.evidence))


def _by_proof(trusted: Sequence[Alert], incident: Incident | None) -> Iterable[Sequence[Alert]]:
    """The alerts that count as one story: each caller's alone where nothing but a source identity joins them.

    Whoever takes a role may choose that, and with it in whose incident their deeds stand.
    """
    if incident is None or not incident.actor_key.startswith("source:"):
        return (trusted,)
    by_caller: dict[str, list[Alert]] = {}
    for alert in trusted:
        by_caller.setdefault(alert.principal, []).append(alert)
    return by_caller.values()


def _by_one_caller(alert: Alert, trusted: Sequence[Evidence]) -> bool:
    """Whether every event of a rule over time is trusted, and all are of one caller.

    Else somebody could lend their failures to a victim's success, as in many failed sign-ins before a good one, or
    let a victim complete what they began.
    """
    if len(trusted) < alert.event_count:
        return False
    callers = [subject_of(to_mapping(one.record)) for one in trusted]
    arns = {one.arn if isinstance(one, Subject) else "" for one in callers}
    return len(arns) == 1 and "" not in arns
