"""`trailwatch lab`: a simulated AWS account on loopback, until it is told to stop."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import click

from trailwatch.errors import TrailwatchError, UsageError

if TYPE_CHECKING:
    from trailwatch.lab.faults import Fault

FAULTS = """throttle=SHARE, error=SHARE, latency=SECONDS, deny=REGION, deny=OPERATION, late=SHARE:SECONDS,
cut=CALL (its connection dies), dead=CALL (that one and all later ones)"""


@click.command()
@click.option("--port", default=0, show_default="a free one", help="Port on 127.0.0.1.")
@click.option("--lookup-rate", default=2.0, show_default=True, help="LookupEvents a second and region; 0: no limit.")
@click.option("--visibility-delay", default="0s", show_default=True, help="Time until an event shows up, like 90s.")
@click.option("--fault", "faults", multiple=True, metavar="KIND=VALUE", help=f"Trouble, repeatable: {FAULTS}.")
@click.option("--seed", default=0, show_default=True, help="Of every random choice.")
def command(port: int, lookup_rate: float, visibility_delay: str, faults: tuple[str, ...], seed: int) -> None:
    """Start a simulated AWS account and print what to export to use it.

    Every call to it becomes a CloudTrail event that `trailwatch check` can read. `POST /lab/console-login` signs
    somebody in to its console. It ends with Ctrl-C or SIGTERM, and nothing remains of it.
    """
    try:
        from trailwatch.lab.limits import Limits
        from trailwatch.lab.server import Lab
        from trailwatch.lab.words import read_duration, read_fault
    except ModuleNotFoundError as error:
        raise TrailwatchError(
            "lab", f"the package {error.name!r} is missing", "install it: pip install 'trailwatch-aws[lab]'"
        ) from error
    active: list[Fault] = [read_fault(word) for word in faults]
    if lookup_rate < 0:
        raise UsageError("--lookup-rate", f"expected a number from 0, got {lookup_rate}")
    limits = Limits(lookup_rate=lookup_rate or None, visibility_delay=read_duration(visibility_delay))
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        lab = Lab(port=port, limits=limits, faults=active, seed=seed).start()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise TrailwatchError("--port", f"{port}: {reason}", "choose another port, or 0") from error
    try:
        for name, value in lab.environment().items():
            click.echo(f"export {name}={value}")
        sys.stdout.flush()
        click.echo("the lab runs; end it with Ctrl-C", err=True)
        ended.wait()
    finally:
        lab.stop()
