"""`trailwatch baseline`: what is usual here, learned before anything is called unusual."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from trailwatch.cli.main import Invocation
from trailwatch.errors import UsageError

if TYPE_CHECKING:
    from trailwatch.cli.scan_memory import ScanMemory
    from trailwatch.config.schema import Config
    from trailwatch.model.alert import Alert
    from trailwatch.model.match import Match, Tally
    from trailwatch.model.sighting import Remembered
    from trailwatch.rules.rule import RuleSet
    from trailwatch.store.store import Store

HISTORY_DAYS = 90
SHOWN_COLUMNS = ("account", "rule", "polled", "not polled", "speaks", "combinations", "last")


@click.group()
def command() -> None:
    """Learn what is usual, show it, or write it to a file."""


@command.command()
@click.option(
    "--from",
    "paths",
    multiple=True,
    type=click.Path(exists=True),
    help="Learn from these log files or folders instead of event history; may be repeated.",
)
@click.option("--archive", "archived", is_flag=True, help="Learn from what was polled before.")
@click.option("--days", type=click.IntRange(1, HISTORY_DAYS), default=HISTORY_DAYS, help="So many days of history.")
@click.option("--region", "regions", multiple=True, help="Read only this region's event history; may be repeated.")
@click.option("--all-events", is_flag=True, help="Read read-only events of event history too.")
@click.option("--yes", is_flag=True, help="Begin without asking.")
@click.option("--learn-all", is_flag=True, help="Learn also what callers with alerts of high severity or above did.")
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path), help="Write it to a file, not the store.")
@click.pass_obj
def build(
    invocation: Invocation,
    /,
    *,
    paths: Sequence[str],
    archived: bool,
    days: int,
    regions: Sequence[str],
    all_events: bool,
    yes: bool,
    learn_all: bool,
    output: Path | None,
) -> None:
    """Learn what is usual, run all rules over it, and show their alerts: an intruder is not usual.

    Without --from and --archive it first reads 90 days of event history into the archive, at AWS's pace of 100
    events a second in each region. Stop it at any time: the next run goes on where it was.
    """
    from trailwatch import wiring

    if paths and archived:
        raise UsageError("--archive", "goes not together with --from", "leave one of them out")
    config = invocation.config()
    rules = wiring.load_ruleset(config, invocation.environment)
    if not rules.first_seen:
        raise UsageError("rules", "no loaded rule has a memory, so there is nothing to learn", "see docs/unusual.md")
    unread = 0
    if not paths:
        if not archived:
            from trailwatch.cli.baseline_history import fetch

            unread = fetch(invocation, config, rules, days, regions, all_events=all_events, yes=yes)
        folder = wiring.archive_path(config, invocation.environment)
        if not folder.exists():
            raise UsageError(str(folder), "there is no archive yet", "run without --archive, or use --from PATH")
        learned = _learn(config, rules, (str(folder),))._replace(since=_read_since(config, invocation.environment))
    else:
        learned = _learn(config, rules, paths)
    kept = _kept(learned, learn_all=learn_all)
    _write_alerts(learned.alerts)
    if output is not None:
        from trailwatch.store.baseline_file import heading_of, write_baseline

        write_baseline(output, kept.rows.values(), heading_of(learned.since, learned.until))
    else:
        with wiring.open_store(config, invocation.environment) as store:
            _teach(store, kept, learned)
    click.echo(_summary(learned, kept, output), err=True)
    sys.exit(3 if learned.tally.rejects or unread else 0)


@command.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.pass_obj
def export(invocation: Invocation, path: Path) -> None:
    """Write what the state file has learned to FILE, for `scan --baseline FILE`."""
    from trailwatch import wiring
    from trailwatch.clock import SystemClock
    from trailwatch.store.baseline_file import heading_of, write_baseline

    now = int(SystemClock().now().timestamp())
    with wiring.open_store(invocation.config(), invocation.environment) as store:
        rows = store.first_seen.everything()
        count = write_baseline(path, rows, heading_of(store.first_seen.learned(), now))
    click.echo(f"{path}: {count:,} combinations", err=True)


@command.command()
@click.pass_obj
def show(invocation: Invocation) -> None:
    """Show since when each account is known, and what each rule with a memory sees, knows and may say."""
    from trailwatch import wiring
    from trailwatch.cli import scan_output as out
    from trailwatch.cli.baseline_known import known_rows, since_lines
    from trailwatch.clock import SystemClock

    config = invocation.config()
    rules = wiring.load_ruleset(config, invocation.environment)
    with wiring.open_store(config, invocation.environment) as store:
        since, counts = store.first_seen.learned(), store.first_seen.counts()
    for line in since_lines(since):
        click.echo(line)
    today = int(SystemClock().now().timestamp())
    rows = known_rows(rules, since, counts, today, all_events=config.check.all_events)
    if rows:
        out.write_table(rows, {name: name for name in SHOWN_COLUMNS}, sys.stdout)
    if not since:
        click.echo("nothing was learned yet; run `trailwatch baseline build`", err=True)


class _Learned(NamedTuple):
    memory: ScanMemory
    matches: list[Match]
    alerts: list[Alert]
    tally: Tally
    since: dict[tuple[str, str], int]
    until: int


class _Kept(NamedTuple):
    rows: dict[int, Remembered]
    left_out: int
    """Combinations of callers that had severe alerts."""


def _learn(config: Config, rules: RuleSet, paths: Sequence[str]) -> _Learned:
    """Runs all rules over the files, in this process."""
    from functools import partial

    from trailwatch import wiring
    from trailwatch.cli.baseline_history import bar
    from trailwatch.cli.scan_batch import Job
    from trailwatch.cli.scan_files import FileBatches
    from trailwatch.cli.scan_memory import ScanMemory
    from trailwatch.cli.scan_pool import scan_files
    from trailwatch.cli.scan_state import ScanState
    from trailwatch.cli.scan_suppressions import ScanSuppressions
    from trailwatch.detect.triage import group
    from trailwatch.model.match import Found, Tally
    from trailwatch.sources.files import find_files

    engine = wiring.engine_of(rules, silent=True, tables=wiring.addresses_of(config))
    batches = FileBatches(find_files(paths))
    memory, tally = ScanMemory(rules, learning=True), Tally()
    matches: dict[tuple[str, str, str], Match] = {}
    with bar("learning", sum(batches.sizes)) as advance, ScanState(rules) as state:
        job = Job(partial(wiring.engine_of, rules, silent=True))
        for found in scan_files(batches, job, engine, workers=1, progress=advance):
            memory.take(found)
            state.take(found)
            for match in found.matches:
                matches.setdefault((match.rule.id, match.account, match.event_id), match)
            tally.add(found.tally)
        lineage = state.lineage()
        new = memory.conclude(lineage.actor_at)
        state.take(Found(signals=memory.new_signals(lineage.actor_at)))
        _, correlated = state.conclude(ScanSuppressions())
        single = [*matches.values(), *new]
        alerts = lineage.of_alerts(
            sorted([*group(single), *correlated], key=lambda alert: (alert.first_time, alert.id))
        )
    latest = max((row.seen.last for row in memory.state.rows.values()), default=0)
    return _Learned(memory, single, alerts, tally, memory.state.learned(), (latest + 1) * 86400 - 1)


def _kept(learned: _Learned, *, learn_all: bool) -> _Kept:
    """What is learned: all but what callers with severe alerts of other rules did, from the same address."""
    from trailwatch.model.severity import Severity

    rows = learned.memory.state.rows
    if learn_all:
        return _Kept(rows, 0)
    flagged = {
        (one.account, one.principal, one.source_ip)
        for one in learned.matches
        if one.rule.alerting and one.rule.severity >= Severity.HIGH
    }
    gone = learned.memory.seen_only_from(flagged)
    return _Kept({number: row for number, row in rows.items() if number not in gone}, len(gone))


def _teach(store: Store, kept: _Kept, learned: _Learned) -> None:
    from trailwatch.store.baseline_file import Baseline, heading_of

    with store.transaction():
        Baseline(heading_of(learned.since, learned.until), kept.rows).teach(store.first_seen)


def _read_since(config: Config, environment: Mapping[str, str]) -> dict[tuple[str, str], int]:
    """From when on the archive holds everything that a look-up shows."""
    from trailwatch import wiring
    from trailwatch.store.known import known_since

    with wiring.open_store(config, environment) as store:
        return known_since(store.database)


def _write_alerts(alerts: Sequence[Alert]) -> None:
    from trailwatch.cli import scan_output as out

    if alerts:
        out.write_table([out.alert_row(alert) for alert in alerts], out.ALERT_COLUMNS, sys.stdout)


def _summary(learned: _Learned, kept: _Kept, output: Path | None) -> str:
    from trailwatch.cli.baseline_known import since_lines

    parts = [
        f"{learned.tally.events:,} events: {len(kept.rows):,} combinations learned {f'in {output}' if output else ''}"
    ]
    parts.append(f"{len(learned.alerts):,} alerts, look at them")
    if kept.left_out:
        parts.append(f"{kept.left_out:,} combinations not learned, because their callers have severe alerts")
    return "; ".join([*(part.strip() for part in parts), *(since_lines(learned.since) or ["no account"])])
