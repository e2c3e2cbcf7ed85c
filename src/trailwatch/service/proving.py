"""The companions of a cycle that show that it looks, and GuardDuty beside it: those that the settings ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trailwatch.config.schema import Config
from trailwatch.model.rule import GAP_ID
from trailwatch.pipeline import Pipeline
from trailwatch.ports import Clock
from trailwatch.service.companions import Companion, Quiet
from trailwatch.service.report import CycleReport
from trailwatch.store.facts import FIRST_CYCLE
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
        found.append(_QuickGaps(config, store, clock))
    if config.rules.staging_days:
        from trailwatch.service.staging import Staging

        found.append(Staging(store, config.rules.staging_days, clock, pipeline.put_on_trial))
    if config.coverage.digest:
        from trailwatch.service.digest import Digest

        found.append(Digest(config, environment, store, clock))
    return found


class _QuickGaps(Quiet):
    """Asks `trailwatch.service.gaps` where there is something to say; in most cycles there is not."""

    def __init__(self, config: Config, store: Store, clock: Clock) -> None:
        self._config = config
        self._store = store
        self._clock = clock

    def conclude(self, report: CycleReport, notices: Sequence[str]) -> None:
        late = self._config.coverage.late
        behind = any(one.behind_seconds > late for one in report.regions)
        known = self._store.facts.get(FIRST_CYCLE) is not None
        if behind or not known or self._store.alerts.unclosed(GAP_ID):
            from trailwatch.service.gaps import Gaps

            polled = "*" if self._config.check.all_events else "ReadOnly=false"
            Gaps(self._store, late, polled, self._clock).conclude(report, notices)
