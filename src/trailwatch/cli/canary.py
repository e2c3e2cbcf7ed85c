"""`trailwatch canary`: how long it takes from a call until trailwatch has seen its event, and a call by hand."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from trailwatch.cli.alert_choice import opened_store
from trailwatch.cli.main import Invocation

if TYPE_CHECKING:
    from trailwatch.store.canaries import Flights

SKIPPED = 3
COLUMNS = {
    "account": "account",
    "region": "region",
    "sent": "sent",
    "back": "back",
    "half within": "p50",
    "95% within": "p95",
    "slowest": "slowest",
    "awaited": "awaited",
    "lost": "lost",
    "last sent": "last_sent",
    "last back": "last_back",
}


@click.group(invoke_without_command=True)
@click.option(
    "--since", default="30d", show_default=True, metavar="TIME", help="Calls from then on: a time, or how long ago."
)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print."
)
@click.pass_context
def command(context: click.Context, since: str, form: str) -> None:
    """Show, for each region, how long it took from a harmless call until trailwatch had seen its event.

    Exit 3 when the newest call of a region did not come back in time.
    """
    if context.invoked_subcommand is not None:
        return
    from trailwatch.cli.times import moment
    from trailwatch.service.canary import overdue

    invocation: Invocation = context.obj
    now = datetime.now(UTC)
    begin, seconds = int(moment(since, "--since", now).timestamp()), int(now.timestamp())
    within = int(invocation.config().canary.within)
    with opened_store(invocation) as store:
        flights = store.canaries.flights(begin)
        awaited = store.canaries.awaited().values()
        missing = overdue(store, within, seconds)
    lost = Counter(
        (one.account, one.region) for one in awaited if one.called >= begin and seconds - one.called > within
    )
    rows = [_row(one, lost[one.account, one.region]) for one in flights]
    _write(rows, form)
    sys.exit(SKIPPED if missing else 0)


@command.command()
@click.option("--region", "regions", multiple=True, help="Only in this region; repeatable.")
@click.pass_obj
def send(invocation: Invocation, regions: tuple[str, ...]) -> None:
    """Make the call now in each region; `check` or `watch` sees its event when AWS shows it.

    The call asks to remove a tag from a trail that does not exist, so it is refused, changes nothing and costs
    nothing. It needs no permission.
    """
    from trailwatch.aws import accesses
    from trailwatch.clock import SystemClock
    from trailwatch.errors import SourceError
    from trailwatch.service.canary import Flock
    from trailwatch.service.places import account_and_regions
    from trailwatch.service.tasks import Place

    config, clock, failed = invocation.config(), SystemClock(), 0
    with opened_store(invocation) as store:
        flock = Flock(store, clock)
        for access in accesses(config.account):
            try:
                now = int(clock.now().timestamp())
                account, chosen = account_and_regions(access, store.regions, config.check, regions, now)
                flock.fly(access, [Place(account, region) for region in chosen])
            except SourceError as error:
                click.echo(f"error: {error}", err=True)
                failed += 1
        for place, why in sorted(flock.landed()):
            click.echo(f"{place.account}/{place.region}: {'not sent: ' + why if why else 'sent'}", err=bool(why))
            failed += bool(why)
    sys.exit(SKIPPED if failed else 0)


def _row(flights: Flights, lost: int) -> dict[str, Any]:
    from trailwatch.cli.scan_output import iso
    from trailwatch.service.canary import percentile

    seconds = flights.seconds
    return {
        "account": flights.account,
        "region": flights.region,
        "sent": flights.made - flights.failed,
        "not_sent": flights.failed,
        "back": len(seconds),
        "awaited": flights.awaited - lost,
        "lost": lost,
        "p50_seconds": percentile(seconds, 50) if seconds else None,
        "p95_seconds": percentile(seconds, 95) if seconds else None,
        "slowest_seconds": seconds[-1] if seconds else None,
        "last_sent": iso(flights.last_called),
        "last_back": iso(flights.last_returned) if flights.last_returned else None,
    }


def _write(rows: list[dict[str, Any]], form: str) -> None:
    if form == "json":
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(rows)))
    elif rows:
        from trailwatch.cli.scan_output import write_table
        from trailwatch.service.report import duration

        for row in rows:
            for name in ("p50", "p95", "slowest"):
                value = row[f"{name}_seconds"]
                row[name] = "" if value is None else duration(value)
            row["last_back"] = row["last_back"] or ""
        write_table(rows, COLUMNS, sys.stdout)
    else:
        click.echo(
            "no canary was sent; `trailwatch canary send` sends one, [canary] every sends them by itself", err=True
        )
