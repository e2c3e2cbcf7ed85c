"""`trailwatch respond playbooks`: which actions answer what, and which files cannot be used."""

from __future__ import annotations

import sys
from typing import Any

import click

from trailwatch.cli.main import Invocation

_COLUMNS = {"playbook": "name", "what it is for": "description", "actions": "actions", "from": "origin"}
_BROKEN = 2


@click.command()
@click.option("--format", "form", type=click.Choice(["table", "jsonl"]), default="table", help="How to print.")
@click.pass_context
def command(ctx: click.Context, form: str) -> None:
    """List playbooks: those that ship, and those of your folder, whose names come first."""
    from trailwatch.cli.scan_output import write_jsonl, write_table
    from trailwatch.model.inert import for_terminal
    from trailwatch.respond.assembly import playbooks_of

    invocation: Invocation = ctx.obj
    found = playbooks_of(invocation.config())
    rows: list[dict[str, Any]] = [
        {
            "name": one.name,
            "description": one.description,
            "answers": list(one.answers),
            "actions": list(one.actions) if form == "jsonl" else ", ".join(one.actions) or "only people",
            "humans": list(one.humans),
            "origin": one.origin,
        }
        for one in found.playbooks.values()
    ]
    if form == "jsonl":
        write_jsonl(rows, sys.stdout)
    else:
        write_table(rows, _COLUMNS, sys.stdout)
    for problem in found.problems:
        click.echo(f"{for_terminal(problem.origin)}: {for_terminal(problem.text)}", err=True)
    if found.problems:
        ctx.exit(_BROKEN)
