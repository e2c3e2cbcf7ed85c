"""`trailwatch respond decline`: say no to what automatic response waits to do."""

from __future__ import annotations

import click

from trailwatch.cli.main import Invocation
from trailwatch.cli.respond_tools import answer_case


@click.command()
@click.argument("case_id", metavar="CASE")
@click.pass_obj
def command(invocation: Invocation, case_id: str) -> None:
    """Decline CASE, which a message asked about. For a day nothing is done about its target automatically."""
    case = answer_case(invocation, case_id, approved=False)
    click.echo(f"case {case.id} is declined; nothing is done")
