"""`trailwatch watch`: the cycle of `check` as a service."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from trailwatch.cli.check import skipped_rules, tell_failures
from trailwatch.cli.main import Invocation

if TYPE_CHECKING:
    from types import FrameType

    from trailwatch.config.schema import Config
    from trailwatch.errors import TrailwatchError
    from trailwatch.service.health import Health
    from trailwatch.service.report import CycleReport


@click.command()
@click.option("--region", "regions", multiple=True, help="Read only this region; repeatable.")
@click.pass_obj
def command(invocation: Invocation, regions: tuple[str, ...]) -> None:
    """Run one cycle a minute until SIGTERM or SIGINT, which let the window under way be finished."""
    from trailwatch import wiring
    from trailwatch.clock import SystemClock
    from trailwatch.service.assembly import assemble
    from trailwatch.service.health import Health
    from trailwatch.service.watch import watch

    stop = _stop_on_signals()
    config = invocation.config()
    health = Health(SystemClock(), config.canary.within)
    with wiring.open_store(config, invocation.environment) as store, _answering(config, health):
        assembly = assemble(config, invocation.environment, store, sys.stderr)
        skipped = skipped_rules(assembly)

        def ended(report: CycleReport) -> None:
            report.problems.extend(skipped)
            tell_failures(report)
            click.echo(report.line())
            health.ended(report, store)

        def failed(error: TrailwatchError) -> None:
            health.failed(error)
            click.echo(f"error: {error}", err=True)

        watch(
            lambda: assembly.cycle(regions=regions, stopped=stop.is_set),
            SystemClock(),
            wait=stop.wait,
            ended=ended,
            failed=failed,
        )


@contextmanager
def _answering(config: Config, health: Health) -> Iterator[None]:
    """Answers /healthz while it is entered, where the settings say so."""
    if not config.watch.listen:
        yield
        return
    from trailwatch.service.health import HealthServer

    with HealthServer(config.watch.listen, health) as server:
        click.echo(f"health: {server.url}")
        yield


def _stop_on_signals() -> threading.Event:
    """An event that is set by SIGTERM and SIGINT; a second SIGINT ends the process at once."""
    stop = threading.Event()

    def ask(number: int, _frame: FrameType | None) -> None:
        stop.set()
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return stop
