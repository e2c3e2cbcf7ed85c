"""What a correlation concluded, as alerts and matches like those of rules over single events."""

from __future__ import annotations

from collections.abc import Mapping

from trailwatch.detect.correlator import Firing, Member
from trailwatch.model.alert import EVIDENCE_KEPT, Alert, Evidence
from trailwatch.model.match import Match
from trailwatch.rules.rule import RuleSet

EVENTS_SHOWN = 100
"""So many events at most stand in a match, the latest before it held."""
EventAt = tuple[int, str, str]


def titles_of(rules: RuleSet) -> dict[str, str]:
    """The title of every rule and correlation by id."""
    infos = [rule.info for rule in (*rules.rules, *rules.first_seen)] + [one.info for one in rules.correlations]
    return {info.id: info.title for info in infos}


def alert_of(firing: Firing, titles: Mapping[str, str]) -> Alert:
    """The alert in the name of who completed it, its first events as evidence; their records are not at hand."""
    info, last = firing.correlation.info, firing.completer.brief
    events = _by_event(firing)
    return Alert(
        id=firing.alert_id,
        rule=info,
        title=info.title,
        principal=last.principal,
        actor=last.who,
        account=last.account,
        region=last.region,
        first_time=firing.members[0].time,
        last_time=firing.members[-1].time,
        event_count=len(events),
        evidence=tuple(_evidence(found, titles) for found in list(events.values())[:EVIDENCE_KEPT]),
        context=dict(zip(firing.correlation.group_by, firing.key, strict=True)),
        identity=last.identity,
        head=firing.head,
    )


def events_of(firing: Firing) -> list[EventAt]:
    """Time, account and id of every event of it."""
    return [(found[0].time, found[0].account, found[0].event_id) for found in _by_event(firing).values()]


def match_of(firing: Firing, titles: Mapping[str, str]) -> Match:
    """The first time in the period that it held: the event that completed it, and those before."""
    until = [found for found in _by_event(firing).values() if found[0].time <= firing.moments[0]]
    shown = until[-EVENTS_SHOWN:]
    last = firing.completer.brief
    named = dict.fromkeys(titles.get(member.base_id, member.base_id) for found in shown for member in found)
    grouped = [f"{name} = {value}" for name, value in zip(firing.correlation.group_by, firing.key, strict=True)]
    return Match(
        rule=firing.correlation.info,
        alert_id=firing.alert_id,
        time=firing.moments[0],
        event_id=last.event_id,
        account=last.account,
        region=last.region,
        event_source=last.event_source,
        event_name=last.event_name,
        principal=last.principal,
        actor=last.who,
        source_ip=last.source_ip,
        user_agent=last.user_agent,
        error_code=last.error_code,
        reason="; ".join([f"{len(until)} {'event' if len(until) == 1 else 'events'}: {', '.join(named)}", *grouped]),
        origin="",
        position=-1,
        record=b"",
        event_ids=tuple(found[0].event_id for found in shown),
        identity=last.identity,
    )


def _by_event(firing: Firing) -> dict[tuple[str, str], list[Member]]:
    events: dict[tuple[str, str], list[Member]] = {}
    for member in firing.members:
        events.setdefault((member.account, member.event_id), []).append(member)
    return events


def _evidence(members: list[Member], titles: Mapping[str, str]) -> Evidence:
    brief = members[0].brief
    said = {titles.get(member.base_id, member.base_id): None for member in members}
    values = {member.value: None for member in members if member.value}
    return Evidence(
        event_id=brief.event_id,
        time=brief.time,
        event_name=brief.event_name,
        event_source=brief.event_source,
        account=brief.account,
        region=brief.region,
        source_ip=brief.source_ip,
        user_agent=brief.user_agent,
        error_code=brief.error_code,
        reason="; ".join([*said, *values]),
        record=b"",
    )
