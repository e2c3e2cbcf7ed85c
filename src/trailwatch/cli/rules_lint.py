"""`trailwatch rules lint`: what is wrong or weak in rule files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from trailwatch.cli import rule_options
from trailwatch.cli.main import Invocation

_FAILED = 1


@click.command("lint")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@rule_options.pipelines
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", help="How to print.")
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@click.pass_obj
def command(
    invocation: Invocation, paths: Sequence[Path], pipelines: Sequence[Path], form: str, strict: bool
) -> None:
    """Find what is wrong or weak in the rule files at PATHS, or in all rules that are configured.

    An error keeps a rule from running, a warning never does. Exits with 1 when there is an error.
    """
    from trailwatch.rules.catalog import load_rules
    from trailwatch.rules.lint import lint, split_origin

    config = invocation.config()
    if paths:
        configured = [Path(file).expanduser() for file in config.rules.pipelines]
        ruleset = load_rules(
            paths,
            shipped=False,
            placeholders=config.rules.placeholders,
            pipelines=[*configured, *pipelines],
        )
    else:
        from trailwatch.wiring import load_ruleset

        ruleset = load_ruleset(config, invocation.environment, pipelines=pipelines, examples=True)
    problems = lint(ruleset)
    if form == "json":
        import msgspec

        rows = []
        for problem in problems:
            file, line, column = split_origin(problem.origin)
            level = "error" if problem.error else "warning"
            rows.append({"file": file, "line": line, "column": column, "level": level, "text": problem.text})
        click.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
    else:
        from trailwatch.model.inert import for_terminal

        for problem in problems:
            level = "error" if problem.error else "warning"
            click.echo(for_terminal(f"{problem.origin}: {level}: {problem.text}"))
    errors = sum(problem.error for problem in problems)
    rules = len(ruleset.rules) + len(ruleset.first_seen) + len(ruleset.correlations)
    skipped = "".join(f", {count} {reason}" for reason, count in ruleset.skipped.items())
    click.echo(f"{rules} rules, {errors} errors, {len(problems) - errors} warnings{skipped}", err=True)
    if errors or (strict and problems):
        sys.exit(_FAILED)
