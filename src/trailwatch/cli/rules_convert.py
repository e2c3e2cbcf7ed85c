"""`trailwatch rules convert`: a rule in another system's language."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from trailwatch.cli import rule_options
from trailwatch.cli.main import Invocation
from trailwatch.errors import UsageError

_TARGETS = ("sql-duckdb", "cloudwatch", "eventbridge")


@click.command("convert")
@click.argument("rule")
@click.option("--to", "target", type=click.Choice(_TARGETS), required=True, help="The language to write it in.")
@rule_options.dirs
@rule_options.pipelines
@click.pass_obj
def command(invocation: Invocation, rule: str, target: str, dirs: Sequence[Path], pipelines: Sequence[Path]) -> None:
    """Write RULE, named by id or slug, in another system's language.

    What is printed matches exactly the events that the rule matches. Where the language cannot say that, nothing is
    printed, the reason goes to standard error, and the exit code is 3.

    \b
    sql-duckdb   SQL over a table cloudtrail_logs with the columns of Athena's documented table
    cloudwatch   a filter pattern for the log group of a trail
    eventbridge  an event pattern for a rule on the default bus
    """  # noqa: D301 click reads the backspace as: do not wrap
    from trailwatch.translate.targets import convert
    from trailwatch.wiring import load_ruleset

    ruleset = load_ruleset(invocation.config(), invocation.environment, dirs=dirs, only=[rule], pipelines=pipelines)
    found = ruleset.named(rule)
    if found is None:
        raise UsageError("rule", f"{rule!r} did not load", "see what rules lint says of it")
    click.echo(convert(found, target))
