"""`trailwatch respond status`: what was done, by whom, how far it got, and whether responses are frozen."""

from __future__ import annotations

import json
import sys

import click

from trailwatch.cli.main import Invocation
from trailwatch.cli.respond_tools import find_plan, freezes_of, journal_of

_COLUMNS = {"created": "created", "plan": "plan", "standing": "standing", "for": "cause", "by": "who", "why": "why"}


@click.command()
@click.argument("plan_id", metavar="[PLAN]", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", help="How to print.")
@click.pass_obj
def command(invocation: Invocation, plan_id: str | None, limit: int, form: str) -> None:
    """List plans that were carried out, or show one step by step."""
    from trailwatch import wiring
    from trailwatch.cli.respond_output import progress_page, progress_row
    from trailwatch.cli.scan_output import write_jsonl, write_table
    from trailwatch.model.inert import for_terminal
    from trailwatch.respond.freeze import first_reason
    from trailwatch.respond.progress import read_progress

    config, environment = invocation.config(), invocation.environment
    reason = first_reason(freezes_of(config, environment))
    if reason:
        click.echo(for_terminal(reason), err=True)
    with wiring.open_store(config, environment) as store:
        journal = journal_of(config, store)
        ids = [find_plan(journal, plan_id)] if plan_id else journal.latest(limit)
        found = [one for plan in ids if (one := read_progress(journal, plan)) is not None]
    if plan_id:
        if form == "json":
            click.echo(json.dumps(progress_row(found[0]), indent=1))
            return
        for line in progress_page(found[0]):
            click.echo(line)
        return
    rows = [{name: value for name, value in progress_row(one).items() if name != "steps"} for one in found]
    if form == "json":
        write_jsonl(rows, sys.stdout)
    elif rows:
        write_table(rows, _COLUMNS, sys.stdout)
    if not rows:
        click.echo("nothing was done", err=True)
