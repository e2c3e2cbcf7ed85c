"""`trailwatch respond approve`: say yes to what automatic response waits to do."""

from __future__ import annotations

import click

from trailwatch.cli.main import Invocation
from trailwatch.cli.respond_tools import answer_case


@click.command()
@click.argument("case_id", metavar="CASE")
@click.pass_obj
def command(invocation: Invocation, case_id: str) -> None:
    """Approve CASE, which a message asked about. It is done by the next cycle, if the guard still allows it."""
    case = answer_case(invocation, case_id, approved=True)
    click.echo(f"case {case.id} is approved; the next cycle does it")
