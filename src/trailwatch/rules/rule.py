"""A rule that can be matched: what people read of it, and its condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from trailwatch.model.event import Event
from trailwatch.model.rule import RuleInfo
from trailwatch.rules.predicate import Predicate


class Example(msgspec.Struct, frozen=True):
    """An event that an author gives with a rule."""

    name: str
    matches: bool
    record: dict[str, Any]


class Script(msgspec.Struct, frozen=True):
    """What a Python rule file defines; each function takes the event."""

    rule: Callable[[Event], bool]
    title: Callable[[Event], str] | None = None
    severity: Callable[[Event], str] | None = None
    dedup: Callable[[Event], str] | None = None
    context: Callable[[Event], Mapping[str, str]] | None = None


class FirstSeen(msgspec.Struct, frozen=True):
    """A rule that speaks only when a combination of values was not seen before."""

    fields: tuple[str, ...]
    history_seconds: int
    known: tuple[str, ...] = ()
    """Of the fields, those whose values alone must have been seen in the history."""
    days: int = 1
    """On so many days of the history at least; without `known` it means nothing."""
    dormant: bool = False
    """It speaks of what was seen before the history and not in it, rather than of what was never seen."""
    around: int = 0
    """The last field is an hour of the day, and hours so far from it count as the same."""


class Travel(msgspec.Struct, frozen=True):
    """A rule that speaks when somebody is at two places faster than anybody travels."""

    by: tuple[str, ...]
    """Field paths that say who."""
    speed_kmh: int = 900
    least_km: int = 500
    """Places nearer than this are one: tables of addresses are no more exact."""


class Rule(msgspec.Struct, frozen=True):
    """One rule over single events; `script` runs only where `condition` holds."""

    info: RuleInfo
    condition: Predicate
    script: Script | None = None
    examples: tuple[Example, ...] = ()
    name: str = ""
    """What correlations may call it besides its id."""
    first_seen: FirstSeen | None = None
    travel: Travel | None = None
    alone: bool | None = None
    """Whether its file says that it alerts by itself; None where it does not say."""

    @property
    def remembers(self) -> bool:
        """Whether it speaks only after a look at what was seen before."""
        return self.first_seen is not None or self.travel is not None


class CorrelationLimit(msgspec.Struct, frozen=True):
    """`gte: 10`, on a field where the type counts or sums one."""

    op: str
    """lt, lte, gt, gte, eq or neq."""
    value: int | float
    fields: tuple[str, ...] = ()
    percentile: int = 50


class RuleTerm(msgspec.Struct, frozen=True, tag="rule"):
    """A rule by its id, as an operand of a boolean temporal condition."""

    rule: str


class NotTerm(msgspec.Struct, frozen=True, tag="not"):
    item: Term


class AndTerm(msgspec.Struct, frozen=True, tag="and"):
    items: tuple[Term, ...]


class OrTerm(msgspec.Struct, frozen=True, tag="or"):
    items: tuple[Term, ...]


Term = RuleTerm | NotTerm | AndTerm | OrTerm


class Step(msgspec.Struct, frozen=True):
    """Some events of a story: the example of a rule, changed, so many times."""

    like: str
    """Slug, name or id of the rule."""
    example: str = ""
    """Name of the example; its first that matches where empty."""
    at: int = 0
    """Seconds after the story's start."""
    every: int = 1
    """Seconds between its events."""
    times: int = 1
    change: dict[str, Any] = {}
    each_path: str = ""
    each: tuple[Any, ...] = ()
    """Values for `each_path`, one event with each."""


class Story(msgspec.Struct, frozen=True):
    """Events that an author gives with a correlation; `trailwatch.rules.stories` makes records of it."""

    name: str
    matches: bool
    steps: tuple[Step, ...]


class Correlation(msgspec.Struct, frozen=True):
    """A rule over the matches of other rules within a time span."""

    info: RuleInfo
    type: str
    """event_count, value_count, temporal, temporal_ordered, value_sum, value_avg, value_percentile, value_median."""
    rules: tuple[str, ...]
    """Ids of the rules and correlations it reads, in the author's order."""
    timespan_seconds: int
    group_by: tuple[str, ...] = ()
    limit: CorrelationLimit | None = None
    expression: Term | None = None
    """The boolean condition of a temporal one."""
    aliases: dict[str, dict[str, str]] = {}
    """For each name in `group_by` that is an alias: rule id to field path."""
    generate: bool = False
    """Whether the rules it reads alert by themselves as well."""
    name: str = ""
    alone: bool | None = None
    """As with `Rule`."""
    stories: tuple[Story, ...] = ()


class Problem(msgspec.Struct, frozen=True):
    """Something about a rule file that its author should know."""

    origin: str
    """`path:line:column`, as far as known."""
    text: str
    error: bool
    """True when the rule was not loaded because of it; a warning never keeps a rule out."""


class RuleSet(msgspec.Struct):
    """What a folder of rules gave."""

    rules: tuple[Rule, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    first_seen: tuple[Rule, ...] = ()
    """Rules that need a memory of what was seen; the engine of single events leaves them out."""
    problems: tuple[Problem, ...] = ()
    skipped: dict[str, int] = {}
    """Files and documents that are no rules for CloudTrail, by reason."""
    digest: str = ""
    """Hash over the content of everything that was loaded."""

    def named(self, name: str) -> Rule | Correlation | None:
        """The rule of that id, slug or name; where it is a correlation, the rules that it reads are here too."""
        every: list[Rule | Correlation] = [*self.rules, *self.first_seen, *self.correlations]
        return next((one for one in every if name in {one.info.id, one.info.slug, one.name}), None)
