"""The event history that `trailwatch baseline build` reads first, and the bar that shows how far it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from trailwatch.errors import SourceError, UsageError

if TYPE_CHECKING:
    from trailwatch.cli.main import Invocation
    from trailwatch.config.schema import Config
    from trailwatch.rules.rule import RuleSet
    from trailwatch.service.history import History
    from trailwatch.sources.poll_plan import Plan

Advance = Callable[[int], None]


def fetch(
    invocation: Invocation,
    config: Config,
    rules: RuleSet,
    days: int,
    regions: Sequence[str],
    *,
    all_events: bool,
    yes: bool,
) -> int:
    """Reads event history into the archive: what cycles poll, as far as rules with a memory or lineage want it.

    How many regions could not be read.

    Raises:
        SourceError: none could.
        UsageError: whoever was asked said no.
    """
    from trailwatch import wiring
    from trailwatch.archive import Archive
    from trailwatch.aws import accesses
    from trailwatch.clock import SystemClock
    from trailwatch.model.coverage import Interval
    from trailwatch.model.sighting import CHANGES, EVERYTHING
    from trailwatch.service.history import History, keep, place_of

    clock = SystemClock()
    now = int(clock.now().timestamp())
    window = Interval(now - days * 86400, now)
    whole = all_events or config.check.all_events
    plan = _names(rules)
    archive = Archive(wiring.archive_path(config, invocation.environment))
    with wiring.open_store(config, invocation.environment) as store:
        places = []
        for access in accesses(config.account):
            account = access.known_account_id or access.ask_account_id()
            for region in regions or access.account.regions or config.check.regions or access.ask_regions():
                named = [name.lookup for name in plan.in_region(region)]
                lookups = [EVERYTHING] if whole else [CHANGES, *named]
                places += [place_of(store, access, account, region, lookup, window) for lookup in lookups]
        count = len({(place.key.account, place.key.region) for place in places})
        history = History(places, clock, config.check.pace)
        _ask(history, days, count, yes=yes)
        errors = []
        with bar("reading", max(1, sum(place.missing.seconds for place in places))) as advance:
            for piece in history.pieces():
                keep(piece, store, archive)
                if piece.window is not None:
                    advance(piece.window.seconds)
                if piece.error:
                    errors.append(piece.error)
    for error in errors:
        click.echo(f"error: {error}", err=True)
    if errors and len(errors) == count:
        raise SourceError("baseline build", "no region could be read", "see the lines above")
    return len(errors)


def _names(rules: RuleSet) -> Plan:
    """Of the names that cycles look up those that a memory wants, or that say who a session began with."""
    from trailwatch.detect.links import ISSUING_NAMES
    from trailwatch.sources.poll_plan import Plan, plan_of
    from trailwatch.sources.shown import wanted_names

    plan = plan_of((*rules.rules, *rules.first_seen), rules.correlations)
    wanted = wanted_names(rules.first_seen, plan) | ISSUING_NAMES
    return Plan(tuple(name for name in plan.names if name.name in wanted))


def _ask(history: History, days: int, regions: int, *, yes: bool) -> None:
    """Says how long it takes, and asks where somebody is there to answer."""
    events, took = history.estimate()
    click.echo(
        f"event history: {days} days of {regions} region(s), about {events:,} events at 100 a second in a "
        f"region: about {_span(took)}; stop it at any time, the next run goes on",
        err=True,
    )
    if not yes and sys.stdin.isatty() and not click.confirm("begin?", default=True, err=True):
        raise UsageError("baseline build", "not begun", "use --from PATH or --archive for what is at hand")


@contextmanager
def bar(what: str, total: int) -> Iterator[Advance]:
    """A bar on a terminal, nothing elsewhere; what it gives is called with what was done since."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(what, total=total)

        def advance(done: int) -> None:
            shown.advance(task, done)

        yield advance


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{max(1, minutes)} min"  # noqa: PLR2004 minutes of an hour
