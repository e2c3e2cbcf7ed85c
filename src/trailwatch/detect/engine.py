"""Stage 1: a delivery's records in, matches, rejects and counters out. A pure function of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from trailwatch.detect.compile import Test, compile_predicate, simplify
from trailwatch.detect.derived import ScriptEvent, derive
from trailwatch.detect.leaf import text_of, value_test
from trailwatch.detect.reason import reason
from trailwatch.detect.record import DERIVED, Record
from trailwatch.errors import DecodeError, RuleError
from trailwatch.model.event import Event
from trailwatch.model.identity import alert_id, synthetic_event_id
from trailwatch.model.match import Found, Match, Reject, RuleFailure
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.ports import Delivery
from trailwatch.rules.predicate import Const, Field
from trailwatch.rules.rule import Rule, RuleSet, Script

REJECT_BODY_LIMIT = 262_144
_PLANS_KEPT = 16_384
_INSIGHT = {"Insight", "AwsCloudTrailInsight"}
Plan = tuple[tuple[Rule, Test | None], ...]
"""The rules that can match, each with what must still be asked; None where nothing is left to ask."""


class Engine:
    """Runs a set of rules over deliveries.

    Args:
        rules: what `load_rules` gave.

    Raises:
        RuleError: a condition holds a value that does not fit its operator.
    """

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules.rules
        for rule in self._rules:
            try:
                compile_predicate(rule.condition)
            except ValueError as error:
                raise RuleError(rule.info.origin, str(error), "correct the rule") from None
        self._plans: dict[tuple[str, str], Plan] = {}

    def evaluate(self, delivery: Delivery) -> Found:
        """Everything stage 1 has to say about the delivery; matches by (position, rule id)."""
        found = Found(rejects=list(delivery.rejects))
        tally = found.tally
        tally.rejects = len(found.rejects)
        for what, count in delivery.left_out:
            tally.left_out[what] += count
        seen: set[tuple[str, str]] = set()
        for raw, position in zip(delivery.records, delivery.positions, strict=True):
            self._one(bytes(raw), delivery.origin, position, seen, found)
        left_out = sum(count for what, count in delivery.left_out if not what.endswith(" file"))
        tally.records = len(delivery.records) + len(delivery.rejects) + left_out
        tally.matches = len(found.matches)
        tally.failures = len(found.failures)
        return found

    def _one(self, raw: bytes, origin: str, position: int, seen: set[tuple[str, str]], found: Found) -> None:
        tally = found.tally
        record = Record(raw)
        try:
            event = ScriptEvent(record.full, origin, position)
        except DecodeError as error:
            found.rejects.append(Reject(origin, position, str(error), raw[:REJECT_BODY_LIMIT]))
            tally.rejects += 1
            return
        if event.get("eventCategory") in _INSIGHT or event.get("eventType") in _INSIGHT:
            tally.left_out["insight"] += 1
            return
        event_id = event.event_id or synthetic_event_id(raw)
        key = (str(event.get("recipientAccountId") or ""), event_id)
        if key in seen:
            tally.duplicates += 1
            return
        seen.add(key)
        before = len(found.matches)
        for rule, test in self._plan(event):
            if test is None or test(record):
                self._matched(rule, record, event, event_id, found)
        if len(found.matches) > before:
            tally.matched += 1
        else:
            tally.unmatched += 1

    def _plan(self, event: Event) -> Plan:
        key = (event.name.lower(), event.source.lower())
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _PLANS_KEPT:
                self._plans.clear()
            plan = self._plans[key] = self._make_plan(event)
        return plan

    def _make_plan(self, event: Event) -> Plan:
        values = {"eventName": event.name, "eventSource": event.source}

        def known(field: Field) -> bool | None:
            value = values.get(field.path)
            if not value or field.cased or field.strict:
                return None
            try:
                return value_test(field)(value)
            except ValueError:
                return None

        plan: list[tuple[Rule, Test | None]] = []
        for rule in sorted(self._rules, key=lambda rule: rule.info.id):
            left = simplify(rule.condition, known)
            if isinstance(left, Const):
                if left.value:
                    plan.append((rule, None))
            else:
                plan.append((rule, compile_predicate(left)))
        return tuple(plan)

    def _matched(self, rule: Rule, record: Record, event: ScriptEvent, event_id: str, found: Found) -> None:
        said = _Said(rule, event, event_id, found.failures)
        if rule.script is not None and not said.yes(rule.script):
            return
        found.matches.append(match_of(rule, record, event, event_id, said))


class _Said:
    """What a Python rule's functions say of one event; a function that raises is a counted failure."""

    def __init__(self, rule: Rule, event: Event, event_id: str, failures: list[RuleFailure]) -> None:
        self.title = ""
        self.info: RuleInfo = rule.info
        self.dedup: str | None = None
        self.context: dict[str, str] = {}
        self._rule, self._event, self._event_id, self._failures = rule, event, event_id, failures

    def yes(self, script: Script) -> bool:
        if not self._ask(script.rule, bool, default=False):
            return False
        if script.title:
            self.title = self._ask(script.title, str, default="")
        if script.severity:
            severity = self._ask(script.severity, lambda level: Severity(str(level).lower()), default=None)
            self.info = msgspec.structs.replace(self.info, severity=severity) if severity else self.info
        if script.dedup:
            self.dedup = self._ask(script.dedup, str, default=None)
        if script.context:
            self.context = self._ask(script.context, _texts, default={})
        return True

    def _ask(self, function: Callable[[Event], Any], read: Callable[[Any], Any], *, default: Any) -> Any:
        try:
            return read(function(self._event))
        except Exception as error:  # noqa: BLE001 a user's own code: one that raises must not stop the others
            what = f"{function.__name__}() raised {type(error).__name__}: {error}"
            failure = RuleFailure(self._rule.info.id, self._event_id, self._event.origin, what[:500])
            self._failures.append(failure)
            return default


def _texts(context: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in dict(context).items()}


def match_of(rule: Rule, record: Record, event: Event, event_id: str, said: _Said) -> Match:
    """The match of one rule and one event."""
    time = int(event.time.timestamp())
    principal = event.principal
    info = said.info
    values = [said.dedup] if said.dedup is not None else [_dedup_text(event, path) for path in info.dedup.by]
    return Match(
        rule=info,
        alert_id=alert_id(info.id, values, time, info.dedup.period_seconds),
        time=time,
        event_id=event_id,
        account=event.account,
        region=event.region,
        event_source=event.source,
        event_name=event.name,
        principal=principal.key,
        actor=str(principal),
        source_ip=event.source_ip,
        user_agent=event.user_agent,
        error_code=event.error_code,
        reason=reason(rule.condition, record),
        origin=event.origin,
        position=event.position,
        record=record.raw,
        title=said.title,
        context=said.context,
    )


def _dedup_text(event: Event, path: str) -> str:
    values = derive(path, event.record) if path.startswith(DERIVED) else event.paths(path)
    return "\n".join(text_of(value) for value in values)
