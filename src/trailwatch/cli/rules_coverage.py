"""`trailwatch rules coverage`: which techniques of ATT&CK the loaded rules find, and what that rests on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trailwatch.cli import rule_options
from trailwatch.cli.main import Invocation

if TYPE_CHECKING:
    from trailwatch.rules.coverage import Covered


@click.command("coverage")
@rule_options.dirs
@click.option("--profile", type=click.Choice(["core", "standard"]), help="Which of the shipped rules.")
@click.option(
    "--function", "in_function", is_flag=True, help="As an AWS Lambda function runs them; names those that it cannot."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "navigator"]),
    default="table",
    help="How to print; navigator is a layer for the ATT&CK Navigator.",
)
@click.pass_obj
def command(invocation: Invocation, dirs: Sequence[Path], profile: str | None, in_function: bool, form: str) -> None:
    """Show which ATT&CK techniques have rules, examples and recorded evidence, and which logs each needs.

    Techniques of ATT&CK for cloud that no rule names are listed too.
    """
    import msgspec

    from trailwatch.rules.coverage import coverage, forgetful, navigator_layer, shipped_evidence
    from trailwatch.wiring import load_ruleset

    ruleset = load_ruleset(
        invocation.config(), invocation.environment, dirs=list(dirs), profile=profile, examples=True
    )
    off = forgetful(ruleset) if in_function else []
    if in_function:
        ruleset = msgspec.structs.replace(ruleset, correlations=(), first_seen=())
    rows = coverage(ruleset, shipped_evidence())
    if form == "navigator":
        click.echo(msgspec.json.format(msgspec.json.encode(navigator_layer(rows))).decode())
    elif form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
    else:
        _table(rows)
    if off:
        click.echo(f"{len(off)} rules need what a function forgets and do not run there: {', '.join(off)}", err=True)


def _table(rows: Sequence[Covered]) -> None:
    width = max(len(row.name) for row in rows)
    click.echo(f"{'technique':<11}{'name':<{width}}  {'alert':>5} {'feed':>5} {'examples':>8} {'recorded':>8}  needs")
    for row in rows:
        counts = f"{len(row.alerting):>5} {len(row.feeding):>5} {row.examples:>8} {len(row.recordings):>8}"
        line = f"{row.technique:<11}{row.name:<{width}}  {counts}  {', '.join(row.log_types)}"
        click.echo(line.rstrip())
    named = [row for row in rows if row.alerting or row.feeding]
    alerting = sum(bool(row.alerting) for row in rows)
    recorded = sum(bool(row.recordings) for row in rows)
    click.echo(
        f"{len(rows)} techniques: {alerting} with rules that alert, {len(named) - alerting} with rules that only feed"
        f" others, {recorded} with recordings, {len(rows) - len(named)} without a rule",
        err=True,
    )
