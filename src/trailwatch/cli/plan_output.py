"""`trailwatch check --plan`: which calls are looked up by name, how often, how many there are, and the cost."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from trailwatch.sources.poll_plan import PlannedName, cycles_between

if TYPE_CHECKING:
    from trailwatch.service.assembly import Assembly
    from trailwatch.store.coverage import Lookup

DAY = 86400
WIDTH = 110


def write_plan(assembly: Assembly, regions: Sequence[str]) -> None:
    """Writes the plan; what is measured comes from the store, nothing is asked of AWS."""
    settings = assembly.config.check
    if settings.all_events:
        click.echo("Every event is polled (check.all_events), so nothing needs to be looked up by name.")
        return
    requests = settings.plan_requests_per_region
    lookups = [one for one in assembly.store.coverage.lookups().values() if not regions or one.key.region in regions]
    by_name: dict[str, list[Lookup]] = {}
    for lookup in lookups:
        by_name.setdefault(lookup.key.lookup, []).append(lookup)
    turns = cycles_between(assembly.plan.names, requests)
    click.echo(f"{'EVENT NAME':<36} {'SEVERITY':<14} {'EVERY':>10} {'REGIONS':>8} {'EVENTS/DAY':>11}  RULES")
    for planned in assembly.plan.names:
        click.echo(_row(planned, by_name.get(planned.lookup, []), turns[planned.name]))
    polled = by_name.get("ReadOnly=false", [])
    click.echo(
        f"\n{len(assembly.plan.names)} names; in each region and cycle one look-up of ReadOnly=false "
        f"({_volume(polled)} events a day) and up to {requests} of these."
    )
    if left_out := [planned.name for planned in assembly.plan.left_out]:
        why = f"Not looked up, because each alone is worth less than a low alert ({len(left_out)}): "
        text = why + ", ".join(left_out) + "."
        click.echo(textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False))
        click.echo("`check --all-events` polls them too.")
    places = len({(one.key.account, one.key.region) for one in lookups})
    if places:
        click.echo(f"{places} region(s): at most {places * (1 + requests)} look-ups in a quiet cycle.")
    click.echo("Cost: nothing; AWS does not charge for LookupEvents.")


def _row(planned: PlannedName, lookups: Sequence[Lookup], turns: int) -> str:
    every = f"{turns} cycles" if turns > 1 else "cycle" if turns else "never"
    regions = str(len(lookups)) if lookups else "-"
    return (
        f"{planned.name:<36} {planned.severity.value:<14} {every:>10} {regions:>8} {_volume(lookups):>11}"
        f"  {', '.join(planned.rules)}"
    )


def _volume(lookups: Sequence[Lookup]) -> str:
    measured = [one.events_per_second for one in lookups if one.events_per_second is not None]
    return f"{sum(measured) * DAY:,.0f}" if measured else "?"
