"""`trailwatch events`: look at events, as people do with jq: live, in files or in the archive."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from trailwatch.cli.main import Invocation
from trailwatch.errors import SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trailwatch.aws import Access
    from trailwatch.cli.event_choice import Choice, Newest
    from trailwatch.config.schema import Config
    from trailwatch.model.event import Event
    from trailwatch.ports import Delivery

COLUMNS = {
    "time": "time",
    "event": "event_name",
    "source": "event_source",
    "who": "actor",
    "from": "source_ip",
    "region": "region",
    "error": "error_code",
    "id": "event_id",
}
_SKIPPED = 3
_HISTORY = "90d"
_LIVE_DEFAULT = "1d"
_COMPLAINTS_SHOWN = 10


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--archive", is_flag=True, help="Look into what was polled before, not at AWS.")
@click.option("--name", default="", help="Event name, such as CreateUser.")
@click.option("--user", default="", help="User, role or role session name.")
@click.option("--key", default="", help="Access key id that made the call.")
@click.option("--resource", default="", help="Name of a resource that the event is about.")
@click.option(
    "--region", "regions", multiple=True, help="Only there; may be repeated. Default: all that are enabled."
)
@click.option("--account", default="", help="Only this [[account]] of the configuration, for live look-ups.")
@click.option(
    "--since", metavar="TIME", help="From then on: 2026-01-31T00:00:00Z, 7d. Default for live look-ups: 1d."
)
@click.option("--until", metavar="TIME", help="Before then.")
@click.option(
    "--limit", type=click.IntRange(0), default=100, show_default=True, help="The newest so many; 0 for all."
)
@click.option("--event-id", default="", help="Show this one event in full.")
@click.option("--format", "form", type=click.Choice(["table", "jsonl"]), default="table", help="How to print.")
@click.pass_obj
def command(
    invocation: Invocation,
    /,
    *,
    paths: Sequence[str],
    archive: bool,
    account: str,
    limit: int,
    form: str,
    since: str | None,
    until: str | None,
    **asked: Any,
) -> None:
    """Look at events: at AWS (LookupEvents, 90 days), in files and folders (PATH, - for stdin), or in the archive.

    AWS looks up by one attribute; everything else that is asked for is judged here. Events come oldest first,
    secrets masked. Exits with 3 when a region or a record could not be read.
    """
    from trailwatch.cli.event_choice import Choice, Newest, chosen
    from trailwatch.cli.times import seconds
    from trailwatch.clock import SystemClock

    if archive and paths:
        raise UsageError("--archive", "both a path and the archive are asked for", "name one of them")
    now = SystemClock().now()
    config = invocation.config()
    live = not archive and not paths
    if since is None and live:
        since = _HISTORY if asked["event_id"] else _LIVE_DEFAULT
    asked["regions"] = tuple(asked["regions"])
    choice = Choice(since=seconds(since, "--since", now), until=seconds(until, "--until", now), **asked)
    newest = Newest(limit)
    if live:
        complaints = _live(config, account, choice, newest, limit)
    else:
        complaints = chosen(_stored(invocation, config, paths, choice), choice, newest)
    _print(newest, choice, form, limit)
    _tell(complaints)
    sys.exit(_SKIPPED if complaints else 0)


def _stored(invocation: Invocation, config: Config, paths: Sequence[str], choice: Choice) -> Iterator[Delivery]:
    if paths:
        from trailwatch.sources.files import deliveries

        return deliveries(paths, sys.stdin.buffer)
    from trailwatch.archive import Archive
    from trailwatch.wiring import archive_path

    return Archive(archive_path(config, invocation.environment)).read(choice.since, choice.until)


def _live(config: Config, name: str, choice: Choice, newest: Newest, limit: int) -> list[str]:
    from trailwatch.aws import accesses
    from trailwatch.cli.event_choice import look_up_live
    from trailwatch.clock import SystemClock

    accounts = [account for account in config.account if name in {"", account.name}]
    if name and not accounts:
        known = ", ".join(account.name for account in config.account) or "none"
        raise UsageError("--account", f"no [[account]] is called {name!r}, known are: {known}", "correct the option")
    complaints: list[str] = []
    for access in accesses(accounts):
        try:
            regions = choice.regions or _regions(access, config)
            complaints += look_up_live(
                access, regions, choice, newest, clock=SystemClock(), pace=config.check.pace, limit=limit
            )
        except SourceError as error:
            complaints.append(str(error))
    return complaints


def _regions(access: Access, config: Config) -> Sequence[str]:
    return access.account.regions or config.check.regions or access.ask_regions()


def _print(newest: Newest, choice: Choice, form: str, limit: int) -> None:
    from trailwatch.cli.scan_output import write_jsonl, write_table
    from trailwatch.model.secrets import masked

    events = newest.oldest_first()
    if choice.event_id:
        if not events:
            raise SourceError(
                "events", f"no event {choice.event_id!r} was found", "widen --since, or name a --region"
            )
        _print_whole(events[-1])
    elif form == "jsonl":
        write_jsonl((masked(dict(event)) for event in events), sys.stdout)
    elif events:
        write_table([_row(event) for event in events], COLUMNS, sys.stdout)
    else:
        click.echo("no events", err=True)
    if limit and newest.count > limit:
        click.echo(f"{limit:,} of {newest.count:,} events that were read; --limit 0 shows all", err=True)


def _print_whole(event: Event) -> None:
    import json

    from trailwatch.model.secrets import masked

    click.echo(json.dumps(masked(dict(event)), indent=2))


def _row(event: Event) -> Mapping[str, Any]:
    from trailwatch.cli.scan_output import iso

    return {
        "time": iso(int(event.time.timestamp())),
        "event_name": event.name,
        "event_source": event.source,
        "actor": str(event.principal),
        "source_ip": event.source_ip,
        "region": event.region,
        "error_code": event.error_code,
        "event_id": event.event_id,
    }


def _tell(complaints: Sequence[str]) -> None:
    from trailwatch.model.inert import for_terminal

    for complaint in complaints[:_COMPLAINTS_SHOWN]:
        click.echo(for_terminal(complaint), err=True)
    if len(complaints) > _COMPLAINTS_SHOWN:
        click.echo(f"... and {len(complaints) - _COMPLAINTS_SHOWN:,} more that could not be read", err=True)
