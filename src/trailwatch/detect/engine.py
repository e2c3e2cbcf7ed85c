"""Stage 1: a delivery's records in; matches, signals, links, rejects and counters out. A pure function of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import msgspec

from trailwatch.decode.containers import Unpacked, has_room
from trailwatch.decode.trail import RecordTexts
from trailwatch.decode.unfold import trail_decoder
from trailwatch.detect.callers import Caller, Callers
from trailwatch.detect.compile import compile_predicate
from trailwatch.detect.derived import ScriptEvent
from trailwatch.detect.findings import is_finding, links_in, match_of
from trailwatch.detect.link_maker import LinkMaker
from trailwatch.detect.links import ISSUING_NAMES, may_issue, own_links
from trailwatch.detect.plans import NOTHING, CompiledRule, Plan, PlanTable
from trailwatch.detect.profile import Profile
from trailwatch.detect.record import Record
from trailwatch.detect.signals import SignalMaker, plain_paths, wants_of
from trailwatch.detect.verdict import verdict
from trailwatch.errors import DecodeError, RuleError
from trailwatch.model.identity import synthetic_event_id
from trailwatch.model.match import Found, Reject
from trailwatch.ports import AddressBook, Delivery
from trailwatch.rules.rule import Rule, RuleSet

REJECT_BODY_LIMIT = 262_144
INSIGHT = "insight"


class Engine:
    """Runs a set of rules over deliveries.

    Args:
        rules: what `load_rules` gave.
        silent: whether rules that only feed others give signals alone, and no matches; those that feed none are
            not run then.
        tables: what is known of addresses; None where nothing is.
        links: whether links between identities are wanted.
        gathered: whether somebody puts all deliveries together before rules with a memory are asked, see
            `SignalMaker`.
        profile: told of everything that costs time.

    Raises:
        RuleError: a condition holds a value that does not fit its operator.
    """

    def __init__(
        self,
        rules: RuleSet,
        *,
        silent: bool = False,
        tables: AddressBook | None = None,
        links: bool = True,
        gathered: bool = False,
        profile: Profile | None = None,
    ) -> None:
        self.profile = profile
        wants = wants_of(rules)
        ordered = sorted((*rules.rules, *rules.first_seen), key=lambda rule: rule.info.id)
        if silent:
            ordered = [rule for rule in ordered if rule.info.alerting or rule.info.id in wants]
        if profile is not None:
            ordered = [profile.with_clock(rule) for rule in ordered]
        issuing = ISSUING_NAMES if links else frozenset[str]()
        try:
            table = PlanTable(ordered, plain_paths(rules) if wants else (), issuing=issuing, profile=profile)
        except ValueError as error:
            raise _blame(ordered, error) from None
        self._decode_whole = trail_decoder(table.struct).decode
        remembering = {rule.info.id for rule in rules.first_seen}
        feeders = frozenset(
            rule.info.id for rule in ordered if rule.info.id in remembering or (silent and not rule.info.alerting)
        )
        callers = Callers() if wants else None
        maker = SignalMaker(wants, callers, gathered=gathered)
        self._means = _Means(table, maker, callers, feeders, issuing, tables)

    def evaluate(self, delivery: Delivery) -> Found:
        """Everything stage 1 has to say about the delivery; matches by (position, rule id)."""
        run = _Run(self._means, delivery, self.profile)
        run.all()
        return run.found()

    def evaluate_whole(self, body: Unpacked) -> Found | None:
        """The same for a body that is a trail's file which nothing is wrong with, in half the time.

        None for any other body: its records have to be split from each other and judged one by one.
        """
        if not body.clean:
            return None
        with self._stage("decode records"):
            try:
                events = self._decode_whole(body.text).records
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return None
            if not isinstance(events, list) or not has_room(body.text, len(events)):
                return None
            if not _are_distinct(events):
                return None
        texts = RecordTexts(body.text, events, self._means.table.decode)
        delivery = Delivery(body.origin, texts, range(len(events)))
        run = _Run(self._means, delivery, self.profile)
        with self._stage("look up plans"):
            promising = run.looked_up(events)
        with self._stage("judge what could match; matches, signals, links"):
            run.judge(promising)
            return run.found()

    def _stage(self, name: str) -> AbstractContextManager[None]:
        return nullcontext() if self.profile is None else self.profile.stage(name)


def _blame(rules: Sequence[Rule], error: ValueError) -> RuleError:
    """The error with the place of the rule that causes it."""
    for rule in rules:
        try:
            compile_predicate(rule.condition)
        except ValueError as cause:
            return RuleError(rule.info.origin, str(cause), "correct the rule")
    return RuleError("rules", str(error))


class _Means(NamedTuple):
    """What is made once and used for every delivery."""

    table: PlanTable
    maker: SignalMaker
    callers: Callers | None
    """None where nobody wants signals: matches alone are too few to decode more of every event for them."""
    feeders: frozenset[str]
    """Ids of the rules that give signals and no matches."""
    issuing: frozenset[str]
    """Names of the events whose links are wanted."""
    book: AddressBook | None


def _are_distinct(events: Sequence[Any]) -> bool:
    """Whether no account has an event twice; several accounts may have the same one."""
    if len({event.eventID for event in events}) == len(events):
        return True
    return len({(event.recipientAccountId or "", event.eventID) for event in events}) == len(events)


class _Run:
    """One delivery's way through the rules."""

    def __init__(self, means: _Means, delivery: Delivery, profile: Profile | None = None) -> None:
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
            if plan is NOTHING:
                self._unmatched += 1
            else:
                self._planned(event, Record(raw, event, self._book), position, plan)

    def looked_up(self, events: Sequence[Any]) -> list[tuple[int, Any, Plan]]:
        """Those of the decoded events that have to be judged, none of them a duplicate."""
        promising = self._table.promising(events)
        self._unmatched += len(events) - len(promising)
        return promising

    def judge(self, promising: Sequence[tuple[int, Any, Plan]]) -> None:
        """The same as `all` for these events."""
        records = self._delivery.records
        for number, event, plan in promising:
            if plan.insight:
                self._insights += 1
            else:
                self._planned(event, Record(partial(records.__getitem__, number), event, self._book), number, plan)

    def _planned(self, event: Any, record: Record, position: int, plan: Plan) -> None:
        """An event that is new."""
        if plan.issues and may_issue(event):
            self._issued(record, event.eventTime, event.eventID)
        held = [*plan.certain, *[compiled for compiled, test in plan.open if test(record)]]
        if held:
            self._told(held, record, position)
        else:
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
        self._told(held, record, position)

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

    def _told(self, held: list[CompiledRule], record: Record, position: int) -> None:
        """Matches of the rules that speak, and signals of all whose script does not say no."""
        feeders = self._feeders
        said = [one.rule.info.id for one in held if one.rule.script is None and one.rule.info.id in feeders]
        try:
            if len(said) < len(held):
                said += self._asked(held, record, position)
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

    def _asked(self, held: list[CompiledRule], record: Record, position: int) -> list[str]:
        """The rules among these that have to be asked and said yes; a match of each that speaks is kept."""
        said = []
        event = ScriptEvent(record.full, self._delivery.origin, position)
        event.book = self._book
        for compiled in sorted(held, key=lambda one: one.rule.info.id):
            feeds = compiled.rule.info.id in self._feeders
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
            seconds = int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
            self._links.issued(record, seconds, event_id, self._caller(record))
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
        return found
