"""The digest: once a week a message that says what was read, what was not, and what can never fire.

Silence then means that something is wrong. When the last one was written stands in the store, and is written in the
same transaction as the message, so that a crash loses none and repeats none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trailwatch.config.schema import Config
from trailwatch.ports import Clock
from trailwatch.service.companions import Quiet
from trailwatch.service.report import FAILED, GOOD, PARTIAL, CycleReport
from trailwatch.store.store import Store

WRITTEN = "digest written"
"""The fact that says when the last one was written, in seconds since 1970."""


class Digest(Quiet):
    """Counts every cycle, and writes the digest when it is due.

    Args:
        config: all settings.
        environment: the process's variables.
        store: where everything is kept.
        clock: the time.
    """

    def __init__(self, config: Config, environment: Mapping[str, str], store: Store, clock: Clock) -> None:
        self._config = config
        self._environment = environment
        self._store = store
        self._clock = clock

    def conclude(self, report: CycleReport, notices: Sequence[str]) -> None:
        now = int(self._clock.now().timestamp())
        outcome = (FAILED if len(report.unread) == len(report.regions) else PARTIAL) if report.unread else GOOD
        with self._store.transaction():
            self._store.facts.count_cycle(now, good=outcome != FAILED, events=report.tally.events)
            last = int(self._store.facts.get(WRITTEN) or 0)
            if not last:
                # the first week begins with the first cycle
                self._store.facts.set(WRITTEN, str(now))
        if last and now - last >= self._config.coverage.digest:
            self._write(report, notices, last, now)

    def _write(self, report: CycleReport, notices: Sequence[str], since: int, now: int) -> None:
        from trailwatch.service.digest_text import digest_of

        message = digest_of(self._config, self._environment, self._store, since, now)
        with self._store.transaction():
            if self._store.facts.get(WRITTEN) != str(since):
                return  # another process was first
            self._store.outbox.add(message, notices, now)
            self._store.facts.set(WRITTEN, str(now))
        report.notices.append(message)
