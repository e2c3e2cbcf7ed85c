"""A cycle put together from the configuration, for `check` and `watch`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

import msgspec

from trailwatch import wiring
from trailwatch.aws import Access, accesses
from trailwatch.clock import SystemClock
from trailwatch.config.notifiers import Slack
from trailwatch.config.schema import Config
from trailwatch.model.match import Found
from trailwatch.pipeline import Evaluator, Keeper, Pipeline
from trailwatch.ports import AddressBook, Clock, Delivery, Notifier
from trailwatch.rules.rule import RuleSet
from trailwatch.service.companions import Companion
from trailwatch.service.cycle import Cycle
from trailwatch.service.proving import companions_of
from trailwatch.service.suppressing import FolderSifter
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
    suppressions: FolderSifter
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
            notifiers=self._notifiers,
            routes=wiring.routes_of(self.config),
            settings=self.config.check,
            plan=self.plan,
            clock=self.clock,
            regions=regions,
            reach_back=reach_back,
            stopped=stopped,
            retention=wiring.retention_of(self.config),
            tidy=functools.partial(wiring.prune_archive, self.config, self.environment),
            companions=self._companions(),
            delivery=wiring.relay_policy_of(self.config),
        )

    def _notifiers(self) -> Mapping[str, Notifier]:
        return wiring.notifiers_of(self.config, self.environment, self.stream)

    def _companions(self) -> list[Companion]:
        """What else the settings ask for, in the order in which it is done."""
        found: list[Companion] = []
        if any(isinstance(one, Slack) and one.approvers for one in self.config.notify):
            from trailwatch.service.listening import Listening

            found.append(Listening(self.store, self._notifiers, self.clock))
        found += companions_of(self.config, self.environment, self.store, self.pipeline, self.clock)
        if self.config.respond.automatic.playbooks:
            from trailwatch.service.responding import AutomaticResponse

            found.append(AutomaticResponse(self.config, self.environment, self.store, self.clock))
        return found


def assemble(
    config: Config, environment: Mapping[str, str], store: Store, stream: TextIO, clock: Clock | None = None
) -> Assembly:
    """Everything that cycles need; nothing is asked of AWS yet.

    What a cycle without new events does not need is made when it is needed: most cycles have none.

    Args:
        config: all settings.
        environment: the process's variables.
        store: where everything is kept.
        stream: where a console notifier writes.
        clock: the time; the machine's when not given.
    """
    clock = clock or SystemClock()
    ruleset = wiring.load_ruleset(config, environment)
    wiring.check_notifiers(config, environment)
    archive = _LateArchive(config, environment) if config.archive.enabled else None
    suppressions = FolderSifter(config, environment)
    around = _LateBook(config, store)
    pipeline = Pipeline(
        _LateEngine(ruleset, around),
        store,
        archive,
        clock,
        wiring.routes_of(config),
        ruleset,
        suppressions,
        around,
        announcer=wiring.announcer_of(config, store),
    )
    if config.rules.staging_days:
        from trailwatch.service.staging import rules_on_trial

        pipeline.put_on_trial(rules_on_trial(store, ruleset, int(clock.now().timestamp())))
    return Assembly(
        config=config,
        environment=environment,
        store=store,
        ruleset=ruleset,
        plan=plan_of((*ruleset.rules, *ruleset.first_seen), ruleset.correlations),
        pipeline=pipeline,
        suppressions=suppressions,
        accesses=accesses(config.account),
        stream=stream,
        clock=clock,
    )


class _LateEngine:
    """The engine, compiled for the first event."""

    def __init__(self, ruleset: RuleSet, around: _LateBook) -> None:
        self._ruleset = ruleset
        self._around = around

    @functools.cached_property
    def _engine(self) -> Evaluator:
        return wiring.engine_of(self._ruleset, silent=True, tables=self._around.book)

    def evaluate(self, delivery: Delivery) -> Found:
        return self._engine.evaluate(delivery)


class _LateBook:
    """What is known around records: made for the first event, when the cycle has asked AWS who it is."""

    def __init__(self, config: Config, store: Store) -> None:
        self._config = config
        self._store = store

    @functools.cached_property
    def book(self) -> AddressBook:
        return wiring.addresses_of(self._config, self._store.regions.callers())

    def __call__(self) -> AddressBook:
        return self.book


class _LateArchive:
    """The archive, opened for the first event."""

    def __init__(self, config: Config, environment: Mapping[str, str]) -> None:
        self._config = config
        self._environment = environment

    @functools.cached_property
    def _archive(self) -> Keeper | None:
        return wiring.archive_of(self._config, self._environment)

    def append(self, account: str, region: str, records: Sequence[tuple[int, bytes]]) -> None:
        if self._archive is not None:
            self._archive.append(account, region, records)
