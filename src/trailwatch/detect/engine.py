"""Stage 1: a delivery's records in; matches, signals, links, rejects and counters out. A pure function of both."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import msgspec

from trailwatch.decode.containers import Unpacked, has_room
from trailwatch.decode.mend import is_utf8
from trailwatch.decode.trail import PlacedTexts, RecordTexts
from trailwatch.decode.unfold import LIMIT_RECORD_BYTES, trail_decoder
from trailwatch.detect.callers import Callers
from trailwatch.detect.compile import compile_predicate
from trailwatch.detect.derived import untold
from trailwatch.detect.feeders import Feeders
from trailwatch.detect.glance import Rows
from trailwatch.detect.leaf import check
from trailwatch.detect.links import ISSUING_NAMES, STATING
from trailwatch.detect.needs import can_hold
from trailwatch.detect.plans import NEVER, PlanTable
from trailwatch.detect.profile import Profile
from trailwatch.detect.run import Means, Promising, Run, are_distinct
from trailwatch.detect.signals import SignalMaker, fields_wanted, wants_of
from trailwatch.errors import RuleError
from trailwatch.model.match import Found
from trailwatch.ports import AddressBook, Delivery
from trailwatch.rules.predicate import fields_of
from trailwatch.rules.rule import Rule, RuleSet


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
        glance: whether whole files are looked at before they are decoded, where that is compiled.
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
        glance: bool = True,
        profile: Profile | None = None,
    ) -> None:
        self.profile = profile
        wants = wants_of(rules)
        ordered = sorted((*rules.rules, *rules.first_seen), key=lambda rule: rule.info.id)
        if silent:
            ordered = [rule for rule in ordered if rule.info.alerting or rule.info.id in wants]
        ordered = _able(ordered, tables)
        if profile is not None:
            ordered = [profile.with_clock(rule) for rule in ordered]
        issuing = ISSUING_NAMES if links else frozenset[str]()
        remembering = {rule.info.id for rule in rules.first_seen}
        feeding = [
            rule.info.id for rule in ordered if rule.info.id in remembering or (silent and not rule.info.alerting)
        ]
        callers = Callers() if wants else None
        maker = SignalMaker(wants, callers, gathered=gathered)
        feeders = Feeders(feeding, maker, noting=profile is None)
        rows = Rows(maker.values.paths, callers.with_values, feeders.taking) if callers and gathered else None
        try:
            table = PlanTable(
                *(ordered, fields_wanted(rules) if wants else ()),
                issuing=STATING if links else NEVER,
                glance=glance,
                rows=rows,
                profile=profile,
            )
        except ValueError as error:
            raise _blame(ordered, error) from None
        self._decode_whole = trail_decoder(table.struct).decode
        self._means = Means(table, maker, callers, feeders, issuing, tables)

    def evaluate(self, delivery: Delivery) -> Found:
        """Everything stage 1 has to say about the delivery; matches by (position, rule id)."""
        run = Run(self._means, delivery, self.profile)
        run.all()
        return run.found()

    def evaluate_whole(self, body: Unpacked) -> Found | None:
        """The same for a body that is a trail's file which nothing is wrong with, in half the time.

        None for any other body: its records have to be split from each other and judged one by one.
        """
        if not body.whole:
            return None
        looked = self._glanced(body) or self._decoded(body)
        if looked is None:
            return None
        run, promising = looked
        with self._stage("judge what could match; matches, signals, links"):
            run.judge(promising)
            return run.found()

    def _glanced(self, body: Unpacked) -> tuple[Run, Promising] | None:
        with self._stage("glance at records, decode what could match"):
            glanced = self._means.table.glanced(body.text, body.origin)
        if glanced is None or not has_room(body.text, glanced.events):
            return None
        run = self._run(body.origin, PlacedTexts(body.text, glanced.places, glanced.events))
        run.note(glanced.rows)
        run.leave(glanced.events - len(glanced.promising) - sum(len(rows) for _, rows in glanced.rows))
        return run, glanced.promising

    def _decoded(self, body: Unpacked) -> tuple[Run, Promising] | None:
        if len(body.text) > LIMIT_RECORD_BYTES or not is_utf8(body.text):  # a record may be too long, too
            return None
        with self._stage("decode records"):
            try:
                events = self._decode_whole(body.text).records
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return None
            if not isinstance(events, list) or not has_room(body.text, len(events)):
                return None
            if not are_distinct(events):
                return None
        run = self._run(body.origin, RecordTexts(body.text, events, self._means.table.decode))
        with self._stage("look up plans"):
            promising = self._means.table.promising(events)
        run.leave(len(events) - len(promising))
        return run, promising

    def _run(self, origin: str, records: Sequence[msgspec.Raw]) -> Run:
        return Run(self._means, Delivery(origin, records, range(len(records))), self.profile)

    def _stage(self, name: str) -> AbstractContextManager[None]:
        return nullcontext() if self.profile is None else self.profile.stage(name)


def _able(rules: Sequence[Rule], tables: AddressBook | None) -> list[Rule]:
    """The rules that some record could satisfy; a table that is not there keeps some from ever matching.

    Raises:
        RuleError: a condition of another one holds a value that does not fit its operator.
    """
    without = untold(tables)
    idle = [rule for rule in rules if not can_hold(rule.condition, without)]
    try:
        for field in (field for rule in idle for field in fields_of(rule.condition)):
            check(field)
    except ValueError as error:
        raise _blame(idle, error) from None
    left_out = {rule.info.id for rule in idle}
    return [rule for rule in rules if rule.info.id not in left_out]


def _blame(rules: Sequence[Rule], error: ValueError) -> RuleError:
    """The error with the place of the rule that causes it."""
    for rule in rules:
        try:
            compile_predicate(rule.condition)
        except ValueError as cause:
            return RuleError(rule.info.origin, str(cause), "correct the rule")
    return RuleError("rules", str(error))
