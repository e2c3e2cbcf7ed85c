"""`trailwatch respond apply`: carry a plan out; one that was cut off goes on where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trailwatch.cli.main import Invocation
from trailwatch.cli.respond_plan import INCOMPLETE, plan_of, radius_of, show
from trailwatch.cli.respond_tools import Bench, asking, bench, confirm, find_plan, target_options, wish_of

if TYPE_CHECKING:
    from trailwatch.model.response import Plan


@click.command()
@click.argument("whats", metavar="WHAT...", nargs=-1, required=True)
@target_options
@click.option("--why", default="", help="Why; the journal keeps it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    whats: tuple[str, ...],
    account: str,
    reset_password: bool,
    devices: tuple[str, ...],
    why: str,
    yes: bool,
) -> None:
    """Do what a plan for WHAT says, or go on with the plan of that id. The plan is shown first, then asked for.

    WHAT is an alert's or incident's id, user/NAME, role/NAME, an ARN, a key's id, or the id of a plan. Of several one
    plan is made.
    """
    invocation: Invocation = ctx.obj
    with bench(invocation) as place:
        if len(whats) == 1 and _is_plan(place, whats[0]):
            _go_on(ctx, place, find_plan(place.journal, whats[0]), yes=yes)
            return
        wish = wish_of(place, whats, account, reset_password=reset_password, devices=devices)
        plan = plan_of(place, wish)
        show(plan, radius_of(place, plan, None), wish, "table", err=True)
        if not plan.steps:
            ctx.exit(INCOMPLETE if plan.problems else 0)
        confirm(f"Do this? It can be undone with `trailwatch respond undo {plan.id}`.", yes=yes)
        _apply(ctx, place, plan, why)


def _is_plan(place: Bench, what: str) -> bool:
    from trailwatch.respond.request import is_name

    prefix = what.strip().lower()
    if is_name(what) or not place.journal.find(prefix, 1):
        return False
    return not place.store.incidents.find(prefix, 1) and not place.store.alerts.find(prefix, 1)


def _go_on(ctx: click.Context, place: Bench, plan_id: str, *, yes: bool) -> None:
    from trailwatch.cli.respond_output import progress_page
    from trailwatch.respond.progress import read_progress

    progress = read_progress(place.journal, plan_id)
    if progress is None:  # between the two looks nobody removes entries
        return
    for line in progress_page(progress):
        click.echo(line, err=True)
    confirm(f"Go on with plan {plan_id}?", yes=yes)
    _apply(ctx, place, progress.plan, progress.why)


def _apply(ctx: click.Context, place: Bench, plan: Plan, why: str) -> None:
    from trailwatch.model.inert import for_terminal
    from trailwatch.respond.apply import apply

    outcome = apply(plan, place.tools.equipment, asking(), why)
    again = f", {outcome.again} of them had to be done again" if outcome.again else ""
    click.echo(f"plan {plan.id}: {outcome.good} of {len(plan.steps)} steps hold; {outcome.calls} calls{again}")
    for one in outcome.failed:
        click.echo(f"failed: {for_terminal(one)}", err=True)
    click.echo(f"undo it with: trailwatch respond undo {plan.id}", err=True)
    if outcome.failed:
        ctx.exit(1)
    if plan.problems:
        ctx.exit(INCOMPLETE)
