"""Who began what a scan found, and the incidents that come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from trailwatch.detect.incidents import incident_of, others_with, rule_on
from trailwatch.detect.lineage import Tracer, told
from trailwatch.model.actor import Actor
from trailwatch.model.alert import Alert
from trailwatch.model.incident import Incident, Member
from trailwatch.model.match import Match
from trailwatch.model.signal import Link


class ScanLineage:
    """Over the links of one scan, once all are known.

    Args:
        parents: where links are looked up by their child.
    """

    def __init__(self, parents: Callable[[str], Iterable[Link]]) -> None:
        self._tracer = Tracer(parents)

    def actor_at(self, identity: str, time: int) -> str:
        """The key of the actor behind an identity at that time."""
        return self._tracer.trace(identity, time).key

    def actor_always(self, identity: str) -> str | None:
        """The same where the time makes no difference; None where it does."""
        actor = self._tracer.trace_always(identity)
        return None if actor is None else actor.key

    def of_match(self, match: Match) -> Match:
        """The match with its actor."""
        actor = self._tracer.trace(match.identity or match.principal, match.time)
        return msgspec.structs.replace(match, actor=told(actor, match.actor))

    def of_alerts(self, alerts: Sequence[Alert]) -> list[Alert]:
        """The alerts with their actors and incidents, in their order."""
        actors = {one.id: self._actor(one) for one in alerts}
        members = [Member(one.id, actors[one.id].key, one.first_time, one.last_time) for one in alerts]
        homes = rule_on(members, {}).homes
        return [
            msgspec.structs.replace(one, actor=told(actors[one.id], one.actor), incident=homes[one.id])
            for one in alerts
        ]

    def incidents(self, alerts: Sequence[Alert]) -> list[Incident]:
        """The incidents of all alerts, the worst first; every record of the evidence is read for them.

        Args:
            alerts: from `of_alerts`.
        """
        by_incident: dict[str, list[Alert]] = {}
        for alert in alerts:
            by_incident.setdefault(alert.incident, []).append(alert)
        everybody = [(self._actor(one).key, one.rule.id, one.first_time, one.last_time) for one in alerts]
        found = []
        for incident_id, several in by_incident.items():
            key = self._actor(several[0]).key
            found.append(incident_of(incident_id, key, several, others_with(everybody, key, several)))
        return sorted(found, key=lambda one: (-one.score, one.first_time, one.id))

    def _actor(self, alert: Alert) -> Actor:
        return self._tracer.trace(alert.identity or alert.principal, alert.speaks_of.time)
