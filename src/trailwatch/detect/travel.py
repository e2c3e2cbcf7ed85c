"""Stage 2, travel: somebody is at two places faster than anybody travels.

Any two places of one person less than a day apart are compared; what was seen first, and what comes later, makes no
difference, so the alerts are a pure function of the set of events. Whether a place says where a person is, is the
rule's own business: its condition leaves out clouds, VPNs and proxies.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from trailwatch.detect.first_seen import ActorOf, match_of, values_of
from trailwatch.detect.signal_content import number_of
from trailwatch.model.identity import alert_id
from trailwatch.model.match import Match
from trailwatch.model.sighting import DAY
from trailwatch.model.signal import Signal, Stay
from trailwatch.ports import JourneyState
from trailwatch.rules.rule import Rule, Travel

COMPARED_SECONDS = DAY
"""After a day anybody can be anywhere."""
EARTH_RADIUS_KM = 6371.0
STAYS_COMPARED = 500


class Journeys:
    """Runs rules about travel over a state.

    Args:
        rules: those with `travel`; the others are left alone.
        state: who was where.
    """

    def __init__(self, rules: Iterable[Rule], state: JourneyState) -> None:
        self._rules = {rule.info.id: rule for rule in rules if rule.travel is not None}
        self._state = state
        self._travellers: dict[int, tuple[str, tuple[str, ...]]] = {}
        self._fresh: dict[int, list[Stay]] = {}

    def __bool__(self) -> bool:
        return bool(self._rules)

    def take(self, signals: Iterable[Signal], actor_of: ActorOf | None = None) -> list[Match]:
        """What is too fast with these, for events as they arrive."""
        self.keep(signals, actor_of)
        return self.conclude()

    def keep(self, signals: Iterable[Signal], actor_of: ActorOf | None = None) -> None:
        """Keeps who was where; what is too fast is told by `conclude`."""
        stays = []
        for signal in signals:
            place = _place(signal.value) if signal.rule_id in self._rules else None
            if place is None:
                continue
            values = (signal.brief.account, *self._values(signal, actor_of))
            number = number_of((signal.rule_id, *values))
            self._travellers[number] = signal.rule_id, values
            stay = Stay(number, signal.time, *place, signal.brief, signal.record, signal.origin, signal.position)
            self._fresh.setdefault(number, []).append(stay)
            stays.append(stay)
        if stays:
            self._state.stay(stays)

    def conclude(self) -> list[Match]:
        """What is too fast among what was kept since the last time, with all that was kept before; by time."""
        fresh, self._fresh = self._fresh, {}
        found: dict[tuple[str, str], Match] = {}
        for number, stays in fresh.items():
            for match in self._of(number, stays):
                key = (match.alert_id, match.event_id)
                if key not in found or match.reason < found[key].reason:
                    found[key] = match
        self._travellers.clear()
        return sorted(found.values(), key=lambda one: (one.time, one.rule.id, one.alert_id, one.event_id))

    def _values(self, signal: Signal, actor_of: ActorOf | None) -> tuple[str, ...]:
        return values_of(signal, self._travel(signal.rule_id).by, actor_of)

    def _travel(self, rule_id: str) -> Travel:
        travel = self._rules[rule_id].travel
        if travel is None:  # only rules that have one were taken
            raise KeyError(rule_id)
        return travel

    def _of(self, number: int, fresh: list[Stay]) -> Iterator[Match]:
        rule_id, values = self._travellers[number]
        rule, travel = self._rules[rule_id], self._travel(rule_id)
        low, high = min(stay.time for stay in fresh), max(stay.time for stay in fresh)
        around = self._state.stays(number, low - COMPARED_SECONDS, high + COMPARED_SECONDS)
        new = {(stay.time, stay.latitude, stay.longitude) for stay in fresh}
        for at, later in enumerate(around):
            for earlier in around[max(0, at - STAYS_COMPARED) : at]:
                if new.isdisjoint((stay.time, stay.latitude, stay.longitude) for stay in (earlier, later)):
                    continue
                seconds = later.time - earlier.time
                kilometres = distance_km(earlier, later)
                if seconds >= COMPARED_SECONDS or kilometres < travel.least_km:
                    continue
                if kilometres * 3600 > travel.speed_kmh * seconds:
                    told = {
                        **dict(zip(("account", *travel.by), values, strict=True)),
                        "from": f"{earlier.brief.source_ip} ({earlier.latitude}, {earlier.longitude})",
                        "to": f"{later.brief.source_ip} ({later.latitude}, {later.longitude})",
                    }
                    reason = f"{told['from']} -> {told['to']}: {kilometres:,.0f} km in {_span(seconds)}"
                    ident = alert_id(rule.info.id, values, later.time, DAY)
                    yield match_of(rule, ident, later, reason, told)


def distance_km(one: Stay, other: Stay) -> float:
    """Along the surface of the earth."""
    begin, end = math.radians(one.latitude), math.radians(other.latitude)
    across = math.radians(other.longitude - one.longitude)
    half = math.sin((end - begin) / 2) ** 2 + math.cos(begin) * math.cos(end) * math.sin(across / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(half)))


def _place(text: str) -> tuple[float, float] | None:
    latitude, separator, longitude = text.partition(",")
    try:
        return (float(latitude), float(longitude)) if separator else None
    except ValueError:
        return None


def _span(seconds: int) -> str:
    minutes = seconds // 60
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"  # noqa: PLR2004 minutes of an hour
