"""`trailwatch coverage`: what was read, how far, and which rules nothing of it could make fire."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from trailwatch.cli.main import Invocation

if TYPE_CHECKING:
    from trailwatch.config.schema import Config
    from trailwatch.service.coverage_rows import CoverageRow
    from trailwatch.service.reach import Unreachable

SKIPPED = 3
COLUMNS = {
    "account": "account",
    "region": "region",
    "look-up": "lookup",
    "state": "state",
    "read until": "read_until",
    "lag": "lag",
    "gaps": "missing",
    "why": "why",
}
RULE_COLUMNS = {"severity": "severity", "rule": "rule", "cannot fire because it": "why"}


@click.command()
@click.option("--rules", "show_rules", is_flag=True, help="Show the loaded rules that can never fire, and why.")
@click.option("--trails", is_flag=True, help="With --rules: ask AWS which data events trails record.")
@click.option("--all", "every", is_flag=True, help="A row for each name that is looked up by turns, too.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print."
)
@click.pass_obj
def command(invocation: Invocation, show_rules: bool, trails: bool, every: bool, form: str) -> None:
    """Show what was read in each account and region, how far, and what is missing.

    Exit 3 when something is late, failed, or was never read.
    """
    if show_rules or trails:
        _rules(invocation, form, ask_trails=trails)
        return
    config = invocation.config()
    rows = _rows(invocation, config)
    bad = [row for row in rows if row.polled and row.state not in _good()]
    if form == "json":
        _print_json({"lookups": [_json_row(row) for row in rows], "complete": not bad})
    elif rows:
        from trailwatch.cli.scan_output import write_table
        from trailwatch.service.coverage_rows import by_turns

        write_table([_table_row(row) for row in (rows if every else by_turns(rows))], COLUMNS, sys.stdout)
    else:
        click.echo("nothing was read yet; run `trailwatch check`", err=True)
    sys.exit(SKIPPED if bad or not rows else 0)


def _good() -> Sequence[str]:
    from trailwatch.service.coverage_rows import GOOD

    return GOOD


def _rows(invocation: Invocation, config: Config) -> list[CoverageRow]:
    from trailwatch import wiring
    from trailwatch.service.coverage_rows import coverage_rows
    from trailwatch.service.reading_today import still_asked

    if not wiring.state_path(config, invocation.environment).exists():
        return []
    with wiring.open_store(config, invocation.environment) as store:
        return coverage_rows(
            store,
            now=int(datetime.now(UTC).timestamp()),
            late=int(config.coverage.late),
            history=int(config.check.history),
            asked=still_asked(config, store),
        )


def _json_row(row: CoverageRow) -> dict[str, Any]:
    from trailwatch.cli.scan_output import iso

    return {
        "account": row.account,
        "region": row.region,
        "lookup": row.lookup,
        "state": row.state,
        "since": iso(row.since),
        "read_until": None if row.read_until is None else iso(row.read_until),
        "lag_seconds": row.lag_seconds,
        "gaps": row.gaps,
        "gap_seconds": row.gap_seconds,
        "why": row.why,
    }


def _table_row(row: CoverageRow) -> dict[str, Any]:
    from trailwatch.cli.scan_output import iso
    from trailwatch.service.report import duration

    return {
        **_json_row(row),
        "read_until": "" if row.read_until is None else iso(row.read_until),
        "lag": "" if row.lag_seconds is None else duration(row.lag_seconds),
        "missing": f"{row.gaps} of {duration(row.gap_seconds)}" if row.gaps else "",
    }


def _rules(invocation: Invocation, form: str, *, ask_trails: bool) -> None:
    from trailwatch import wiring
    from trailwatch.service.reach import unreachable
    from trailwatch.service.reading_today import findings_missing, sources_of

    config = invocation.config()
    ruleset = wiring.load_ruleset(config, invocation.environment, examples=True)
    tables = wiring.tables_of(config)
    if wiring.state_path(config, invocation.environment).exists():
        with wiring.open_store(config, invocation.environment) as store:
            sources, findings = sources_of(config, ruleset, store, tables), findings_missing(config, store)
    else:
        sources, findings = sources_of(config, ruleset, None, tables), findings_missing(config, None)
    found = unreachable(ruleset, sources)
    recorded = _recorded(config) if ask_trails else []
    loaded = len(ruleset.rules) + len(ruleset.first_seen) + len(ruleset.correlations)
    rows = [_rule_row(one) for one in found]
    if form == "json":
        _print_json({"loaded": loaded, "cannot_fire": rows, "findings": findings, "trails": recorded})
        return
    if rows:
        from trailwatch.cli.scan_output import write_table

        write_table(rows, RULE_COLUMNS, sys.stdout)
    for line in [f"{len(rows)} of {loaded} rules can never fire", findings, *recorded]:
        if line:
            click.echo(line)


def _rule_row(one: Unreachable) -> dict[str, Any]:
    return {
        "rule_id": one.rule_id,
        "rule": one.slug,
        "title": one.title,
        "severity": one.severity.value,
        "why": one.why,
    }


def _recorded(config: Config) -> list[str]:
    """What trails record of data events: those are not read, but can be, from their buckets."""
    from trailwatch.aws import accesses
    from trailwatch.sources.trail_selectors import data_events_of

    return [line for access in accesses(config.account) for line in data_events_of(access)]


def _print_json(content: dict[str, Any]) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(content)))
