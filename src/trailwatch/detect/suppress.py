"""Stage 3, first step: suppressions keep matches from becoming alerts. Pure, and asked about matches alone.

A suppression is judged at event time, so reading old events again gives the same result. One that has expired hides
nothing, and says so in the context of what it would have hidden.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from trailwatch.detect.compile import Test, compile_predicate
from trailwatch.detect.correlator import Firing
from trailwatch.detect.leaf import value_test
from trailwatch.detect.record import Record
from trailwatch.errors import DecodeError
from trailwatch.model.alert import Alert
from trailwatch.model.match import Match
from trailwatch.model.rule import RuleInfo
from trailwatch.model.signal import Brief
from trailwatch.model.suppressed import LAPSED, Suppressed, suppressed_match
from trailwatch.ports import AddressBook
from trailwatch.rules.predicate import Const, Field, Op
from trailwatch.rules.rule import Problem
from trailwatch.rules.suppression import EVERY_RULE, Suppression

Names = Callable[[str, int], str]
"""The key of the actor behind an identity at a time; see `trailwatch.detect.attribution`."""


class Facts(NamedTuple):
    """What a suppression asks of one event of an alert."""

    time: int
    account: str
    source_ip: str
    principal: str
    """Its key."""
    actor: Callable[[], str]
    """Its key, asked for only where it counts; empty where nobody knows it."""
    record: Record


class SiftedMatches(NamedTuple):
    """Matches that go on, what was hidden, and how many go on only because a suppression has expired."""

    kept: list[Match]
    hidden: list[Suppressed]
    lapsed: int


class SiftedFirings(NamedTuple):
    kept: list[Firing]
    hidden: list[Suppressed]
    """Every event of those that are gone."""
    lapsed: dict[str, str]
    """For each alert id that goes on only because a suppression has expired, what to say of it."""


class Ruling(NamedTuple):
    """What suppressions say of one event."""

    hides: Suppression | None
    lapsed: Suppression | None


_NOTHING = Ruling(None, None)


class Suppressor:
    """Asks suppressions, those first whose names come first.

    Args:
        suppressions: good ones, as `load_suppressions` gives them.
        book: the tables of addresses, for selections that ask for what they tell.
    """

    def __init__(self, suppressions: Iterable[Suppression], book: AddressBook | None = None) -> None:
        self._book = book
        self.problems: list[Problem] = []
        """Suppressions that hold a value which does not fit its operator; they hide nothing."""
        self._all: list[_Compiled] = []
        for one in sorted(suppressions, key=lambda one: one.name):
            try:
                self._all.append(_Compiled(one))
            except ValueError as error:
                self.problems.append(Problem(one.origin, str(error), error=True))
        self._by_rule: dict[str, list[_Compiled]] = {}

    def __bool__(self) -> bool:
        return bool(self._all)

    def asks(self, rule: RuleInfo) -> bool:
        """Whether there is a suppression that speaks of this rule."""
        return bool(self._of(rule))

    def sift(self, matches: Iterable[Match], names: Names | None = None) -> SiftedMatches:
        """The matches, in their order, without those that are hidden.

        Args:
            matches: of any rules.
            names: who is behind an identity; without it the principal alone counts.
        """
        kept: list[Match] = []
        hidden: list[Suppressed] = []
        lapsed = 0
        for match in matches:
            asked = self._of(match.rule)
            said = self._ask(asked, self._facts(match, names)) if asked else _NOTHING
            if said.hides is not None:
                hidden.append(suppressed_match(match, said.hides.name))
                continue
            if said.lapsed is not None:
                lapsed += 1
                match = msgspec.structs.replace(match, context={**match.context, LAPSED: _expired(said.lapsed)})  # noqa: PLW2901 the same match with a note
            kept.append(match)
        return SiftedMatches(kept, hidden, lapsed)

    def sift_firings(self, firings: Iterable[Firing], names: Names | None = None) -> SiftedFirings:
        """What correlations concluded, without that of which every event is hidden.

        Their events have no record at hand, so a suppression with a selection hides none of them.
        """
        kept: list[Firing] = []
        hidden: list[Suppressed] = []
        lapsed: dict[str, str] = {}
        for firing in firings:
            asked = self._of(firing.correlation.info)
            members = firing.members if asked else ()
            briefs = list({(one.account, one.event_id): one.brief for one in members}.values())
            said = [self._ask(asked, _facts_of(brief, names)) for brief in briefs]
            gone = [one.hides.name for one in said if one.hides]
            if gone and len(gone) == len(said):
                hidden += [_suppressed(firing, brief, name) for brief, name in zip(briefs, gone, strict=True)]
                continue
            late = [one.lapsed for one in said if one.lapsed]
            if late and len(late) + len(gone) == len(said):
                lapsed[firing.alert_id] = _expired(late[0])
            kept.append(firing)
        return SiftedFirings(kept, hidden, lapsed)

    def judge(self, alert: Alert, actor: str = "") -> list[Ruling]:
        """For each event of the evidence, what hides it and what would, had it not expired.

        Args:
            alert: with its evidence.
            actor: the key of who it began with, where that is known.
        """
        asked = self._of(alert.rule)
        if not asked:
            return [_NOTHING] * len(alert.evidence)
        return [
            self._ask(
                asked,
                Facts(one.time, one.account, one.source_ip, alert.principal, lambda: actor, self._record(one.record)),
            )
            for one in alert.evidence
        ]

    def _of(self, rule: RuleInfo) -> list[_Compiled]:
        found = self._by_rule.get(rule.id)
        if found is None:
            names = {EVERY_RULE, rule.id, rule.slug}
            found = self._by_rule[rule.id] = [one for one in self._all if names & one.rules]
        return found

    def _facts(self, match: Match, names: Names | None) -> Facts:
        def actor() -> str:
            return names(match.identity or match.principal, match.time) if names else ""

        record = self._record(match.record)
        return Facts(match.time, match.account, match.source_ip, match.principal, actor, record)

    def _record(self, raw: bytes) -> Record:
        return Record(raw, None, self._book)

    @staticmethod
    def _ask(asked: Sequence[_Compiled], facts: Facts) -> Ruling:
        lapsed = None
        for one in asked:
            if one.holds(facts):
                if one.suppression.holds_at(facts.time):
                    return Ruling(one.suppression, None)
                lapsed = lapsed or one.suppression
        return Ruling(None, lapsed) if lapsed else _NOTHING


class _Compiled:
    """A suppression with its tests, those that cost least first; `ValueError` where a value does not fit."""

    def __init__(self, suppression: Suppression) -> None:
        self.suppression = suppression
        self.rules = frozenset(suppression.rules)
        self._accounts = frozenset(suppression.accounts)
        self._actor = value_test(Field("", Op.LIKE, suppression.actor)) if suppression.actor else None
        # few addresses make most matches, and reading one takes longer than all else here
        self._network = (
            functools.lru_cache(maxsize=4096)(value_test(Field("", Op.CIDR, suppression.networks)))
            if suppression.networks
            else None
        )
        self._condition: Test | None = None
        if suppression.condition != Const(value=True):
            self._condition = compile_predicate(suppression.condition)

    def holds(self, facts: Facts) -> bool:
        if self._accounts and facts.account not in self._accounts:
            return False
        if self._network is not None and not self._network(facts.source_ip):
            return False
        if self._actor is not None and not self._actor(facts.principal) and not self._actor(facts.actor()):
            return False
        if self._condition is None:
            return True
        try:
            return self._condition(facts.record)
        except DecodeError:
            return False  # what cannot be read is not what somebody decided to hide


def _facts_of(brief: Brief, names: Names | None) -> Facts:
    def actor() -> str:
        return names(brief.identity or brief.principal, brief.time) if names else ""

    return Facts(brief.time, brief.account, brief.source_ip, brief.principal, actor, Record(b""))


def _suppressed(firing: Firing, brief: Brief, suppression: str) -> Suppressed:
    info = firing.correlation.info
    return Suppressed(
        suppression=suppression,
        rule_id=info.id,
        slug=info.slug,
        severity=info.severity,
        title=info.title,
        alert_id=firing.alert_id,
        time=brief.time,
        account=brief.account,
        region=brief.region,
        event_id=brief.event_id,
        event_name=brief.event_name,
        principal=brief.principal,
        actor=brief.who,
        source_ip=brief.source_ip,
    )


def _expired(suppression: Suppression) -> str:
    return f"{suppression.name} would have hidden this; it ended with {suppression.last_day}"
