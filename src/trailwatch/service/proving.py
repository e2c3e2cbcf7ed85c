"""The companions of a cycle that show that it looks, and GuardDuty beside it: those that the settings ask for."""

from __future__ import annotations

from collections.abc import Mapping

from trailwatch.config.schema import Config
from trailwatch.pipeline import Pipeline
from trailwatch.ports import Clock
from trailwatch.service.companions import Companion
from trailwatch.store.store import Store


def companions_of(
    config: Config, environment: Mapping[str, str], store: Store, pipeline: Pipeline, clock: Clock
) -> list[Companion]:
    """Made anew for each cycle, in the order in which they act; what is not asked for is not even imported."""
    found: list[Companion] = []
    if config.guardduty.enabled:
        from trailwatch.service.findings import FindingsReading

        found.append(FindingsReading(store, pipeline, config.guardduty, config.check, clock))
    if config.canary.every or store.canaries.any_awaited():  # one may have been sent by hand
        from trailwatch.service.canary import CanaryRound

        found.append(CanaryRound(store, config.canary, clock))
    if config.coverage.late:
        from trailwatch.service.gaps import Gaps

        polled = "*" if config.check.all_events else "ReadOnly=false"
        found.append(Gaps(store, config.coverage.late, polled, clock))
    if config.rules.staging_days:
        from trailwatch.service.staging import Staging

        found.append(Staging(store, config.rules.staging_days, clock, pipeline.put_on_trial))
    if config.coverage.digest:
        from trailwatch.service.digest import Digest

        found.append(Digest(config, environment, store, clock))
    return found
