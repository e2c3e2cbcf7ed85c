"""Stage 1: a delivery's records in, matches, rejects and counters out. A pure function of both."""

from __future__ import annotations

from typing import Any

import msgspec

from trailwatch.detect.compile import compile_predicate
from trailwatch.detect.derived import ScriptEvent
from trailwatch.detect.plans import NOTHING, CompiledRule, PlanTable
from trailwatch.detect.record import Record
from trailwatch.detect.verdict import verdict
from trailwatch.errors import DecodeError, RuleError
from trailwatch.model.identity import synthetic_event_id
from trailwatch.model.match import Found, Reject
from trailwatch.ports import Delivery
from trailwatch.rules.rule import RuleSet

REJECT_BODY_LIMIT = 262_144
INSIGHT = "insight"


class Engine:
    """Runs a set of rules over deliveries.

    Args:
        rules: what `load_rules` gave.

    Raises:
        RuleError: a condition holds a value that does not fit its operator.
    """

    def __init__(self, rules: RuleSet) -> None:
        ordered = sorted(rules.rules, key=lambda rule: rule.info.id)
        for rule in ordered:
            try:
                compile_predicate(rule.condition)
            except ValueError as error:
                raise RuleError(rule.info.origin, str(error), "correct the rule") from None
        self._table = PlanTable(ordered)

    def evaluate(self, delivery: Delivery) -> Found:
        """Everything stage 1 has to say about the delivery; matches by (position, rule id)."""
        run = _Run(self._table, delivery)
        run.all()
        return run.found()


class _Run:
    """One delivery's way through the rules."""

    def __init__(self, table: PlanTable, delivery: Delivery) -> None:
        self._table = table
        self._delivery = delivery
        self._found = Found(rejects=list(delivery.rejects))
        self._seen: dict[str, Any] = {}
        """Event id to the account of the first record with it."""
        self._also_seen: set[tuple[Any, str]] = set()
        """Ids that records of further accounts have too; empty but for shared events."""
        self._duplicates = 0
        self._insights = 0
        self._matched = 0
        self._unmatched = 0

    def all(self) -> None:
        """Every record, in order."""
        decode, plan_of, is_new = self._table.decode, self._table.plan, self._is_new
        for raw, position in zip(self._delivery.records, self._delivery.positions, strict=True):
            try:
                event = decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self._slowly(raw, position)
                continue
            plan = plan_of(event)
            if plan.insight:
                self._insights += 1
                continue
            if not is_new(event.recipientAccountId or "", event.eventID):
                self._duplicates += 1
                continue
            if plan is not NOTHING:
                record = Record(raw, event)
                held = [*plan.certain, *(compiled for compiled, test in plan.open if test(record))]
                if held:
                    self._told(held, record, position)
                    continue
            self._unmatched += 1

    def _is_new(self, account: Any, event_id: str) -> bool:
        """Whether no record before it had the same id and account."""
        count = len(self._seen)
        first = self._seen.setdefault(event_id, account)
        if len(self._seen) > count:
            return True
        if first == account or (account, event_id) in self._also_seen:
            return False
        self._also_seen.add((account, event_id))
        return True

    def _slowly(self, raw: msgspec.Raw, position: int) -> None:
        """A record with something unusual in a plain field, or none at all."""
        body = bytes(raw)
        try:
            record = Record(body)
            event = ScriptEvent(record.full, self._delivery.origin, position)
        except DecodeError as error:
            self._reject(body, position, error)
            return
        if event.get("eventCategory") == "Insight" or event.get("eventType") == "AwsCloudTrailInsight":
            self._insights += 1
            return
        account = event.get("recipientAccountId")
        if not self._is_new(account if isinstance(account, str) else "", event.event_id or synthetic_event_id(body)):
            self._duplicates += 1
            return
        held = [compiled for compiled in self._table.candidates(event.name) if compiled.tree.test(record)]
        self._told(held, record, position)

    def _told(self, held: list[CompiledRule], record: Record, position: int) -> None:
        before = len(self._found.matches)
        try:
            event = ScriptEvent(record.full, self._delivery.origin, position)
        except DecodeError as error:
            self._reject(bytes(record.raw), position, error)
            return
        for compiled in sorted(held, key=lambda one: one.rule.info.id):
            match = verdict(compiled, record, event, self._found.failures)
            if match is not None:
                self._found.matches.append(match)
        if len(self._found.matches) > before:
            self._matched += 1
        else:
            self._unmatched += 1

    def _reject(self, body: bytes, position: int, error: DecodeError) -> None:
        self._found.rejects.append(Reject(self._delivery.origin, position, str(error), body[:REJECT_BODY_LIMIT]))

    def found(self) -> Found:
        """The result, with counters that reconcile."""
        found, delivery, tally = self._found, self._delivery, self._found.tally
        for what, count in delivery.left_out:
            tally.left_out[what] += count
        before = sum(count for what, count in delivery.left_out if not what.endswith(" file"))
        tally.records = len(delivery.records) + len(delivery.rejects) + before
        tally.rejects = len(found.rejects)
        tally.mended = delivery.mended
        if self._insights:
            tally.left_out[INSIGHT] += self._insights
        tally.duplicates = self._duplicates
        tally.matched = self._matched
        tally.unmatched = self._unmatched
        tally.matches = len(found.matches)
        tally.failures = len(found.failures)
        return found
