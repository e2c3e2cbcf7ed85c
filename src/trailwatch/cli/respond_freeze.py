"""`trailwatch respond freeze`: nothing is changed at AWS as long as a file beside the state file says so."""

from __future__ import annotations

import click

from trailwatch.cli.main import Invocation
from trailwatch.cli.respond_tools import asking, freezes_of


@click.command()
@click.argument("switch", type=click.Choice(["on", "off", "show"]), metavar="on|off|show")
@click.option("--why", default="", help="Why; whoever is stopped is told.")
@click.pass_obj
def command(invocation: Invocation, switch: str, why: str) -> None:
    """Stop every response, by hand and automatic, or let them go on. Undoing is never stopped."""
    from trailwatch.model.inert import for_terminal
    from trailwatch.respond.freeze import first_reason

    freezes = freezes_of(invocation.config(), invocation.environment)
    for place in freezes:
        if switch == "on":
            place.freeze(asking(), why)
        elif switch == "off":
            place.thaw()
    click.echo(for_terminal(first_reason(freezes)) or "responses are not frozen")
