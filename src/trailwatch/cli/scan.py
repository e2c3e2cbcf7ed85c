"""`trailwatch scan`: the rules over log files, folders or standard input; no AWS, no state."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import click

from trailwatch.cli import rule_options
from trailwatch.cli.main import Invocation
from trailwatch.cli.scan_summary import Result, Wanted, complaints, level_met, opened, summary, write_stats
from trailwatch.model.severity import Severity

if TYPE_CHECKING:
    from trailwatch.cli.scan_batch import Job, Progress
    from trailwatch.cli.scan_files import FileBatches
    from trailwatch.cli.scan_memory import ScanMemory
    from trailwatch.cli.scan_suppressions import ScanSuppressions
    from trailwatch.config.schema import Config
    from trailwatch.detect.engine import Engine
    from trailwatch.model.alert import Alert
    from trailwatch.model.match import Match
    from trailwatch.ports import AddressBook
    from trailwatch.rules.rule import RuleSet

SKIPPED = 3
"""Exit code: done, but something was skipped."""
LEVEL_MET = 10
"""Exit code: done, and `--fail-on` found what it looks for."""
_LEVELS = click.Choice([level.value for level in Severity])


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--show", type=click.Choice(["alerts", "matches", "incidents"]), default="alerts", help="What to print."
)
@click.option("--format", "form", type=click.Choice(["table", "jsonl", "csv"]), default="table", help="How to print.")
@click.option("--output", metavar="FILE", help="Write the result there instead of to standard output.")
@click.option("--min-severity", "least", type=_LEVELS, default="informational", help="Show nothing below it.")
@click.option("--since", metavar="TIME", help="Only events from then on: 2026-01-31T00:00:00Z, 7d.")
@click.option("--until", metavar="TIME", help="Only events before then.")
@rule_options.dirs
@click.option("--only", multiple=True, metavar="RULE_ID", help="Run only this rule; may be repeated.")
@click.option("--profile", type=click.Choice(["core", "standard"]), help="Which of the shipped rules.")
@rule_options.pipelines
@click.option(
    "--suppressions",
    "places",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A file or folder of suppressions instead of the configured ones; may be repeated.",
)
@click.option("--no-suppressions", "unsuppressed", is_flag=True, help="Hide nothing.")
@click.option(
    "--baseline",
    "learned",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What rules with a memory know before the first event; from `baseline export`.",
)
@click.option("--learn-until", metavar="TIME", help="Rules with a memory learn in silence until then, then speak.")
@click.option("--workers", type=click.IntRange(1), help="Processes; default: one for each core.")
@click.option("--fail-on", type=_LEVELS, help="Exit with 10 when there is an alert of this severity or above.")
@click.option("--profile-rules", "clocked", is_flag=True, help="Tell where the time goes; in one process.")
@click.option("--stats-json", "stats", metavar="FILE", help="Write the counters there.")
@click.pass_obj
def command(
    invocation: Invocation,
    /,
    *,
    paths: Sequence[str],
    since: str | None,
    until: str | None,
    dirs: Sequence[Path],
    only: Sequence[str],
    profile: str | None,
    pipelines: Sequence[Path],
    places: Sequence[Path],
    unsuppressed: bool,
    learned: Path | None,
    learn_until: str | None,
    workers: int | None,
    clocked: bool,
    least: str,
    fail_on: str | None,
    **output: Any,
) -> None:
    """Run the rules over log files, folders, or standard input (-).

    Reads trail files, JSON arrays and lines, EventBridge events, lookup-events output and CloudWatch Logs exports,
    gzipped or not. Exits with 3 when something could not be read.
    """
    from trailwatch import wiring
    from trailwatch.cli.scan_batch import Job, end_without_collector, rest_the_collector
    from trailwatch.cli.scan_files import FileBatches
    from trailwatch.cli.scan_pool import cores
    from trailwatch.cli.scan_suppressions import scan_suppressions
    from trailwatch.cli.times import seconds
    from trailwatch.clock import SystemClock
    from trailwatch.detect.profile import Profile, rows_of
    from trailwatch.model.inert import for_terminal
    from trailwatch.sources.files import STDIN, find_files

    rest_the_collector()  # also while rules are loaded; and once more when they are, so that it never looks at them
    started, now = time.perf_counter(), SystemClock().now()
    wanted = Wanted(least=Severity(least), fail_on=Severity(fail_on) if fail_on else None, **output)
    config = invocation.config()
    rules = partial(_load, config, dict(invocation.environment), dirs, only, profile, pipelines)
    ruleset = rules()
    silent, gathered = wanted.show != "matches", STDIN not in paths  # records are read again, which a stream is not
    book = wiring.addresses_of(config)
    memory = _memory(ruleset, learned, seconds(learn_until, "--learn-until", now), book)
    job = Job(
        partial(_engine, rules, config, silent=silent, gathered=gathered),
        seconds(since, "--since", now),
        seconds(until, "--until", now),
    )
    batches = FileBatches(find_files(paths))
    suppressions = scan_suppressions(config, invocation.environment, places, unsuppressed=unsuppressed)
    with opened(wanted.output) as stream:
        processes = 1 if clocked else workers or cores()
        clock = Profile() if clocked else None
        engine = wiring.engine_of(ruleset, silent=silent, tables=book, gathered=gathered, profile=clock)
        result = _scan(batches, job, engine, ruleset, memory, suppressions, processes, shown=wanted.show)
        alerts = _write(result, wanted, stream)
    took = time.perf_counter() - started
    if clock is not None:
        click.echo("\n".join(rows_of(clock)), err=True)
    if wanted.stats:
        write_stats(wanted, result, alerts, took, processes)
    unread = [for_terminal(f"warning: {text}") for text in wiring.tables_of(config).problems()]
    for line in (*complaints(result, ruleset), *unread, *suppressions.complaints()):
        click.echo(line, err=True)
    click.echo(summary(result, batches.files, alerts, took), err=True)
    end_without_collector()
    problems = (*ruleset.problems, *suppressions.problems)
    skipped = result.rejects or result.failures or unread or any(problem.error for problem in problems)
    sys.exit(LEVEL_MET if level_met(result, wanted) else SKIPPED if skipped else 0)


def _load(
    config: Config,
    environment: Mapping[str, str],
    dirs: Sequence[Path],
    only: Sequence[str],
    profile: str | None,
    pipelines: Sequence[Path],
) -> RuleSet:
    from trailwatch import wiring

    return wiring.load_ruleset(config, environment, dirs=dirs, only=only, profile=profile, pipelines=pipelines)


def _engine(rules: Callable[[], RuleSet], config: Config, *, silent: bool, gathered: bool) -> Engine:
    from trailwatch import wiring

    return wiring.engine_of(rules(), silent=silent, tables=wiring.addresses_of(config), gathered=gathered)


def _memory(rules: RuleSet, learned: Path | None, learn_until: int | None, book: AddressBook) -> ScanMemory:
    from trailwatch.cli.scan_memory import ScanMemory
    from trailwatch.detect.first_seen import number_of_row
    from trailwatch.store.baseline_file import read_baseline

    return ScanMemory(rules, read_baseline(learned, number_of_row) if learned else None, learn_until, book)


def _scan(
    batches: FileBatches,
    job: Job,
    engine: Engine,
    rules: RuleSet,
    memory: ScanMemory,
    suppressions: ScanSuppressions,
    workers: int,
    *,
    shown: str,
) -> Result:
    from trailwatch.cli.scan_batch import give_memory_back, rest_the_collector
    from trailwatch.cli.scan_matches import MANY, MatchSpool
    from trailwatch.cli.scan_pool import scan_files
    from trailwatch.cli.scan_records import with_records
    from trailwatch.cli.scan_state import ScanState
    from trailwatch.model.match import Found, Tally, in_order

    rest_the_collector()
    result = Result([], [], [], [], [], Tally())
    with _progress(sum(batches.sizes)) as progress, ScanState(rules) as state, MatchSpool() as kept:
        stdin: BinaryIO = sys.stdin.buffer
        for found in scan_files(batches, job, engine, workers=workers, stdin=stdin, progress=progress):
            memory.take(found)
            state.take(found)
            kept.take(found)
            result.rejects.extend(found.rejects)
            result.failures.extend(found.failures)
            result.tally.add(found.tally)
        if len(kept) >= MANY:
            give_memory_back()
        lineage = state.lineage()
        new = memory.conclude(lineage.actor_at, partial(with_records, files=batches.each()), state)
        state.take(Found(signals=memory.new_signals(lineage.actor_at)))
        single = suppressions.of_matches([*_once(in_order(kept.all())), *new], lineage.actor_at)
        matches, correlated = state.conclude(suppressions)
        alerts = lineage.of_alerts(_alerts_of(single, correlated))
        incidents = lineage.incidents(alerts) if shown == "incidents" else []
        matches = [*single, *matches]
        if shown == "matches":
            matches = [lineage.of_match(match) for match in matches]
    result.tally.unkeyed += state.unkeyed
    result.tally.suppressed, result.tally.lapsed = len(suppressions.hidden), suppressions.lapsed
    return result._replace(matches=matches, alerts=alerts, incidents=incidents)


def _alerts_of(single: Sequence[Match], correlated: Sequence[Alert]) -> list[Alert]:
    from trailwatch.detect.triage import group

    return sorted([*group(single), *correlated], key=lambda alert: (alert.first_time, alert.id))


def _once(matches: Sequence[Match]) -> list[Match]:
    """The first match of each rule and event: files may hold the same events, in a trail's copies of itself."""
    seen: dict[tuple[str, str, str], Match] = {}
    for match in matches:
        seen.setdefault((match.rule.id, match.account, match.event_id), match)
    return list(seen.values())


def _write(result: Result, wanted: Wanted, stream: TextIO) -> list[Alert]:
    """Writes what is wanted; all alerts of the wanted severity come back."""
    from trailwatch.cli import scan_output as out

    alerts = [alert for alert in result.alerts if alert.severity >= wanted.least]
    rows: Iterator[out.Row]  # one after the other: all together can be more than everything else
    fields: Sequence[str]
    if wanted.show == "alerts":
        rows, columns, fields = map(out.alert_row, alerts), out.ALERT_COLUMNS, out.ALERT_FIELDS
    elif wanted.show == "incidents":
        from trailwatch.cli.incident_output import COLUMNS, FIELDS, incident_row

        found = [one for one in result.incidents if one.severity >= wanted.least]
        rows, columns, fields = map(incident_row, found), COLUMNS, FIELDS
    else:
        shown = [match for match in result.matches if match.rule.severity >= wanted.least]
        rows, columns, fields = map(out.match_row, shown), out.MATCH_COLUMNS, out.MATCH_FIELDS
    if wanted.form == "jsonl":
        out.write_jsonl(rows, stream)
    elif wanted.form == "csv":
        out.write_csv(rows, fields, stream)
    elif listed := list(rows):
        out.write_table(listed, columns, stream)
    return alerts


@contextmanager
def _progress(total: int) -> Iterator[Progress]:
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
    with bar:  # without a thread of its own: worker processes are forked while it is on
        task = bar.add_task("scan", total=total)

        def advance(done: int) -> None:
            bar.advance(task, done)
            bar.refresh()

        yield advance
