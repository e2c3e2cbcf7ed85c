"""The same cycle as a service: one a minute, until somebody ends it."""

from __future__ import annotations

from collections.abc import Callable

from trailwatch.errors import TrailwatchError
from trailwatch.ports import Clock
from trailwatch.service.cycle import Cycle
from trailwatch.service.report import CycleReport

EVERY_SECONDS = 60.0


def watch(
    cycle: Callable[[], Cycle],
    clock: Clock,
    *,
    wait: Callable[[float], bool],
    ended: Callable[[CycleReport], None],
    failed: Callable[[TrailwatchError], None],
    every: float = EVERY_SECONDS,
) -> None:
    """Runs cycles, each `every` seconds after the start of the one before, until it is time to end.

    Args:
        cycle: makes the next one.
        clock: the time.
        wait: waits so many seconds at most, and says whether it is time to end.
        ended: told after each cycle.
        failed: told when a cycle could not be run; the next one is tried all the same.
        every: seconds from start to start.
    """
    while True:
        begun = clock.monotonic()
        try:
            report = cycle().run()
        except TrailwatchError as error:
            failed(error)
        else:
            ended(report)
        if wait(max(0.0, begun + every - clock.monotonic())):
            return
