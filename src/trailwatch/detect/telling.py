"""Stage 3, what is told: alerts become messages, one for each incident, one for a flood, one for a digest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from trailwatch.detect.sameness import as_one
from trailwatch.model.alert import Alert
from trailwatch.model.message import Count, Kind, Message
from trailwatch.model.severity import Severity

ALERTS_TOLD = 100
"""Alerts in one message; more go into a further one."""
RECORDS_TOLD = 1024 * 1024
"""Bytes of raw records in one message; evidence beyond has none, the store and the archive do."""
HEADLINE_TOLD = 200
WORST_TOLD = 10
"""Alerts of a flood that get a line."""
COUNTED = 8
"""Rules and actors of a flood or digest that are counted by name; the others together."""
FLOOD = "flood"
"""The conversation of floods that no single incident is the cause of."""


def messages_of(alerts: Iterable[Alert], now: int, *, apart: bool = False) -> list[Message]:
    """One message for each incident, most severe first; several where it has more than `ALERTS_TOLD` alerts.

    Alerts without an incident go by their principal.

    The ids are a pure function of what is told and when it is decided.

    Args:
        alerts: what to tell.
        now: seconds since 1970.
        apart: keep those that say the same of several regions as they are.
    """
    together: dict[str, list[Alert]] = {}
    for alert in _by_weight(alerts):
        together.setdefault(alert.incident or alert.principal, []).append(alert)
    return [
        _message(found[start : start + ALERTS_TOLD], now)
        for found in (one if apart else as_one(one) for one in together.values())
        for start in range(0, len(found), ALERTS_TOLD)
    ]


def updates_of(alerts: Iterable[Alert], known: Mapping[str, int], now: int) -> list[Message]:
    """More of one incident that was told before.

    Args:
        alerts: new ones, and those that have more events now; all of one conversation.
        known: how many events were told before, for those that are not new.
        now: seconds since 1970.
    """
    ordered = _by_weight(alerts)
    new = [alert for alert in ordered if not known.get(alert.id)]
    grown = [alert for alert in ordered if known.get(alert.id)]
    lines = [_plural(len(as_one(new)), "new alert")] if new else []
    if grown:
        more = sum(alert.event_count - known[alert.id] for alert in grown)
        lines.append(f"{_plural(more, 'more event')} of {_plural(len(grown), 'alert')} that you were told of")
    told = as_one([*new, *grown])
    return [
        _message(told[start : start + ALERTS_TOLD], now, kind=Kind.UPDATE, body=" and ".join(lines) + ".")
        for start in range(0, len(told), ALERTS_TOLD)
    ]


def flood_of(alerts: Iterable[Alert], now: int) -> Message:
    """One message for all of them: counts, and the worst."""
    ordered = as_one(_by_weight(alerts))
    threads = {alert.incident or alert.principal for alert in ordered}
    actors = len({alert.actor or alert.principal for alert in ordered})
    message = _message(ordered[:WORST_TOLD], now, salt=_ids(ordered))
    return msgspec.structs.replace(
        message,
        kind=Kind.FLOOD,
        principal=ordered[0].principal if len(threads) == 1 else "",
        thread=next(iter(threads)) if len(threads) == 1 else FLOOD,
        headline=f"{_plural(len(ordered), 'alert')} at once, of {_plural(actors, 'actor')}",
        level=ordered[0].severity,
        counts=counts_of(ordered),
        total=len(ordered),
    )


def digest_of(alerts: Iterable[Alert], period: str, now: int) -> Message:
    """What could wait, gathered.

    Args:
        alerts: what to tell.
        period: `hourly` or `daily`.
        now: seconds since 1970.
    """
    ordered = as_one(_by_weight(alerts))
    message = _message(ordered[:ALERTS_TOLD], now, salt=_ids(ordered))
    worst = ordered[0].severity.value
    return msgspec.structs.replace(
        message,
        kind=Kind.DIGEST,
        principal="",
        thread=f"digest {period}",
        headline=f"{period.capitalize()} digest: {_plural(len(ordered), 'alert')}, the worst {worst}",
        level=ordered[0].severity,
        counts=counts_of(ordered),
        total=len(ordered),
    )


def pointer_of(gone: str, home: str, now: int) -> Message:
    """The last message of an incident that turned out to be part of another."""
    digest = hashlib.sha256(f"pointer\0{gone}\0{home}".encode())
    return Message(
        id=digest.hexdigest()[:32],
        created=now,
        principal="",
        alerts=(),
        headline=f"incident {gone} is part of {home} now",
        body=f"Incident {gone} began with the same actor as {home}, which is older. What comes next is told there.",
        kind=Kind.POINTER,
        thread=gone,
        commands=(f"trailwatch incidents show {home}",),
        level=Severity.MEDIUM,
    )


def counts_of(alerts: Sequence[Alert]) -> tuple[Count, ...]:
    """How many there are of each severity, rule and actor, the most first."""
    levels = Counter(alert.severity for alert in alerts)
    found = [Count("severity", level.value, levels[level]) for level in sorted(levels, reverse=True)]
    found += _counted("rule", Counter(alert.rule.title or alert.rule.slug for alert in alerts))
    found += _counted("actor", Counter(alert.actor or alert.principal for alert in alerts))
    return tuple(found)


def _counted(by: str, counts: Counter[str]) -> list[Count]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    found = [Count(by, label, number) for label, number in ordered[:COUNTED]]
    rest = ordered[COUNTED:]
    if rest:
        found.append(Count(by, f"{len(rest)} others", sum(number for _, number in rest)))
    return found


def _by_weight(alerts: Iterable[Alert]) -> list[Alert]:
    return sorted(alerts, key=lambda a: (-a.severity.rank, a.first_time, a.id))


def _ids(alerts: Iterable[Alert]) -> str:
    return "\0".join(alert.id for alert in alerts)


def _message(alerts: list[Alert], now: int, *, kind: Kind = Kind.ALERT, body: str = "", salt: str = "") -> Message:
    principal = alerts[0].principal
    digest = hashlib.sha256(f"{now}\0{principal}".encode())
    for alert in alerts:
        digest.update(f"\0{alert.id}\0{alert.severity.value}".encode())
    if salt or kind is not Kind.ALERT:
        digest.update(f"\0{kind.value}\0{salt}".encode())
    return Message(
        id=digest.hexdigest()[:32],
        created=now,
        principal=principal,
        alerts=tuple(_within(alerts, RECORDS_TOLD)),
        headline=_headline(alerts),
        body=body,
        kind=kind,
        thread=alerts[0].incident,
    )


def _headline(alerts: list[Alert]) -> str:
    worst = max(alerts, key=lambda alert: alert.severity)
    more = f" and {len(alerts) - 1} more" if len(alerts) > 1 else ""
    title = "".join(c if c.isprintable() else "\ufffd" for c in worst.title[:HEADLINE_TOLD])
    return f"{worst.severity.value}: {title}{more}"


def _within(alerts: list[Alert], budget: int) -> Iterable[Alert]:
    for alert in alerts:
        evidence = []
        for one in alert.evidence:
            budget -= len(one.record)
            evidence.append(one if budget >= 0 else msgspec.structs.replace(one, record=b""))
        yield msgspec.structs.replace(alert, evidence=tuple(evidence))


def _plural(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
