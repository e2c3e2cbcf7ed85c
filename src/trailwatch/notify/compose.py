"""A message becomes what it shows: every text inert, masked and short."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from trailwatch.detect.sameness import regions_of
from trailwatch.model.alert import Alert, Evidence
from trailwatch.model.message import Kind, Message
from trailwatch.model.principal import Principal, principal_of
from trailwatch.model.secrets import masked
from trailwatch.notify.plain import TEXT_LIMIT, Masking, inert, read_record, values_at
from trailwatch.notify.view import (
    AlertLine,
    AlertView,
    CountGroup,
    EventRow,
    Fact,
    MessageView,
    Moment,
    Reference,
    RuleView,
)
from trailwatch.rules.derived_names import PREFIX

ALERTS_IN_FULL = 6
"""Further alerts of a message get one line each, so that a flood stays readable."""
EVENTS_AMONG_MANY = 5
"""Events shown of each alert where a message has several; a single alert shows all that it kept."""
VALUES_SHOWN = 5
"""Distinct addresses, regions, sessions, ... in one line; the rest is counted."""
AGENT = "User agent"
AGENT_LIMIT = 70
"""Of each of several user agents: programs differ at the front, one program's calls only at the end."""
PRINCIPAL_LIMIT = 120
REASON_LIMIT = 600
REGIONS_LIMIT = 800
"""Enough for every region there is."""
SHOWN_ANYWAY = frozenset(
    {"eventName", "eventSource", "awsRegion", "sourceIPAddress", "userAgent", "errorCode", "recipientAccountId"}
)
"""Fields that every alert shows, so that a rule that names them says nothing twice."""


def view_of(message: Message, zone: tzinfo | None) -> MessageView:
    """The message as data.

    Args:
        message: what is told.
        zone: the reader's zone; None for the machine's.
    """
    alerts = by_weight(message)
    gathered = message.kind in (Kind.FLOOD, Kind.DIGEST)
    recorded = {id(e): read_record(e.record) for alert in alerts for e in alert.evidence}
    # one masking for the whole message: a secret of one event must not show through the text of another
    show = Masking(recorded.values())
    records: dict[int, Mapping[str, Any]] = {key: masked(record) for key, record in recorded.items()}
    first = alerts[0] if alerts and not gathered else None
    told = [] if gathered else alerts[:ALERTS_IN_FULL]
    # a record that cannot be read says nothing about anybody
    people = [principal_of(records[id(e)]) for alert in alerts for e in alert.evidence if records[id(e)]]
    several_callers = len({str(person) for person in people}) > 1
    who = str(people[0]) if people else message.principal
    return MessageView(
        severity=message.severity.value,
        title=show(first.title, 160) if first else inert(message.headline, 160),
        who=show(who, PRINCIPAL_LIMIT),
        extra=0 if gathered else max(0, len(alerts) - 1),
        headline=inert(message.headline, 300),
        body=inert(message.body, 20_000, lines=True),
        identity=() if gathered else _identity(people, show),
        order=tuple(_lines(sorted(told, key=lambda a: (a.first_time, a.id)), show, zone)) if len(told) > 1 else (),
        alerts=tuple(
            _alert_view(alert, records, show, zone, who, several_callers=several_callers, alone=len(alerts) == 1)
            for alert in told
        ),
        folded=() if gathered else tuple(_lines(alerts[ALERTS_IN_FULL:], show, zone)),
        kind=message.kind.value,
        preface=inert(message.body, 1000) if message.kind is Kind.UPDATE else "",
        commands=tuple(inert(command) for command in message.commands) or _of_incident(alerts, gathered=gathered),
        counts=_counts(message, show),
        lines=tuple(_lines(alerts, show, zone)) if gathered else (),
        total=message.total,
    )


def by_weight(message: Message) -> list[Alert]:
    """Its alerts as they are shown: most severe first, then oldest first."""
    return sorted(message.alerts, key=lambda alert: (-alert.severity.rank, alert.first_time, alert.id))


def _of_incident(alerts: Sequence[Alert], *, gathered: bool) -> tuple[str, ...]:
    """For several alerts of one incident: what shows and acknowledges them all."""
    incidents = {alert.incident for alert in alerts}
    if gathered or len(alerts) < 2 or len(incidents) != 1 or incidents == {""}:  # noqa: PLR2004 several
        return ()
    incident = inert(incidents.pop())
    return f"trailwatch incidents show {incident}", f"trailwatch incidents ack {incident}"


def _counts(message: Message, show: Masking) -> tuple[CountGroup, ...]:
    rows: dict[str, list[tuple[str, int]]] = {}
    for one in message.counts:
        rows.setdefault(one.by, []).append((show(one.label, PRINCIPAL_LIMIT), one.number))
    return tuple(CountGroup(inert(by), tuple(found)) for by, found in rows.items())


def moment(seconds: int, zone: tzinfo | None) -> Moment:
    """A time for people; `local` is empty where the zone is UTC at that time."""
    try:
        utc = datetime.fromtimestamp(seconds, UTC)
        local = utc.astimezone(zone)
    except (OverflowError, ValueError, OSError):
        return Moment(f"{seconds} s since 1970")
    text = f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    if not local.utcoffset():
        return Moment(text)
    day = "" if local.date() == utc.date() else f"{local:%Y-%m-%d} "
    return Moment(text, f"{day}{local:%H:%M:%S %Z}")


def _lines(alerts: Iterable[Alert], show: Masking, zone: tzinfo | None) -> Iterable[AlertLine]:
    for alert in alerts:
        regions = regions_of(alert)
        yield AlertLine(
            id=inert(alert.id),
            severity=alert.severity.value,
            title=show(alert.title, 160),
            time=moment(alert.first_time, zone),
            who=show(alert.actor or alert.principal, PRINCIPAL_LIMIT),
            events=alert.event_count,
            regions=show(", ".join(regions), REGIONS_LIMIT) if len(regions) > 1 else "",
            incident=inert(alert.incident),
        )


def _identity(people: Sequence[Principal], show: Masking) -> tuple[Fact, ...]:
    """Who, as the records say, over all events of the message."""
    found = [
        ("Principal", (p.issuer_arn or p.arn or p.key for p in people)),
        ("Type", (p.kind for p in people)),
        ("Session name", (p.session_name for p in people)),
        ("Source identity", (p.source_identity for p in people)),
        ("Access key", (p.access_key for p in people)),
        ("Invoked by", (p.invoked_by for p in people)),
        ("MFA", (_mfa(p.mfa) for p in people)),
        ("Account", (p.account for p in people)),
    ]
    return tuple(_facts(found, show))


def _mfa(mfa: bool | None) -> str:
    return "the record does not say" if mfa is None else "yes" if mfa else "no"


def _facts(found: Iterable[tuple[str, Iterable[str]]], show: Masking) -> Iterable[Fact]:
    for label, values in found:
        distinct = list(dict.fromkeys(value for value in values if value))
        if distinct:
            several_agents = label == AGENT and len(distinct) > 1
            every = list(
                dict.fromkeys(show(value, AGENT_LIMIT if several_agents else TEXT_LIMIT) for value in distinct)
            )
            shown = ", ".join(every[:VALUES_SHOWN])
            rest = len(every) - VALUES_SHOWN
            yield Fact(label, f"{shown} and {rest} more" if rest > 0 else shown)


def _alert_view(
    alert: Alert,
    records: Mapping[int, Mapping[str, Any]],
    show: Masking,
    zone: tzinfo | None,
    who: str,
    *,
    several_callers: bool,
    alone: bool,
) -> AlertView:
    rule = alert.rule
    shown = alert.evidence if alone else alert.evidence[:EVENTS_AMONG_MANY]
    return AlertView(
        id=inert(alert.id),
        severity=alert.severity.value,
        title=show(alert.title, 160),
        facts=tuple(_alert_facts(alert, records, show, zone, who, several_callers=several_callers)),
        why=show(rule.description, 2000),
        steps=tuple(show(step, 600) for step in rule.triage),
        respond=inert(rule.respond),
        commands=_commands(alert),
        events=tuple(_row(e, records[id(e)], show, zone) for e in shown),
        more_events=max(0, alert.event_count - len(shown)),
        rule=RuleView(
            id=inert(rule.id),
            slug=inert(rule.slug),
            severity=rule.severity.value,
            attack=inert(", ".join((*rule.tactics, *rule.techniques))),
            false_positives=tuple(inert(text, 400) for text in rule.false_positives),
            references=tuple(
                Reference(inert(url, links=True), link=url.startswith(("https://", "http://")))
                for url in rule.references
            ),
        ),
    )


def _places(alert: Alert, show: Masking) -> Iterable[Fact]:
    regions = regions_of(alert)
    if len(regions) > 1:
        yield Fact("Regions", f"{len(regions)}: {show(', '.join(regions), REGIONS_LIMIT)}")
    else:
        yield from _facts([("Region", regions)], show)
    if alert.twins:
        yield Fact("Alerts", f"{len(alert.twins) + 1} that say the same, told as one")


def _commands(alert: Alert) -> tuple[str, ...]:
    shown = f"trailwatch alerts show {inert(alert.id)}"
    if not alert.incident:
        return shown, f"trailwatch alerts ack {inert(alert.id)}"
    incident = inert(alert.incident)
    if alert.twins:
        return shown, f"trailwatch incidents show {incident}", f"trailwatch incidents ack {incident}"
    return shown, f"trailwatch alerts ack {inert(alert.id)}", f"trailwatch incidents show {incident}"


def _alert_facts(
    alert: Alert,
    records: Mapping[int, Mapping[str, Any]],
    show: Masking,
    zone: tzinfo | None,
    who: str,
    *,
    several_callers: bool,
) -> Iterable[Fact]:
    evidence = alert.evidence
    callers = [str(principal_of(records[id(e)])) for e in evidence if records[id(e)]]
    if several_callers:
        yield from _facts([("Who", callers)], show)
    if alert.actor not in ("", who, alert.principal, *callers):
        yield Fact("Began with", show(alert.actor))
    if alert.incident:
        yield Fact("Incident", inert(alert.incident))
    names = list(dict.fromkeys(f"{e.event_name} ({e.event_source})" for e in evidence))
    for fact in _facts([("What", names)], show):
        count = f", {alert.event_count} events" if alert.event_count > 1 else ""
        yield Fact(fact.label, fact.value + count)
    yield Fact("When", str(moment(alert.first_time, zone)))
    if alert.last_time != alert.first_time:
        yield Fact("Last", str(moment(alert.last_time, zone)))
    yield from _facts(
        [
            ("From", [e.source_ip for e in evidence]),
            (AGENT, [e.user_agent for e in evidence]),
            ("Account", [e.account for e in evidence] or [alert.account]),
        ],
        show,
    )
    yield from _places(alert, show)
    reasons = list(dict.fromkeys(e.reason for e in evidence if e.reason))
    if reasons:
        more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        yield Fact("Matched", show(reasons[0], REASON_LIMIT) + more)
    if evidence:
        record = records[id(evidence[0])]
        told = SHOWN_ANYWAY | alert.context.keys()  # derived fields stand in the context
        paths = [path for path in alert.rule.fields if path not in told and not path.startswith(PREFIX)]
        yield from _facts([(_label(path), values_at(record, path)) for path in paths], show)
    for label, value in alert.context.items():
        if value not in (alert.principal, alert.actor):
            yield Fact(inert(label, 80), show(value))


def _label(path: str) -> str:
    """A field path as a label that can wrap: `Request userName` for `requestParameters.userName`."""
    start, _, rest = path.partition(".")
    word = {"requestParameters": "Request", "responseElements": "Answer"}.get(start)
    return inert(f"{word} {rest}" if word and rest else path, 80)


def _row(evidence: Evidence, record: Mapping[str, Any], show: Masking, zone: tzinfo | None) -> EventRow:
    result = evidence.error_code or _stated_result(record) or "done"
    return EventRow(
        time=moment(evidence.time, zone),
        event=show(evidence.event_name, 120),
        source=show(evidence.event_source, 120),
        region=show(evidence.region, 60),
        address=show(evidence.source_ip, 120),
        result=show(result, 160),
        failed=result not in ("done", "Success"),
    )


def _stated_result(record: Mapping[str, Any]) -> str:
    """Sign-ins have no error code: what came of them stands in `responseElements.<eventName>`."""
    answer = record.get("responseElements")
    stated = answer.get(str(record.get("eventName"))) if isinstance(answer, Mapping) else None
    return stated if isinstance(stated, str) else ""
