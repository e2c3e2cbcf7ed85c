"""`trailwatch respond freeze`: nothing is changed at AWS as long as a file beside the state file is there."""

from __future__ import annotations

import click

from trailwatch.cli.main import Invocation
from trailwatch.cli.respond_tools import asking


@click.command()
@click.argument("switch", type=click.Choice(["on", "off", "show"]), metavar="on|off|show")
@click.option("--why", default="", help="Why; whoever is stopped is told.")
@click.pass_obj
def command(invocation: Invocation, switch: str, why: str) -> None:
    """Stop every response, by hand and automatic, or let them go on. Undoing is never stopped."""
    from trailwatch import wiring
    from trailwatch.model.inert import for_terminal
    from trailwatch.respond.freeze import freeze, freeze_path, frozen, thaw

    path = freeze_path(wiring.state_path(invocation.config(), invocation.environment))
    if switch == "on":
        freeze(path, asking(), why)
    elif switch == "off":
        thaw(path)
    click.echo(for_terminal(frozen(path)) or "responses are not frozen")
