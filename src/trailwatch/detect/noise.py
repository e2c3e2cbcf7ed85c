"""Which rules cry wolf, and the smallest allowlist that would have quieted each: measured on what people decided.

An alert is noise unless somebody closed it as true-positive. An allowlist is chosen greedily: the value that quiets
the most of what is left, those first that nobody can choose for themselves. What it comes to is measured with the
suppression as it would be written, so what is told of it is what it does.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from trailwatch.decode.records import to_mapping
from trailwatch.detect.agent import agent_family
from trailwatch.detect.suppress import Suppressor
from trailwatch.errors import DecodeError, RuleError
from trailwatch.model.alert import Alert, AlertState, Evidence, Verdict
from trailwatch.model.rule import RuleInfo
from trailwatch.model.secrets import MASK, masked
from trailwatch.rules.suppression_text import Draft, parsed

MOST = 0.8
"""An allowlist is good when it quiets this share of the noise."""
ITEMS = 5
"""An allowlist of more values is no pattern, but a list of what happened."""
LEAST = 2
"""A value that stands in fewer alerts is none either."""
DEEPEST = 3
LONGEST_VALUE = 200

ACTOR, NETWORK, PARAMETER, AGENT = "actor", "network", "parameter", "user agent"
TRUST = {ACTOR: 0, NETWORK: 1, PARAMETER: 2, AGENT: 3}
"""Kinds of values, those first that a caller cannot choose freely."""


class Item(NamedTuple):
    """One value that alerts have in common."""

    kind: str
    field: str
    """The field of the record with the modifier for its value; empty for an actor."""
    value: str


class RuleNoise(msgspec.Struct):
    """What one rule did in a stretch of time."""

    rule: RuleInfo
    alerts: list[Alert]
    days: float

    @property
    def per_day(self) -> float:
        return len(self.alerts) / self.days if self.days else 0.0

    @property
    def actors(self) -> int:
        return len({alert.principal for alert in self.alerts})

    @property
    def closed(self) -> int:
        return sum(alert.state is AlertState.CLOSED for alert in self.alerts)

    @property
    def false(self) -> int:
        """Alerts that were closed as false-positive."""
        return sum(alert.verdict is Verdict.FALSE_POSITIVE for alert in self.alerts)

    @property
    def real(self) -> int:
        """Alerts that were closed as true-positive."""
        return sum(alert.verdict is Verdict.TRUE_POSITIVE for alert in self.alerts)

    @property
    def false_share(self) -> float | None:
        """Of the closed ones; None where none was closed."""
        return self.false / self.closed if self.closed else None


class Allowlist(msgspec.Struct, frozen=True):
    """A suppression that would have quieted a rule, and what it would have done."""

    draft: Draft
    items: tuple[Item, ...]
    removed: int
    """Alerts that nobody would have been told of, without those that were real."""
    of: int
    """Alerts that were not closed as true-positive."""
    real: tuple[str, ...]
    """Ids of alerts closed as true-positive that it would also have hidden."""

    @property
    def share(self) -> float:
        return self.removed / self.of if self.of else 0.0


def by_rule(alerts: Iterable[Alert], days: float) -> list[RuleNoise]:
    """The rules of these alerts, the noisiest first."""
    found: dict[str, RuleNoise] = {}
    for alert in alerts:
        found.setdefault(alert.rule.id, RuleNoise(alert.rule, [], days)).alerts.append(alert)
    return sorted(found.values(), key=lambda one: (-len(one.alerts), one.rule.slug))


def allowlist(noise: RuleNoise, owner: str, expires: str, actors: Mapping[str, str]) -> Allowlist | None:
    """The smallest suppression that would have quieted most of the rule; None where nothing quiets even two alerts.

    Args:
        noise: of one rule.
        owner: who would answer for it.
        expires: its last day, such as `2027-01-31`.
        actors: the key of who an alert began with, by alert id, where that is known.
    """
    seen = [_Seen(alert, _items_of(alert, actors.get(alert.id, ""))) for alert in noise.alerts]
    common = set.intersection(*(one.items for one in seen)) if len(seen) > 1 and noise.actors > 1 else set()
    # what every alert of the rule has says what the rule is, not who it should leave alone
    unwanted = {item for item in common if item.kind == PARAMETER}
    actors_alone = [one._replace(items={item for item in one.items if item.kind == ACTOR}) for one in seen]
    in_records = [one._replace(items={item for item in one.items if item.field} - unwanted) for one in seen]
    chosen_by_nobody = [one._replace(items={item for item in one.items if item.kind != AGENT}) for one in in_records]
    best: Allowlist | None = None
    for choice in (actors_alone, chosen_by_nobody, in_records):
        found = _measured(noise, _greedy(choice), owner, expires, actors)
        if found is not None and (best is None or _better(found, best)):
            best = found
    return best


class _Seen(NamedTuple):
    alert: Alert
    items: set[Item]

    @property
    def real(self) -> bool:
        return self.alert.verdict is Verdict.TRUE_POSITIVE


def _better(one: Allowlist, other: Allowlist) -> bool:
    """Quieting most counts first, then losing nothing real, then what callers cannot choose, then being small."""

    def key(found: Allowlist) -> tuple[bool, int, bool, int, float]:
        spoofable = any(item.kind == AGENT for item in found.items)
        return found.share >= MOST, -len(found.real), not spoofable, -len(found.items), found.share

    return key(one) > key(other)


def _greedy(seen: Sequence[_Seen]) -> list[Item]:
    left = [one for one in seen if not one.real]
    wanted = len(left) * (1 - MOST)
    chosen: list[Item] = []
    while len(left) > wanted and len(chosen) < ITEMS:
        counts: dict[Item, int] = {}
        for one in left:
            for item in one.items:
                counts[item] = counts.get(item, 0) + 1
        real = {item: sum(one.real and item in one.items for one in seen) for item in counts}
        ranked = sorted(counts, key=lambda item: (real[item] - counts[item], real[item], TRUST[item.kind], item))
        if not ranked or counts[ranked[0]] < min(LEAST, len(seen)):
            break
        chosen.append(ranked[0])
        left = [one for one in left if ranked[0] not in one.items]
    return chosen


def _measured(
    noise: RuleNoise, items: Sequence[Item], owner: str, expires: str, actors: Mapping[str, str]
) -> Allowlist | None:
    """The items as a suppression, tried on the alerts."""
    if not items:
        return None
    draft = _draft(noise, items, owner, expires)
    try:
        suppression = parsed(draft)
    except RuleError:
        return None  # a value that cannot be written as one, such as a text of blanks
    # it is tried as if it had always been there
    suppressor = Suppressor([msgspec.structs.replace(suppression, expires=2**40)])
    hidden = [
        alert
        for alert in noise.alerts
        if (said := suppressor.judge(alert, actors.get(alert.id, ""))) and all(one.hides for one in said)
    ]
    real = tuple(alert.id for alert in hidden if alert.verdict is Verdict.TRUE_POSITIVE)
    if len(hidden) == len(real):
        return None
    return Allowlist(draft, tuple(items), len(hidden) - len(real), len(noise.alerts) - noise.real, real)


def _draft(noise: RuleNoise, items: Sequence[Item], owner: str, expires: str) -> Draft:
    kinds = {item.kind for item in items}
    values = tuple(item.value for item in items)
    extra: dict[str, Any] = {}
    if kinds == {ACTOR}:
        extra["actor"] = values
    elif kinds == {NETWORK}:
        extra["networks"] = values
    else:
        fields: dict[str, list[str]] = {}
        for item in items:
            fields.setdefault(item.field, []).append(item.value)
        extra["selection"] = tuple({field: found} for field, found in fields.items())
    return Draft(
        name=f"{noise.rule.slug}: " + ", ".join(f"{item.kind} {item.value}" for item in items),
        owner=owner,
        reason=f"{len(noise.alerts)} alerts in {noise.days:.0f} days, {noise.false} of them closed as false-positive",
        expires=expires,
        rules=(noise.rule.slug,),
        accounts=tuple(sorted({one.account for alert in noise.alerts for one in alert.evidence} - {""})),
        **extra,
    )


def _items_of(alert: Alert, actor: str) -> set[Item]:
    """What every event of the alert has."""
    found = [set(_items_in(one)) for one in alert.evidence]
    items = set.intersection(*found) if found else set()
    if alert.principal:
        items.add(Item(ACTOR, "derived.principal", alert.principal))
    if actor and actor != alert.principal:
        items.add(Item(ACTOR, "", actor))
    return items


def _items_in(evidence: Evidence) -> Iterator[Item]:
    network = _network(evidence.source_ip)
    if network:
        yield Item(NETWORK, "sourceIPAddress|cidr", network)
    family = agent_family(evidence.user_agent)
    if family:
        yield Item(AGENT, "derived.agent.family", family)
    try:
        record = to_mapping(evidence.record) if evidence.record else {}
    except DecodeError:
        return
    for path, value in _leaves(masked(record.get("requestParameters")), "requestParameters", DEEPEST):
        yield Item(PARAMETER, path, value)


def _leaves(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if not isinstance(value, Mapping) or not depth:
        return
    for name, inner in value.items():
        if not name.isidentifier():
            continue  # no name that AWS gives, and none that a path should be made of
        if (
            isinstance(inner, str)
            and inner.strip() == inner
            and 0 < len(inner) <= LONGEST_VALUE
            and MASK not in inner
        ):
            yield f"{path}.{name}", inner
        else:
            yield from _leaves(inner, f"{path}.{name}", depth - 1)


def _network(address: str) -> str:
    """The /24 of an address, or the /48 in IPv6; empty for the name of a service."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))  # noqa: PLR2004 IPv4
