"""A cycle put together from the configuration, for `check` and `watch`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

import msgspec

from trailwatch import wiring
from trailwatch.aws import Access, accesses
from trailwatch.clock import SystemClock
from trailwatch.config.schema import Config
from trailwatch.pipeline import Pipeline
from trailwatch.ports import Clock
from trailwatch.rules.rule import RuleSet
from trailwatch.service.cycle import Cycle
from trailwatch.sources.poll_plan import Plan, plan_of
from trailwatch.store.store import Store


class Assembly(msgspec.Struct):
    """What stays the same from one cycle to the next."""

    config: Config
    environment: Mapping[str, str]
    store: Store
    ruleset: RuleSet
    plan: Plan
    pipeline: Pipeline
    accesses: list[Access]
    stream: TextIO
    clock: Clock

    def cycle(
        self,
        *,
        regions: Sequence[str] = (),
        reach_back: int = 0,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Cycle:
        """A new cycle, see `trailwatch.service.cycle.Cycle`."""
        return Cycle(
            accesses=self.accesses,
            store=self.store,
            pipeline=self.pipeline,
            notifiers=wiring.notifiers_of(self.config, self.environment, self.stream),
            routes=wiring.routes_of(self.config),
            settings=self.config.check,
            plan=self.plan,
            clock=self.clock,
            regions=regions,
            reach_back=reach_back,
            stopped=stopped,
        )


def assemble(
    config: Config, environment: Mapping[str, str], store: Store, stream: TextIO, clock: Clock | None = None
) -> Assembly:
    """Everything that cycles need; nothing is asked of AWS yet.

    Args:
        config: all settings.
        environment: the process's variables.
        store: where everything is kept.
        stream: where a console notifier writes.
        clock: the time; the machine's when not given.
    """
    clock = clock or SystemClock()
    ruleset = wiring.load_ruleset(config, environment)
    pipeline = Pipeline(
        wiring.engine_of(ruleset), store, wiring.archive_of(config, environment), clock, wiring.routes_of(config)
    )
    return Assembly(
        config=config,
        environment=environment,
        store=store,
        ruleset=ruleset,
        plan=plan_of((*ruleset.rules, *ruleset.first_seen)),
        pipeline=pipeline,
        accesses=accesses(config.account),
        stream=stream,
        clock=clock,
    )
