"""What becomes of a rule whose condition holds: its script is asked, and a match is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from trailwatch.detect.compiled_rule import CompiledRule
from trailwatch.detect.derived import ScriptEvent
from trailwatch.detect.facts import facts_of
from trailwatch.detect.leaf import text_of
from trailwatch.detect.links import identity_of
from trailwatch.detect.reason import reason
from trailwatch.detect.record import Record
from trailwatch.model.event import Event
from trailwatch.model.identity import alert_id, synthetic_event_id
from trailwatch.model.match import Match, RuleFailure
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.rules.rule import Script

_ERROR_LONGEST = 500


class Said(msgspec.Struct):
    """What a Python rule's functions say of one event."""

    yes: bool
    title: str = ""
    severity: Severity | None = None
    dedup: str | None = None
    context: dict[str, str] = {}


_PLAIN_YES = Said(yes=True)


def verdict(compiled: CompiledRule, record: Record, event: ScriptEvent, failures: list[RuleFailure]) -> Match | None:
    """The match of a rule whose condition holds; None where its script says no or raises.

    A function of a script that raises is added to `failures`; only `rule` decides whether there is a match.
    """
    script = compiled.rule.script
    if script is None:
        return _match(compiled, record, event, _PLAIN_YES)
    said, errors = _ask(script, event)
    event_id = event.event_id or synthetic_event_id(bytes(record.raw))
    failures.extend(RuleFailure(compiled.rule.info.id, event_id, event.origin, error) for error in errors)
    return _match(compiled, record, event, said) if said.yes else None


def _ask(script: Script, event: ScriptEvent) -> tuple[Said, list[str]]:
    errors: list[str] = []

    def answer(function: Callable[[Event], Any] | None, read: Callable[[Any], Any], default: Any) -> Any:
        if function is None:
            return default
        try:
            return read(function(event))
        except Exception as error:  # noqa: BLE001 a user's own code: one that raises must not stop the others
            name = getattr(function, "__name__", "function")
            errors.append(f"{name}() raised {type(error).__name__}: {error}"[:_ERROR_LONGEST])
            return default

    said = Said(yes=answer(script.rule, bool, default=False))
    if said.yes:
        said.title = answer(script.title, str, default="")
        said.severity = answer(script.severity, _severity, default=None)
        said.dedup = answer(script.dedup, str, default=None)
        said.context = answer(script.context, _texts, default={})
    return said, errors


def _severity(level: Any) -> Severity:
    return level if isinstance(level, Severity) else Severity(str(level).lower())


def _texts(context: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in dict(context).items()}


def _match(compiled: CompiledRule, record: Record, event: ScriptEvent, said: Said) -> Match:
    info: RuleInfo = compiled.rule.info
    time = int(event.time.timestamp())
    principal = event.principal
    dedup = info.dedup
    values = [said.dedup] if said.dedup is not None else [_joined(values_at(record)) for values_at in compiled.dedup]
    raw = bytes(record.raw)
    return Match(
        rule=msgspec.structs.replace(info, severity=said.severity) if said.severity else info,
        alert_id=alert_id(info.id, values, time, dedup.period_seconds),
        time=time,
        event_id=event.event_id or synthetic_event_id(raw),
        account=event.account,
        region=event.region,
        event_source=event.source,
        event_name=event.name,
        principal=principal.key,
        actor=str(principal),
        source_ip=event.source_ip,
        user_agent=event.user_agent,
        error_code=event.error_code,
        reason=reason(compiled.tell, record),
        origin=event.origin,
        position=event.position,
        record=raw,
        title=said.title,
        context={**facts_of(info, event.record, event.book), **said.context},
        identity=identity_of(principal),
    )


def _joined(values: list[Any]) -> str:
    return "\n".join(map(text_of, values))
