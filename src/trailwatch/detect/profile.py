"""Where the time of a scan goes: by stage, and by rule."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from trailwatch.model.event import Event
from trailwatch.rules.rule import Rule

if TYPE_CHECKING:
    from trailwatch.detect.compile import Test
    from trailwatch.detect.record import Record


class Cost(msgspec.Struct):
    """What one rule cost; times in seconds."""

    matches: int = 0
    plans: int = 0
    """Times that its condition was simplified for a kind of event that had not come before."""
    asked: int = 0
    """Events that had to be looked at after that."""
    asking: float = 0.0
    script: float = 0.0


class Profile:
    """Gathers costs while an engine works; only made where somebody asks for them, because clocks cost too."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self.rules: dict[str, Cost] = {}

    def cost(self, rule: Rule) -> Cost:
        """What the rule cost so far."""
        return self.rules.setdefault(rule.info.slug, Cost())

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds what is done inside to a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + time.perf_counter() - started

    def timed(self, rule: Rule, test: Test) -> Test:
        """The test, with its time taken."""
        cost = self.cost(rule)

        def timed(record: Record) -> bool:
            started = time.perf_counter()
            try:
                return test(record)
            finally:
                cost.asked += 1
                cost.asking += time.perf_counter() - started

        return timed

    def with_clock(self, rule: Rule) -> Rule:
        """The rule, with the time of its script taken."""
        if rule.script is None:
            return rule
        cost, ask = self.cost(rule), rule.script.rule

        def clocked(event: Event) -> Any:
            started = time.perf_counter()
            try:
                return ask(event)
            finally:
                cost.script += time.perf_counter() - started

        clocked.__name__ = getattr(ask, "__name__", "rule")
        return msgspec.structs.replace(rule, script=msgspec.structs.replace(rule.script, rule=clocked))


def rows_of(profile: Profile, most: int = 15) -> Iterator[str]:
    """The stages, then the rules that cost most, as lines of a table."""
    whole = sum(profile.stages.values()) or 1.0
    yield f"{'stage':<44} {'seconds':>8} {'share':>6}"
    for name, seconds in sorted(profile.stages.items(), key=_second, reverse=True):
        yield f"{name:<44} {seconds:>8.2f} {seconds / whole:>6.0%}"
    yield f"{'rule':<44} {'seconds':>8} {'script':>8} {'asked':>9} {'plans':>7} {'matches':>8}"
    ordered = sorted(profile.rules.items(), key=lambda one: (-one[1].asking - one[1].script, -one[1].matches, one[0]))
    for slug, cost in ordered[:most]:
        name = slug if len(slug) <= 44 else slug[:41] + "..."  # noqa: PLR2004 the width of the column
        yield (
            f"{name:<44} {cost.asking:>8.3f} {cost.script:>8.3f} {cost.asked:>9,} {cost.plans:>7,} {cost.matches:>8,}"
        )


def _second(pair: tuple[str, float]) -> float:
    return pair[1]
