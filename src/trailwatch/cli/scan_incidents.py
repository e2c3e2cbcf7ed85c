"""Who began what a scan found, and the incidents that come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from trailwatch.detect.incidents import incident_of, others_with, rule_on
from trailwatch.detect.lineage import Tracer, told
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

    def of_match(self, match: Match) -> Match:
        """The match with its actor."""
        actor = self._tracer.trace(match.identity or match.principal, match.time)
        return msgspec.structs.replace(match, actor=told(actor, match.actor))

    def incidents(self, alerts: Sequence[Alert]) -> tuple[list[Alert], list[Incident]]:
        """The alerts with their actors and incidents, in their order; and the incidents, the worst first."""
        actors = {one.id: self._tracer.trace(one.identity or one.principal, one.speaks_of.time) for one in alerts}
        members = [Member(one.id, actors[one.id].key, one.first_time, one.last_time) for one in alerts]
        homes = rule_on(members, {}).homes
        named = [
            msgspec.structs.replace(one, actor=told(actors[one.id], one.actor), incident=homes[one.id])
            for one in alerts
        ]
        by_incident: dict[str, list[Alert]] = {}
        for alert in named:
            by_incident.setdefault(alert.incident, []).append(alert)
        everybody = [(actors[one.id].key, one.rule.id, one.first_time, one.last_time) for one in alerts]
        found = []
        for incident_id, several in by_incident.items():
            key = actors[several[0].id].key
            found.append(incident_of(incident_id, key, several, others_with(everybody, key, several)))
        return named, sorted(found, key=lambda one: (-one.score, one.first_time, one.id))
