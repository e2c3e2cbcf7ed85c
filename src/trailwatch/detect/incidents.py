"""Stage 3, the pure half of incidents: which alerts belong together, how bad that is, and what it touched.

Alerts of one actor belong together while no more than `PAUSE_SECONDS` lie between one and the next. That is a
function of the set of alerts and links. Ids are not: an incident keeps the id under which it was first told.

The score is 100 * raw / (raw + 100) with

    raw = sum over the rules (points of the severity * rarity) * (1 + (tactics - 1) / 4)

Each rule counts once, with its worst alert. Points double the distance with each severity; rarity is
1 / sqrt(1 + n) where n other actors had an alert of the rule in the last 30 days; tactics are counted once each.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from trailwatch.detect.touched import Touched
from trailwatch.model.actor import ARROW
from trailwatch.model.alert import Alert
from trailwatch.model.incident import Incident, Member, Moment, Ruling
from trailwatch.model.severity import Severity

PAUSE_SECONDS = 72 * 3600
"""An actor that was quiet for longer begins a new incident: a weekend does not end one."""
RARITY_SECONDS = 30 * 86400
POINTS = {
    Severity.INFORMATIONAL: 1,
    Severity.LOW: 3,
    Severity.MEDIUM: 10,
    Severity.HIGH: 30,
    Severity.CRITICAL: 100,
}
RESOURCES_SHOWN = 100


def components(members: Iterable[Member]) -> list[list[Member]]:
    """The alerts that belong together, the oldest first."""
    by_actor: dict[str, list[Member]] = {}
    for member in sorted(members, key=_by_time):
        by_actor.setdefault(member.actor_key, []).append(member)
    found: list[list[Member]] = []
    for several in by_actor.values():
        until = -math.inf
        for member in several:
            if member.first_time - until > PAUSE_SECONDS:
                found.append([])
            found[-1].append(member)
            until = max(until, member.last_time)
    return sorted(found, key=lambda one: _by_time(one[0]))


def rule_on(
    members: Sequence[Member],
    ages: Mapping[str, int],
    elsewhere: Collection[str] = (),
    taken: Callable[[str], bool] = lambda _: False,
) -> Ruling:
    """Which incident each alert belongs to now. Of incidents that became one the oldest survives.

    Args:
        members: every alert of the actors in question.
        ages: when each known incident was created, in seconds since 1970.
        elsewhere: incidents that also have alerts of actors that are not in question.
        taken: whether an id was given to an incident before.
    """
    homes: dict[str, str] = {}
    opened: list[str] = []
    given: set[str] = set()
    for several in components(members):
        claims = sorted({one.incident for one in several if one.incident in ages}, key=lambda i: (ages[i], i))
        free = [one for one in claims if one not in given]
        home = free[0] if free else _new_id(several[0], lambda one: one in ages or one in given or taken(one))
        if not free:
            opened.append(home)
        given.add(home)
        homes.update((one.alert_id, home) for one in several)
    left = {one.incident for one in members if one.incident in ages} - set(homes.values()) - set(elsewhere)
    merged = {
        gone: min(
            (homes[one.alert_id] for one in members if one.incident == gone),
            key=lambda i: (ages.get(i, math.inf), i),
        )
        for gone in left
    }
    return Ruling(homes, tuple(opened), merged)


def score(alerts: Sequence[Alert], others: Mapping[str, int]) -> int:
    """How bad it is, 0 to 100.

    Args:
        alerts: of one incident.
        others: by rule id, how many other actors had an alert of it lately.
    """
    worst: dict[str, Severity] = {}
    for alert in alerts:
        worst[alert.rule.id] = max(alert.severity, worst.get(alert.rule.id, alert.severity))
    points = sum(POINTS[severity] / math.sqrt(1 + others.get(rule, 0)) for rule, severity in worst.items())
    tactics = {tactic for alert in alerts for tactic in alert.rule.tactics}
    raw = points * (1 + max(0, len(tactics) - 1) / 4)
    return round(100 * raw / (raw + 100))


def others_with(
    everybody: Iterable[tuple[str, str, int, int]], actor_key: str, alerts: Sequence[Alert]
) -> dict[str, int]:
    """For each rule of the alerts, how many other actors had an alert of it in the 30 days before the last of them.

    Args:
        everybody: actor, rule, first and last time of every alert.
        actor_key: the actor of these alerts.
        alerts: of one incident.
    """
    until = max(alert.last_time for alert in alerts)
    rules = {alert.rule.id for alert in alerts}
    found: dict[str, set[str]] = {}
    for actor, rule, _, last in everybody:
        if rule in rules and actor != actor_key and until - RARITY_SECONDS <= last <= until:
            found.setdefault(rule, set()).add(actor)
    return {rule: len(actors) for rule, actors in found.items()}


def incident_of(
    incident_id: str,
    actor_key: str,
    alerts: Sequence[Alert],
    others: Mapping[str, int],
    *,
    created: int = 0,
    merged: Sequence[str] = (),
) -> Incident:
    """Everything about one incident.

    Args:
        incident_id: its id.
        actor_key: who it began with.
        alerts: all of it, at least one.
        others: see `score`.
        created: when it was stored.
        merged: ids of incidents that turned out to be this one.
    """
    ordered = sorted(alerts, key=lambda alert: (alert.first_time, alert.id))
    seen = Touched()
    for alert in ordered:
        seen.add(alert)
    return Incident(
        id=incident_id,
        actor_key=actor_key,
        actor=_actor(ordered),
        first_time=ordered[0].first_time,
        last_time=max(alert.last_time for alert in ordered),
        score=score(ordered, others),
        alerts=tuple(ordered),
        tactics=tuple(dict.fromkeys(tactic for alert in ordered for tactic in alert.rule.tactics)),
        timeline=tuple(_timeline(ordered)),
        principals=tuple(dict.fromkeys(alert.principal for alert in ordered)),
        keys=tuple(seen.keys),
        sessions=tuple(seen.sessions),
        made=tuple(seen.made),
        addresses=tuple(dict.fromkeys(e.source_ip for alert in ordered for e in alert.evidence if e.source_ip)),
        resources=tuple(list(seen.resources)[:RESOURCES_SHOWN]),
        measures=tuple(seen.measures()),
        created=created,
        merged=tuple(merged),
    )


def _actor(alerts: Sequence[Alert]) -> str:
    """The one way that all alerts have, else where all ways begin."""
    ways = list(dict.fromkeys(alert.actor for alert in alerts))
    if len(ways) == 1:
        return ways[0]
    return min(ways, key=lambda way: way.count(ARROW)).partition(ARROW)[0]


def _timeline(alerts: Iterable[Alert]) -> list[Moment]:
    """Each event once, with the worst alert that it is in."""
    by_event: dict[tuple[str, str], Moment] = {}
    for alert in sorted(alerts, key=lambda one: (-one.severity.rank, one.first_time, one.id)):
        for one in alert.evidence:
            moment = Moment(
                time=one.time,
                event_id=one.event_id,
                event_name=one.event_name,
                severity=alert.severity,
                title=alert.title,
                account=one.account,
                region=one.region,
                source_ip=one.source_ip,
                error_code=one.error_code,
                alert_id=alert.id,
            )
            by_event.setdefault((one.account, one.event_id), moment)
    return sorted(by_event.values(), key=lambda one: (one.time, one.event_id))


def _new_id(first: Member, taken: Callable[[str], bool]) -> str:
    number = 0
    while True:
        text = f"incident\0{first.actor_key}\0{first.alert_id}\0{number}".encode("utf-8", "surrogatepass")
        found = hashlib.sha256(text).hexdigest()[:12]
        if not taken(found):
            return found
        number += 1


def _by_time(member: Member) -> tuple[int, int, str]:
    return member.first_time, member.last_time, member.alert_id
