"""Stage 3, who is told: which notifiers an alert goes to, and whether it can wait for a digest."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from trailwatch.config.notifiers import Outlet, Route
from trailwatch.model.alert import Alert
from trailwatch.model.severity import Severity

AT_ONCE = ""
_QUICKNESS = (AT_ONCE, "hourly", "daily")
HOUR = 3600
_WORD = re.compile(r"[a-z0-9]+")


class Way(NamedTuple):
    """How one notifier is used."""

    least: Severity
    digest: str
    immediate: Severity


class Routing:
    """Who gets which alerts.

    A notifier that no route names gets everything from its least severity on; one that is named only what its
    routes say. An alert of high or above that no notifier would get goes to all whose least severity it reaches:
    a gap between the routes must not swallow it.

    Args:
        ways: how each notifier is used, by name.
        routes: which alerts go where.
    """

    def __init__(self, ways: Mapping[str, Way], routes: Sequence[Route] = ()) -> None:
        self._ways = dict(ways)
        self._routes = routes
        self._named = {name for route in routes for name in route.to}

    @classmethod
    def of(cls, outlets: Iterable[Outlet], routes: Sequence[Route] = ()) -> Routing:
        """What the settings say."""
        return cls({one.name: Way(one.min_severity, one.digest, one.immediate) for one in outlets}, routes)

    @classmethod
    def by_level(cls, levels: Mapping[str, Severity]) -> Routing:
        """Everything at once, to each notifier from its least severity on."""
        return cls({name: Way(least, "off", Severity.HIGH) for name, least in levels.items()})

    @property
    def names(self) -> list[str]:
        return list(self._ways)

    def notices(self) -> list[str]:
        """The notifiers that get messages about trailwatch itself."""
        return [name for name, way in self._ways.items() if way.least <= Severity.HIGH]

    def places(self, alert: Alert) -> dict[str, str]:
        """The notifiers that the alert goes to, each with its digest; empty for at once."""
        found: dict[str, str] = {}
        for route in self._routes:
            if fits(route, alert):
                for name in route.to:
                    self._add(found, name, alert, route.digest)
        for name in self._ways:
            if name not in self._named:
                self._add(found, name, alert, "")
        if not found and alert.severity >= Severity.HIGH:
            for name in self._ways:
                self._add(found, name, alert, "")
        return found

    def _add(self, found: dict[str, str], name: str, alert: Alert, wanted: str) -> None:
        way = self._ways[name]
        if alert.severity < way.least:
            return
        digest = wanted or way.digest
        if digest == "off" or (not wanted and alert.severity >= way.immediate):
            digest = AT_ONCE
        found[name] = min(digest, found.get(name, digest), key=_QUICKNESS.index)


def fits(route: Route, alert: Alert) -> bool:
    """Whether everything that the route names holds for the alert."""
    rule = alert.rule
    return (
        alert.severity >= route.severity
        and (not route.accounts or alert.account in route.accounts)
        and (not route.tactics or bool(set(route.tactics) & {_tactic(one) for one in rule.tactics}))
        and (not route.rules or _any(route.rules, (rule.id, rule.slug)))
        and (not route.tags or _any(route.tags, rule.tags))
        and (not route.actor or _any(route.actor, [key for key in (alert.principal, alert.actor_key) if key]))
    )


def digest_due(digest: str, now: int, at: str, zone: tzinfo | None) -> int:
    """When the next digest is sent: the next full hour, or the next time that it is `at`, such as `08:00`.

    Args:
        digest: `hourly` or `daily`.
        now: seconds since 1970.
        at: the time of day.
        zone: of that time; None for the machine's.
    """
    if digest == "hourly":
        return now - now % HOUR + HOUR
    local = datetime.fromtimestamp(now, UTC).astimezone(zone)
    hour, _, minute = at.partition(":")
    for days in (0, 1, 2):
        day = local.date() + timedelta(days=days)
        naive = datetime(day.year, day.month, day.day, int(hour), int(minute))  # noqa: DTZ001 its zone comes next
        when = int((naive.astimezone() if zone is None else naive.replace(tzinfo=zone)).timestamp())
        if when > now:
            return when
    return now + 24 * HOUR


def _any(patterns: Sequence[str], values: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(value, pattern) for value in values for pattern in patterns)


def _tactic(text: str) -> str:
    """`defense-evasion` for it and for `attack.defense_evasion`."""
    return "-".join(_WORD.findall(text.removeprefix("attack.").lower()))
