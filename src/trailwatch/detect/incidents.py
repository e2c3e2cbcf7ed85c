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

from trailwatch.decode.records import to_mapping
from trailwatch.detect.links import identity_of, links_of, plain
from trailwatch.errors import DecodeError
from trailwatch.model.actor import ARROW, node_text
from trailwatch.model.alert import Alert, Evidence
from trailwatch.model.incident import Incident, Measure, Member, Moment, Ruling
from trailwatch.model.principal import Principal, principal_of
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
_NAMED = (
    *("bucketName", "userName", "roleName", "groupName", "policyArn", "roleArn", "instanceId", "functionName"),
    *("secretId", "keyId", "name", "trailName", "dBInstanceIdentifier", "dBSnapshotIdentifier", "snapshotId"),
    *("imageId", "groupId", "volumeId", "vpcId", "target", "targetArn", "topicArn", "queueUrl", "tableName"),
    *("clusterName", "detectorId", "accessKeyId", "serialNumber", "profileArn", "trustAnchorId"),
)


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
    seen = _Seen()
    for alert in ordered:
        for evidence in alert.evidence:
            seen.add(evidence)
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


class _Seen:
    """What the records of an incident name; dicts are used as ordered sets."""

    def __init__(self) -> None:
        self.keys: dict[str, None] = {}
        self.sessions: dict[str, None] = {}
        self.made: dict[str, None] = {}
        self.resources: dict[str, None] = {}
        self._users: dict[str, dict[str, None]] = {}
        self._roles: dict[str, None] = {}
        self._machines: dict[str, None] = {}
        self._roots: dict[str, None] = {}
        self._made_users: dict[str, None] = {}
        self._made_keys: dict[str, None] = {}

    def add(self, evidence: Evidence) -> None:
        try:
            record = to_mapping(evidence.record)
        except DecodeError:
            return  # of a correlation, or cut short; the events themselves are in the archive
        self._caller(principal_of(record))
        for link in links_of(record, evidence.time, evidence.event_id):
            if link.time and link.kind in ("created-key", "created-user", "set-password"):
                self._product(link.child, link.child_text)
        if evidence.event_name == "CreateAccessKey":
            self._product(_own_new_key(record), "")
        self.resources.update(dict.fromkeys(_resources(record)))

    def _caller(self, principal: Principal) -> None:
        if principal.access_key:
            self.keys[principal.access_key] = None
        arn = plain(principal.arn)
        if arn and principal.kind != "AWSService":
            self.sessions[arn] = None
        if principal.kind == "IAMUser" and arn:
            keys = self._users.setdefault(arn, {})
            if identity_of(principal).startswith("key:AKIA"):
                keys[principal.access_key] = None
        elif principal.kind == "Root":
            self._roots[principal.account] = None
        elif principal.kind == "AssumedRole" and ":role/aws-service-role/" not in principal.issuer_arn:
            self._roles[principal.issuer_arn or arn] = None
            if principal.session_name.startswith("i-"):
                self._machines[f"machine:{principal.session_name}@{principal.account}"] = None

    def _product(self, child: str, text: str) -> None:
        scheme, _, rest = child.partition(":")
        if scheme == "key":
            self._made_keys[rest] = None
            self.made[f"access key {rest}" + (f" of {text}" if text else "")] = None
        elif scheme == "login":
            self._made_users[rest] = None
            self.made[f"console password of {text}"] = None
        elif child:
            self._made_users[child] = None
            self.made[text or child] = None

    def measures(self) -> Iterable[Measure]:
        """Identities before keys: a denied user stays denied whatever keys it has."""
        for account in self._roots:
            yield Measure(
                f"root in {account}",
                "change the password, delete its access keys, check its MFA; no policy can stop root",
            )
        for user, keys in self._users.items():
            action = "deny everything with an inline policy" + (
                f", then deactivate {', '.join(keys)}" if keys else "; it may have access keys: deactivate them"
            )
            yield Measure(node_text(user), action)
        for user in self._made_users:
            if user not in self._users:
                yield Measure(node_text(user), "it was made or taken over: deny everything, deactivate all its keys")
        for key in self._made_keys:
            yield Measure(f"access key {key}", "it was made: deactivate it")
        for role in self._roles:
            yield Measure(
                node_text(role), "deny sessions issued before now, and close the way in: trust policy, chained roles"
            )
        for machine in self._machines:
            yield Measure(node_text(machine), "isolate it: it hands out fresh credentials to whoever is on it")


def _own_new_key(record: Mapping[str, object]) -> str:
    answer = record.get("responseElements")
    made = answer.get("accessKey") if isinstance(answer, Mapping) else None
    key = made.get("accessKeyId") if isinstance(made, Mapping) else None
    return f"key:{key}" if isinstance(key, str) else ""


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


def _resources(record: Mapping[str, object]) -> Iterable[str]:
    listed = record.get("resources")
    for one in listed if isinstance(listed, list) else ():
        arn = (one.get("ARN") or one.get("arn")) if isinstance(one, Mapping) else None
        if isinstance(arn, str) and arn:
            yield arn
    asked = record.get("requestParameters")
    if isinstance(asked, Mapping):
        for name in _NAMED:
            value = asked.get(name)
            if isinstance(value, str) and value:
                yield value if value.startswith("arn:") else f"{name} {value}"


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
