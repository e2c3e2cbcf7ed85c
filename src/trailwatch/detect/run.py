"""One delivery's way through the rules: what its records give, and counters that reconcile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

import msgspec

from trailwatch.detect.callers import Caller, Callers
from trailwatch.detect.compiled_rule import CompiledRule, Plan
from trailwatch.detect.derived import ScriptEvent
from trailwatch.detect.feeders import Feeders, Feeding
from trailwatch.detect.findings import is_finding, links_in, match_of
from trailwatch.detect.link_maker import LinkMaker
from trailwatch.detect.links import may_issue, own_links
from trailwatch.detect.moments import seconds_of
from trailwatch.detect.notes import Noter
from trailwatch.detect.pages import Row
from trailwatch.detect.plans import PlanTable
from trailwatch.detect.profile import Profile
from trailwatch.detect.record import Record
from trailwatch.detect.signals import SignalMaker
from trailwatch.detect.verdict import verdict
from trailwatch.errors import DecodeError
from trailwatch.model.identity import synthetic_event_id
from trailwatch.model.match import Found, Reject
from trailwatch.ports import AddressBook, Delivery

REJECT_BODY_LIMIT = 262_144
INSIGHT = "insight"
_AT_ONCE = 512
"""Records that are decoded together; a large file's do not all fit the memory."""


Promising = Sequence[tuple[int, Any, Plan]]
"""Decoded events that a rule could match, each with its number in the delivery and its plan."""


class Means(NamedTuple):
    """What is made once and used for every delivery."""

    table: PlanTable
    maker: SignalMaker
    callers: Callers | None
    """None where nobody wants signals: matches alone are too few to decode more of every event for them."""
    feeders: Feeders
    issuing: frozenset[str]
    """Names of the events whose links are wanted."""
    book: AddressBook | None


def are_distinct(events: Sequence[Any]) -> bool:
    """Whether no account has an event twice; several accounts may have the same one."""
    if len({event.eventID for event in events}) == len(events):
        return True
    return len({(event.recipientAccountId or "", event.eventID) for event in events}) == len(events)


class Run:
    """One delivery's way through the rules."""

    def __init__(self, means: Means, delivery: Delivery, profile: Profile | None = None) -> None:
        self._profile = profile
        self._table, self._maker, self._callers, self._feeders, self._issuing, self._book = means
        self._maker.begin()
        self._delivery = delivery
        self._found = Found(rejects=list(delivery.rejects))
        self._links = LinkMaker()
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
        records, positions, decode = self._delivery.records, self._delivery.positions, self._table.decode
        for start in range(0, len(records), _AT_ONCE):
            raws, places = records[start : start + _AT_ONCE], positions[start : start + _AT_ONCE]
            try:
                events = [decode(raw) for raw in raws]
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self._one_by_one(raws, places)
                continue
            promising = self._table.promising(events)
            if any(plan.insight for _, _, plan in promising) or not self._are_new(events):
                self._one_by_one(raws, places)
                continue
            self._unmatched += len(events) - len(promising)
            for number, event, plan in promising:
                self._planned(event, Record(raws[number], event, self._book), places[number], plan)

    def _one_by_one(self, raws: Sequence[msgspec.Raw], positions: Sequence[int]) -> None:
        """The same for records among which something is unusual."""
        for raw, position in zip(raws, positions, strict=True):
            try:
                event = self._table.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self._slowly(raw, position)
                continue
            plan = self._table.plan(event)
            if plan.insight:
                self._insights += 1
            elif not self._is_new(event.recipientAccountId or "", event.eventID):
                self._duplicates += 1
            else:
                self._planned(event, Record(raw, event, self._book), position, plan)

    def leave(self, count: int) -> None:
        """So many events, none of them a duplicate, that no rule can match."""
        self._unmatched += count

    def judge(self, promising: Promising) -> None:
        """The same as `all` for these events, none of them a duplicate."""
        records = self._delivery.records
        for number, event, plan in promising:
            if plan.insight:
                self._insights += 1
            elif plan.certain or plan.open or may_issue(event):
                self._planned(event, Record(partial(records.__getitem__, number), event, self._book), number, plan)
            else:
                self._unmatched += 1

    def note(self, rows: Iterable[tuple[Plan, list[Row]]]) -> None:
        """The same for events that are only noted, by the plan of each: as rows of its noter."""
        for plan, some in rows:
            said, noter = self._feeders.of(plan.certain)
            if noter is None:
                raise AssertionError("rows are taken for a noter alone")
            for row in some:
                if row[0].untold:
                    self._called(row[0])
            self._found.tally.unkeyed += noter.add(some)
            self._found.tally.matches += len(said) * len(some)
            self._matched += len(some)

    def _planned(self, event: Any, record: Record, position: int, plan: Plan) -> None:
        """An event that is new."""
        if plan.issues and may_issue(event):
            self._issued(record, event.eventTime, event.eventID)
        held = plan.certain
        if plan.open:
            held = (*held, *[compiled for compiled, test in plan.open if test(record)])
        if not held:
            self._unmatched += 1
            return
        feeding = self._feeders.of(held)
        if feeding.noter is None or not self._noted(feeding, feeding.noter, event, record, position):
            self._told(held, record, position)

    def _noted(self, feeding: Feeding, noter: Noter, event: Any, record: Record, position: int) -> bool:
        """Whether the event was noted, with all that follows from it."""
        found = self._found
        try:
            noted = noter.note(event, record, self._delivery.origin, position, found.signals)
        except DecodeError as error:
            self._reject(bytes(record.raw), position, error)
            return True
        if noted is None:
            return False
        caller, unkeyed = noted
        self._called(caller)
        found.tally.unkeyed += unkeyed
        found.tally.matches += len(feeding.said)
        self._matched += 1
        return True

    def _called(self, caller: Caller) -> None:
        """What is known of a caller of events that are noted is told once."""
        if caller.untold and self._issuing:
            caller.untold = False
            self._links.caller(caller.links)

    def _are_new(self, events: Sequence[Any]) -> bool:
        """Whether none of the events has an id that came before; if so, all are taken down."""
        accounts = {event.eventID: event.recipientAccountId or "" for event in events}
        if len(accounts) < len(events) or not self._seen.keys().isdisjoint(accounts):
            return False
        self._seen.update(accounts)
        return True

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
            record = Record(body, None, self._book)
            if is_finding(record.full):
                self._finding(record.full, position)
                return
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
        if event.name in self._issuing:
            self._issued(record, event.time, event.event_id or synthetic_event_id(body))
        held = [compiled for compiled in self._table.candidates(event.name) if compiled.tree.test(record)]
        self._told(tuple(held), record, position)

    def _finding(self, finding: Mapping[str, Any], position: int) -> None:
        """What GuardDuty concluded is a match; no rule is asked.

        Raises:
            DecodeError: it has no time.
        """
        match = match_of(finding, self._delivery.origin, position)
        if not self._is_new(match.account, match.event_id):
            self._duplicates += 1
            return
        self._found.matches.append(match)
        self._found.tally.matches += 1
        self._matched += 1
        for link in links_in(match) if self._issuing else ():
            self._links.caller((link,))

    def _told(self, held: tuple[CompiledRule, ...], record: Record, position: int) -> None:
        """Matches of the rules that speak, and signals of all whose script does not say no."""
        said = self._feeders.of(held).said
        try:
            if len(said) < len(held):
                said = (*said, *self._asked(held, record, position))
            signals, unkeyed = self._maker.signals(said, record, self._delivery.origin, position)
        except DecodeError as error:
            self._reject(bytes(record.raw), position, error)
            return
        self._found.signals += signals
        self._found.tally.unkeyed += unkeyed
        self._found.tally.matches += len(said)
        if self._profile is not None:
            for one in held:
                self._profile.cost(one.rule).matches += one.rule.info.id in said
        if said:
            if self._issuing:
                known = self._caller(record)
                self._links.caller(own_links(record) if known is None else known.links)
            self._matched += 1
        else:
            self._unmatched += 1

    def _caller(self, record: Record) -> Caller | None:
        """Who called, where that was decoded."""
        return None if record.plain is None or self._callers is None else self._callers.of(record.plain)

    def _asked(self, held: Sequence[CompiledRule], record: Record, position: int) -> list[str]:
        """The rules among these that have to be asked and said yes; a match of each that speaks is kept."""
        said = []
        event = ScriptEvent(record.full, self._delivery.origin, position)
        event.book = self._book
        for compiled in sorted(held, key=lambda one: one.rule.info.id):
            feeds = compiled.rule.info.id in self._feeders.ids
            if feeds and compiled.rule.script is None:
                continue
            match = verdict(compiled, record, event, self._found.failures)
            if match is not None:
                said.append(compiled.rule.info.id)
                if not feeds:
                    self._found.matches.append(match)
        return said

    def _issued(self, record: Record, time: datetime, event_id: str) -> None:
        """Who got credentials or was made by this event is told whether a rule matches it or not."""
        try:
            self._links.issued(record, seconds_of(time), event_id, self._caller(record))
        except DecodeError:
            return  # whatever is wrong with the record is told when its rules are asked

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
        tally.failures = len(found.failures)
        found.links = self._links.links()
        found.notes = self._maker.notes()
        return found
