"""GuardDuty's findings as matches: what AWS concluded, in the same words as what rules conclude.

A finding comes as EventBridge and exports have it, with names in camelCase; what the API answers is brought into that
form by its source. Of a finding a record is made that looks like CloudTrail's, so that everything behind it (lineage,
incidents, suppressions, noise, outputs) reads it like any other; the finding itself stands in it, whole.

One alert is one finding type about one thing on one day, so that a region which repeats what another one says adds
to its alert. An update of a finding is an event of its own: id and time of the update together are its id.

Sources: https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-summary.html (the form),
https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-severity.html (the numbers of severity).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from trailwatch.detect.findings_about import Subject, part, subject_of, text_of
from trailwatch.detect.links import OF_ROLE, identity_of, own_links
from trailwatch.errors import DecodeError
from trailwatch.model.event import parse_time
from trailwatch.model.identity import alert_id
from trailwatch.model.match import Match
from trailwatch.model.principal import principal_of
from trailwatch.model.rule import Dedup, RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.model.signal import Link

PREFIX = "guardduty:"
"""Rule ids of findings begin so; their type follows."""
EVENT_SOURCE = "guardduty.amazonaws.com"
EVENT_TYPE = "GuardDutyFinding"
DAY_SECONDS = 86400
LEAST = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (1.0, Severity.LOW))
"""From which number on a finding has a severity: AWS's own table."""
TACTICS = {
    "Backdoor": "command-and-control",
    "CredentialAccess": "credential-access",
    "CryptoCurrency": "impact",
    "DefenseEvasion": "defense-evasion",
    "Discovery": "discovery",
    "Execution": "execution",
    "Exfiltration": "exfiltration",
    "Impact": "impact",
    "InitialAccess": "initial-access",
    "Persistence": "persistence",
    "PrivilegeEscalation": "privilege-escalation",
    "Recon": "reconnaissance",
    "Stealth": "defense-evasion",
}
"""The purpose that a finding's type begins with, as a tactic; the others name none."""
_TYPES_PAGE = "https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_finding-types-active.html"
_ALWAYS = frozenset({"eventTime", "eventName", "awsRegion", "recipientAccountId"})
_PLAIN = re.compile(r"[A-Za-z0-9-]{1,64}")


def is_finding(record: Mapping[str, Any]) -> bool:
    """Whether an object is a finding, as EventBridge has it in `detail`."""
    service = record.get("service")
    return (
        "eventName" not in record
        and isinstance(service, Mapping)
        and service.get("serviceName") == "guardduty"
        and all(isinstance(record.get(name), str) for name in ("id", "type", "updatedAt"))
    )


def event_id_of(finding: Mapping[str, Any]) -> str:
    """The id of this state of the finding."""
    return f"{text_of(finding, 'id')}@{text_of(finding, 'updatedAt')}"


def updated_at(finding: Mapping[str, Any]) -> int:
    """When GuardDuty last changed it, in seconds since 1970.

    Raises:
        DecodeError: it does not say so.
    """
    return _seconds(text_of(finding, "updatedAt"))


def severity_of(number: object) -> Severity:
    """GuardDuty's number, 0 to 10, as a severity; what is no number is worth a look."""
    if not isinstance(number, int | float) or isinstance(number, bool):
        return Severity.MEDIUM
    return next((severity for least, severity in LEAST if number >= least), Severity.INFORMATIONAL)


def match_of(finding: Mapping[str, Any], origin: str, position: int) -> Match:
    """The finding as a match of the rule `guardduty:TYPE`.

    Args:
        finding: as `is_finding` wants it.
        origin: where it came from.
        position: its number within that.

    Raises:
        DecodeError: it lacks a time, or one is none.
    """
    about = subject_of(finding)
    record = record_of(finding, about)
    principal = principal_of(record)
    service = part(finding, "service")
    last = _seconds(record["eventTime"])
    first = _seconds(text_of(service, "eventFirstSeen") or text_of(finding, "createdAt") or record["eventTime"])
    rule, thing = _rule_of(finding), about.key or event_id_of(finding)
    return Match(
        rule=rule,
        alert_id=alert_id(rule.id, [record["recipientAccountId"], thing], first, DAY_SECONDS),
        time=last,
        event_id=record["eventID"],
        account=record["recipientAccountId"],
        region=record["awsRegion"],
        event_source=EVENT_SOURCE,
        event_name=record["eventName"],
        principal=about.principal or principal.key,
        actor=str(principal) if about.caller else about.text,
        source_ip=about.source_ip,
        user_agent=about.user_agent,
        error_code=about.error_code,
        reason=_reason(finding),
        origin=origin,
        position=position,
        record=msgspec.json.encode(record),
        title=text_of(finding, "title") or rule.title,
        context=dict(_context(finding, about)),
        identity=about.identity or identity_of(principal),
    )


def links_in(match: Match) -> list[Link]:
    """What a finding says of who it is about: whose key it is, which machine holds the session.

    A finding tells a role's name without its path, so which role a session is of is left to CloudTrail's records.
    """
    return [link for link in own_links(msgspec.json.decode(match.record)) if link.kind != OF_ROLE]


def record_of(finding: Mapping[str, Any], about: Subject) -> dict[str, Any]:
    """The finding in a record that reads like CloudTrail's."""
    service = part(finding, "service")
    record: dict[str, Any] = {
        "eventTime": text_of(service, "eventLastSeen") or text_of(finding, "updatedAt"),
        "eventSource": EVENT_SOURCE,
        "eventName": text_of(finding, "type"),
        "eventType": EVENT_TYPE,
        "eventID": event_id_of(finding),
        "awsRegion": text_of(finding, "region"),
        "recipientAccountId": text_of(finding, "accountId"),
        "userIdentity": dict(about.caller),
        "sourceIPAddress": about.source_ip,
        "userAgent": about.user_agent,
        "errorCode": about.error_code,
        "requestParameters": dict(about.parameters),
        "resources": [{"ARN": arn} for arn in about.arns],
    }
    return {**{name: value for name, value in record.items() if value or name in _ALWAYS}, "finding": finding}


def _rule_of(finding: Mapping[str, Any]) -> RuleInfo:
    kind = text_of(finding, "type")
    tactic = TACTICS.get(kind.partition(":")[0])
    return RuleInfo(
        id=PREFIX + kind,
        slug=PREFIX + kind,
        title=f"GuardDuty: {kind}",
        severity=severity_of(finding.get("severity")),
        origin="GuardDuty",
        description=text_of(finding, "description"),
        tactics=(tactic,) if tactic else (),
        references=(_TYPES_PAGE, *_console(finding)),
        triage=("Read what GuardDuty saw, and look for what else this caller or machine did in the hours before.",),
        dedup=Dedup(by=("recipientAccountId", "finding.resource"), period_seconds=DAY_SECONDS),
    )


def _console(finding: Mapping[str, Any]) -> Iterator[str]:
    region, number = text_of(finding, "region"), text_of(finding, "id")
    if _PLAIN.fullmatch(region) and _PLAIN.fullmatch(number):
        yield f"https://{region}.console.aws.amazon.com/guardduty/home?region={region}#/findings?search=id%3D{number}"


def _reason(finding: Mapping[str, Any]) -> str:
    service = part(finding, "service")
    count = service.get("count")
    times = f"seen {count} times" if isinstance(count, int) and count > 1 else "seen"
    first, last = text_of(service, "eventFirstSeen"), text_of(service, "eventLastSeen")
    when = f"{times} from {first} to {last}" if first != last else f"{times} at {first}"
    return "; ".join(one for one in (text_of(finding, "description"), when if first else "") if one)


def _context(finding: Mapping[str, Any], about: Subject) -> Iterator[tuple[str, str]]:
    yield "finding", text_of(finding, "id")
    if about.text:
        yield "about", about.text
    more = part(finding, "service", "additionalInfo")
    if more.get("sample") is True or '"sample":true' in text_of(more, "value").replace(" ", ""):
        yield "sample", "yes: made with CreateSampleFindings, nothing happened"
    if about.action:
        yield "action", about.action


def _seconds(text: str) -> int:
    if not text:
        raise DecodeError("finding", "it has no time", "it is kept as a reject")
    moment: datetime = parse_time(text, "finding")
    return int(moment.timestamp())
