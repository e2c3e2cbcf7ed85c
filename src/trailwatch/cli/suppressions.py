"""`trailwatch suppressions`: what nobody is told of, by whose decision, until when, and what that costs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trailwatch.cli.main import Invocation

if TYPE_CHECKING:
    from trailwatch.rules.rule import Problem
    from trailwatch.rules.suppression import Suppression
    from trailwatch.rules.suppression_files import SuppressionSet
    from trailwatch.store.suppressed import Total

SKIPPED = 3
_BROKEN = 2
_FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "jsonl"]),
    default="table",
    show_default=True,
    help="How to print.",
)
_SOON_DAYS = 14
COLUMNS = {
    "name": "name",
    "state": "state",
    "until": "expires",
    "owner": "owner",
    "rules": "rules",
    "events": "events",
    "alerts": "alerts",
    "last hidden": "last_hidden",
    "file": "file",
}
HIDDEN_COLUMNS = {
    "time": "time",
    "suppression": "suppression",
    "rule": "rule",
    "severity": "severity",
    "event": "event_name",
    "who": "principal",
    "from": "source_ip",
    "account": "account",
}


@click.group()
def command() -> None:
    """What nobody is told of: files in suppressions.d, each with an owner, a reason and a last day."""


@command.command("list")
@_FORMAT
@click.pass_obj
def list_suppressions(invocation: Invocation, form: str) -> None:
    """List suppressions, what each of them hid, and which have expired. Exits with 3 when a file is broken."""
    from trailwatch import wiring
    from trailwatch.cli.scan_output import write_jsonl, write_table

    config = invocation.config()
    found = wiring.load_suppressions(config, invocation.environment)
    with wiring.open_store(config, invocation.environment) as store:
        totals = store.suppressed.totals()
    now = int(datetime.now(UTC).timestamp())
    rows = [_row(one, totals.pop(one.name, None), now) for one in found.suppressions]
    rows += [_gone(total) for total in totals.values()]
    if form == "jsonl":
        write_jsonl(rows, sys.stdout)
    elif rows:
        write_table(rows, COLUMNS, sys.stdout)
    if not rows:
        folder = config.suppressions.folder
        click.echo(
            f"no suppressions in {folder}" if folder else "no suppressions: there is no configuration", err=True
        )
    _tell(found.problems)
    sys.exit(SKIPPED if any(problem.error for problem in found.problems) else 0)


@command.command()
@click.argument("places", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[PATH]...")
@click.pass_obj
def check(invocation: Invocation, places: Sequence[Path]) -> None:
    """Check the suppressions in PATHs, or the configured ones: every problem with its line.

    Exits with 2 when one is broken and hides nothing, with 3 when one has expired or names no rule there is.
    """
    from trailwatch import wiring

    config = invocation.config()
    found = wiring.load_suppressions(config, invocation.environment, places or None)
    now = int(datetime.now(UTC).timestamp())
    problems = [*found.problems, *wiring.suppressor_of(config, found.suppressions).problems]
    problems += _stale(found, now)
    problems += _unknown(found, invocation)
    _tell(problems)
    errors = sum(problem.error for problem in problems)
    click.echo(
        f"{len(found.suppressions)} suppressions, {errors} errors, {len(problems) - errors} warnings", err=True
    )
    sys.exit(_BROKEN if errors else SKIPPED if problems else 0)


@command.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--since", default="30d", show_default=True, metavar="TIME", help="Look at events from then on.")
@click.option("--no-archive", is_flag=True, help="Look at the stored alerts alone, which is quicker.")
@_FORMAT
@click.pass_obj
def preview(invocation: Invocation, file: Path, since: str, no_archive: bool, form: str) -> None:
    """Show what the suppression in FILE would have hidden, per rule and principal; it need not be in use.

    "stay" counts events of the same rule and principal that would still have been told; "real" alerts that somebody
    closed as true-positive. Over the archive run the rules over single events.
    """
    from trailwatch.cli.suppressions_preview import Preview
    from trailwatch.cli.times import moment
    from trailwatch.rules.suppression_files import parse_suppression

    begin = int(moment(since, "--since", datetime.now(UTC)).timestamp())
    suppression = parse_suppression(file.read_text(encoding="utf-8-sig", errors="replace"), str(file))
    found = Preview(invocation, [suppression], begin, archive=not no_archive)
    found.write(form)
    _tell(found.problems)
    sys.exit(_BROKEN if found.problems else 0)


@command.command()
@click.argument("name", required=False, default="")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="The latest so many.")
@_FORMAT
@click.pass_obj
def hidden(invocation: Invocation, name: str, limit: int, form: str) -> None:
    """List the events that were hidden, by the suppression NAME or by any, oldest first."""
    from trailwatch import wiring
    from trailwatch.cli.scan_output import iso, write_jsonl, write_table

    with wiring.open_store(invocation.config(), invocation.environment) as store:
        rows: list[dict[str, Any]] = [
            {
                "time": iso(one.time),
                "suppression": one.suppression,
                "rule_id": one.rule_id,
                "rule": one.slug,
                "severity": one.severity.value,
                "title": one.title,
                "event_name": one.event_name,
                "event_id": one.event_id,
                "principal": one.principal,
                "actor": one.actor,
                "source_ip": one.source_ip,
                "account": one.account,
                "region": one.region,
                "alert_id": one.alert_id,
            }
            for one in store.suppressed.recent(name, limit)
        ]
    if form == "jsonl":
        write_jsonl(rows, sys.stdout)
    elif rows:
        write_table(rows, HIDDEN_COLUMNS, sys.stdout)
    if not rows:
        click.echo("nothing was hidden", err=True)


def _row(one: Suppression, total: Total | None, now: int) -> dict[str, Any]:
    from trailwatch.cli.scan_output import iso

    days = (one.expires - now) // 86400
    state = "active" if days >= _SOON_DAYS else f"{days + 1} days left"
    return {
        "name": one.name,
        "state": state if one.holds_at(now) else "expired",
        "expires": one.last_day,
        "owner": one.owner,
        "reason": one.reason,
        "rules": list(one.rules),
        "accounts": list(one.accounts),
        "actor": list(one.actor),
        "networks": list(one.networks),
        "events": total.events if total else 0,
        "alerts": total.alerts if total else 0,
        "last_hidden": iso(total.last) if total else "",
        "file": one.path,
    }


def _gone(total: Total) -> dict[str, Any]:
    """A suppression whose file is not there any more did what it did."""
    from trailwatch.cli.scan_output import iso

    return {
        "name": total.suppression,
        "state": "removed",
        "expires": "",
        "owner": "",
        "reason": "",
        "rules": [],
        "accounts": [],
        "actor": [],
        "networks": [],
        "events": total.events,
        "alerts": total.alerts,
        "last_hidden": iso(total.last),
        "file": "",
    }


def _stale(found: SuppressionSet, now: int) -> Iterator[Problem]:
    from trailwatch.rules.rule import Problem

    for one in found.suppressions:
        if not one.holds_at(now):
            text = f"{one.name!r} ended with {one.last_day}; remove it, or decide anew with {one.owner}"
            yield Problem(one.origin, text, error=False)


def _unknown(found: SuppressionSet, invocation: Invocation) -> Iterator[Problem]:
    from trailwatch import wiring
    from trailwatch.detect.findings import PREFIX as GUARDDUTY
    from trailwatch.rules.names import meant
    from trailwatch.rules.rule import Problem
    from trailwatch.rules.suppression import EVERY_RULE

    if not found.suppressions:
        return
    ruleset = wiring.load_ruleset(invocation.config(), invocation.environment)
    infos = [rule.info for rule in (*ruleset.rules, *ruleset.first_seen)]
    infos += [correlation.info for correlation in ruleset.correlations]
    known = {EVERY_RULE, *(info.id for info in infos), *(info.slug for info in infos)}
    for one in found.suppressions:
        for name in one.rules:
            if name not in known and not name.startswith(GUARDDUTY):
                hint = meant(name, known) or "`trailwatch rules list` lists them"
                yield Problem(one.origin, f"no loaded rule is called {name!r}; {hint}", error=False)


def _tell(problems: Sequence[Problem]) -> None:
    from trailwatch.model.inert import for_terminal

    for problem in problems:
        kind = "error" if problem.error else "warning"
        click.echo(for_terminal(f"{kind}: {problem.origin}: {problem.text}"), err=True)
