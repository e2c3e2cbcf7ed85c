"""`trailwatch check`, also `trailwatch -c`: one cycle over every region, made for a cron line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from trailwatch.cli.main import Invocation
from trailwatch.errors import UsageError

if TYPE_CHECKING:
    from trailwatch.config.schema import Config
    from trailwatch.service.assembly import Assembly
    from trailwatch.service.report import CycleReport


@click.command()
@click.option("--lookback", metavar="DURATION", help="How far back to read at least, such as 5m or 6h.")
@click.option("--all-events", is_flag=True, default=None, help="Poll read-only events too.")
@click.option("--region", "regions", multiple=True, help="Read only this region; repeatable.")
@click.option("--plan", "show_plan", is_flag=True, help="Show which calls are looked up by name, and end.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "jsonl"]),
    help="Alerts to stdout in this form, nothing else there.",
)
@click.pass_obj
def command(
    invocation: Invocation,
    lookback: str | None,
    all_events: bool | None,
    regions: tuple[str, ...],
    show_plan: bool,
    form: str | None,
) -> None:
    """Read event history once, in every enabled region, and tell what matters.

    Without a terminal it writes one line to stdout, for a log; to stderr it writes only what a person must act on.
    """
    from trailwatch import wiring
    from trailwatch.service.assembly import assemble

    config = invocation.config({"check.all_events": True} if all_events else {})
    reach_back = _seconds(lookback)
    on_terminal = sys.stdout.isatty() and form is None
    stream = sys.stdout if on_terminal else sys.stderr
    with wiring.open_store(config, invocation.environment) as store:
        assembly = assemble(config, invocation.environment, store, stream)
        if show_plan:
            from trailwatch.cli.plan_output import write_plan

            write_plan(assembly, regions)
            return
        report = assembly.cycle(regions=regions, reach_back=reach_back).run()
    skipped = [*skipped_rules(assembly), *wiring.tables_of(config).missing()]
    report.problems.extend(skipped)
    report.problems.extend(assembly.suppressions.complaints())
    _write(report, assembly, form, on_terminal=on_terminal)
    sys.exit(report.exit_code or (3 if skipped else 0))


def skipped_rules(assembly: Assembly) -> list[str]:
    """What the summary says about rules that could not be loaded."""
    broken = sum(problem.error for problem in assembly.ruleset.problems)
    return [f"{broken} rule(s) not loaded, see `trailwatch config check`"] if broken else []


def tell_failures(report: CycleReport) -> None:
    """Says on stderr what is lost unless a person acts."""
    from trailwatch.service.report import duration

    for name, seconds in report.overdue.items():
        why = report.errors.get(name, "see trailwatch status")
        click.echo(
            f"error: {name}: alerts could not be delivered for {duration(seconds)}: {why}; "
            "correct [[notify]] or its server, they are tried again",
            err=True,
        )
    if report.dead:
        click.echo(
            f"error: outbox: {report.dead} message(s) could not be delivered and were given up: "
            f"{'; '.join(report.errors.values()) or 'see trailwatch status'}; correct [[notify]]",
            err=True,
        )


def _write(report: CycleReport, assembly: Assembly, form: str | None, *, on_terminal: bool) -> None:
    if form is not None:
        from trailwatch.cli import scan_output

        rows = [scan_output.alert_row(alert) for alert in report.alerts]
        if form == "jsonl":
            scan_output.write_jsonl(rows, sys.stdout)
        else:
            scan_output.write_table(rows, scan_output.ALERT_COLUMNS, sys.stdout)
    elif on_terminal:
        _write_untold(report, assembly.config)
    for region in report.unread if on_terminal or form else ():
        click.echo(f"error: {region.error}", err=True)
    tell_failures(report)
    click.echo(report.line(), err=form is not None)


def _write_untold(report: CycleReport, config: Config) -> None:
    """Shows the alerts that no console notifier has written to this terminal already."""
    from trailwatch import wiring
    from trailwatch.config.notifiers import Console
    from trailwatch.detect.routing import AT_ONCE
    from trailwatch.detect.telling import messages_of
    from trailwatch.notify.console import ConsoleNotifier

    routing = wiring.routing_of(config)
    shown = [outlet.name for outlet in wiring.notify_settings(config) if isinstance(outlet, Console)]
    untold = [
        alert for alert in report.alerts if not any(routing.places(alert).get(name) == AT_ONCE for name in shown)
    ]
    terminal = ConsoleNotifier("terminal", sys.stdout, wiring.zone_of(config))
    for message in messages_of(untold, int(report.started.timestamp())):
        terminal.send(message)


def _seconds(lookback: str | None) -> int:
    from trailwatch.config.units import parse_duration

    if lookback is None:
        return 0
    try:
        seconds = parse_duration(lookback)
    except ValueError as error:
        raise UsageError("--lookback", str(error), "write it so") from error
    if not seconds:
        raise UsageError("--lookback", "must be more than 0", "leave it out for the configured one")
    return int(seconds)
