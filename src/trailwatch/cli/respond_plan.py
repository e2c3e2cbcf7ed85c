"""`trailwatch respond plan`: every call in order, whom it hits, and what it does not reach; nothing is changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from trailwatch.cli.main import Invocation
from trailwatch.cli.respond_tools import Bench, bench, target_options, wish_of

if TYPE_CHECKING:
    from trailwatch.model.response import Plan
    from trailwatch.respond.radius import Radius
    from trailwatch.respond.request import Wish

INCOMPLETE = 3


@click.command()
@click.argument("whats", metavar="WHAT...", nargs=-1, required=True)
@target_options
@click.option("--look-back", metavar="DURATION", help="How far back to ask who uses it; respond.look_back otherwise.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", help="How to print.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    whats: tuple[str, ...],
    account: str,
    reset_password: bool,
    devices: tuple[str, ...],
    look_back: str | None,
    form: str,
) -> None:
    """Show what would be done about WHAT: an alert's or incident's id, user/NAME, role/NAME, an ARN or a key's id.

    Of several WHAT one plan is made.
    """
    invocation: Invocation = ctx.obj
    with bench(invocation) as place:
        wish = wish_of(place, whats, account, reset_password=reset_password, devices=devices)
        plan = plan_of(place, wish)
        used = radius_of(place, plan, look_back)
    show(plan, used, wish, form)
    if plan.problems:
        ctx.exit(INCOMPLETE)


def plan_of(place: Bench, wish: Wish) -> Plan:
    """The plan for a wish, from how things stand now."""
    from trailwatch.respond.plan import make_plan

    return make_plan(wish.cause, wish.chosen, place.tools.drafting, int(datetime.now(UTC).timestamp()))


def radius_of(place: Bench, plan: Plan, look_back: str | None) -> Radius:
    """Who uses what the plan is about, as far as the archive knows."""
    from trailwatch.config.units import parse_duration
    from trailwatch.respond.radius import radius

    span = parse_duration(look_back) if look_back else place.config.respond.look_back
    until = int(datetime.now(UTC).timestamp())
    since = until - int(span)
    deliveries = place.archive.read(since=since) if place.archive is not None else ()
    kept, everything = place.archive is not None, place.config.check.all_events
    return radius(plan.targets, deliveries, since, until, all_events=everything, kept=kept)


def show(plan: Plan, used: Radius, wish: Wish, form: str, *, err: bool = False) -> None:
    """Prints the plan."""
    import json

    from trailwatch.cli.respond_output import plan_page, plan_row

    if form == "json":
        click.echo(json.dumps(plan_row(plan, used, wish.notes), ensure_ascii=True, indent=1), err=err)
        return
    for line in plan_page(plan, used, wish.notes):
        click.echo(line, err=err)
