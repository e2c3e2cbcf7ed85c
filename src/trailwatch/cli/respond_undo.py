"""`trailwatch respond undo`: put back what was there before, from the last step to the first."""

from __future__ import annotations

import json

import click

from trailwatch.cli.main import Invocation
from trailwatch.cli.respond_tools import asking, bench, confirm, find_plan


@click.command()
@click.argument("plan_id", metavar="PLAN")
@click.option(
    "--force", is_flag=True, help="Also put back what somebody changed since, or what another plan leans on."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def command(ctx: click.Context, plan_id: str, force: bool, yes: bool) -> None:
    """Undo a plan. Where somebody changed something since, or another plan leans on it, --force is needed."""
    from trailwatch.cli.respond_output import progress_page
    from trailwatch.model.inert import for_terminal
    from trailwatch.respond.progress import read_progress
    from trailwatch.respond.undo import relied_on, undo

    invocation: Invocation = ctx.obj
    with bench(invocation) as place:
        whole = find_plan(place.journal, plan_id)
        progress = read_progress(place.journal, whole)
        for line in progress_page(progress) if progress is not None else ():
            click.echo(line, err=True)
        leaning = relied_on(progress, place.journal) if progress is not None else []
        for other, does in leaning:
            click.echo(f"plan {other} leans on this: {for_terminal(does)}", err=True)
        if leaning and not force:
            click.echo("nothing was undone; undo those plans first, or give --force", err=True)
            ctx.exit(1)
        confirm(f"Undo plan {whole}? Whoever was locked out is let in again.", yes=yes)
        undone = undo(whole, place.tools.equipment, asking(), force=force)
    for conflict in undone.conflicts:
        click.echo(f"changed since: {for_terminal(conflict.does)}", err=True)
        why = conflict.why or f"expected {_shown(conflict.expected)}, found {_shown(conflict.found)}"
        click.echo(f"  {for_terminal(why)}", err=True)
    for one in (*undone.failed, *(f"stays as it is: {one}" for one in undone.stays)):
        click.echo(for_terminal(one), err=True)
    if undone.conflicts and not force:
        click.echo("nothing was undone; look at what changed, or give --force", err=True)
        ctx.exit(1)
    click.echo(f"plan {whole}: {undone.restored} steps undone; {undone.calls} calls")
    if undone.failed:
        ctx.exit(1)


def _shown(state: object) -> str:
    return "nothing" if state is None else json.dumps(state, separators=(",", ":"))
