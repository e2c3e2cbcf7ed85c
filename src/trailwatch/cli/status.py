"""`trailwatch status`: whether it looks, how far it is, and whether what it says arrives."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from trailwatch.cli.main import Invocation

if TYPE_CHECKING:
    from trailwatch.config.schema import Config
    from trailwatch.store.coverage import Lookup
    from trailwatch.store.cycles import CycleRow
    from trailwatch.store.store import Store

TOO_OLD_SECONDS = 600


@click.command()
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print."
)
@click.pass_obj
def command(invocation: Invocation, form: str) -> None:
    """Last good cycle, coverage, lag and outbox; exit 1 when the last good cycle is older than 10 minutes."""
    import msgspec

    from trailwatch import wiring
    from trailwatch.clock import SystemClock
    from trailwatch.service.trouble import reasons

    config = invocation.config()
    path = wiring.state_path(config, invocation.environment)
    now = SystemClock().now()
    if not path.exists():
        status, cannot_read = _never(str(path)), []
    else:
        with wiring.open_store(config, invocation.environment) as store:
            status = status_of(store, config, now)
            cannot_read = reasons(store.regions.troubles(), int(now.timestamp()))
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(status)))
    else:
        click.echo("\n".join(_lines(status, cannot_read)))
    sys.exit(0 if status["healthy"] else 1)


def status_of(store: Store, config: Config, now: datetime) -> dict[str, Any]:
    """What `--format json` prints; times are ISO 8601, spans are seconds."""
    seconds = int(now.timestamp())
    good = store.cycles.last_good()
    age = None if good is None else max(0, int(seconds - (good.finished or good.started)))
    lookups = store.coverage.lookups().values()
    oldest = seconds - int(config.check.history)
    polled = [one for one in lookups if one.key.lookup in ("ReadOnly=false", "*")]
    planned = [one for one in lookups if one.key.lookup.startswith("EventName=")]
    return {
        **_never(store.database.path),
        "healthy": age is not None and age <= TOO_OLD_SECONDS,
        "last_good_cycle": _cycle(good),
        "last_good_age_seconds": age,
        "last_cycle": _cycle(store.cycles.last()),
        "running": _cycle(store.cycles.running()),
        "regions": [_region(one, seconds, oldest) for one in sorted(polled, key=lambda one: one.key)],
        "planned_lookups": _planned(planned, seconds, oldest),
        "troubles": [
            {
                "account": one.account,
                "region": one.region,
                "kind": one.kind,
                "error": one.what,
                "since": _time(one.since),
            }
            for one in store.regions.troubles()
        ],
        "outbox": {state.value: count for state, count in store.outbox.counts().items()},
        "silent_notifiers": [
            {"notifier": one.notifier, "since": _time(one.since), "error": one.what}
            for one in store.conversations.troubles()
        ],
    }


def _never(path: str) -> dict[str, Any]:
    from trailwatch.version import __version__

    return {
        "version": __version__,
        "state_file": path,
        "healthy": False,
        "last_good_cycle": None,
        "last_good_age_seconds": None,
        "last_cycle": None,
        "running": None,
        "regions": [],
        "planned_lookups": {"names": 0, "oldest_seconds": 0, "gap_seconds": 0},
        "troubles": [],
        "outbox": {},
        "silent_notifiers": [],
    }


def _cycle(row: CycleRow | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "started": _time(row.started),
        "finished": None if row.finished is None else _time(row.finished),
        "outcome": row.outcome,
        "summary": row.summary,
        "process": row.process,
    }


def _region(lookup: Lookup, now: int, oldest: int) -> dict[str, Any]:
    gaps = lookup.gaps(oldest)
    begins = next((gap.start for gap in gaps), lookup.end)
    return {
        "account": lookup.key.account,
        "region": lookup.key.region,
        "lookup": lookup.key.lookup,
        "since": _time(lookup.since),
        "read_until": _time(lookup.end) if lookup.asked else None,
        "lag_seconds": max(0, now - begins),
        "gap_seconds": gaps.seconds,
        "gaps": len(gaps),
    }


def _planned(lookups: list[Lookup], now: int, oldest: int) -> dict[str, int]:
    return {
        "names": len({one.key.lookup for one in lookups}),
        "oldest_seconds": max((now - one.end for one in lookups), default=0),
        "gap_seconds": sum(one.gaps(oldest).seconds for one in lookups),
    }


def _lines(status: dict[str, Any], reasons: Sequence[str]) -> list[str]:
    from trailwatch.model.inert import for_terminal
    from trailwatch.service.report import duration

    good, age = status["last_good_cycle"], status["last_good_age_seconds"]
    last = "never" if good is None else f"{good['finished']}, {duration(age)} ago"
    lines = [
        f"trailwatch {status['version']}, state {status['state_file']}",
        f"last good cycle: {last}" + ("" if status["healthy"] else "  TOO OLD: is cron running?"),
    ]
    if status["last_cycle"]:
        last_cycle = status["last_cycle"]
        lines.append(f"last cycle:      {last_cycle['summary'] or last_cycle['outcome']}")
    if status["running"]:
        run = status["running"]
        state = "running:         since" if _is_alive(run["process"]) else "killed:          the run of"
        lines.append(f"{state} {run['started']}, process {run['process']}")
    for region in status["regions"]:
        gaps = f", {region['gaps']} gap(s) of {duration(region['gap_seconds'])}" if region["gaps"] else ""
        lines.append(
            f"coverage:        {region['account']}/{region['region']} {region['lookup']} "
            f"until {region['read_until']}, lag {duration(region['lag_seconds'])}{gaps}"
        )
    planned = status["planned_lookups"]
    lines.append(f"by name:         {planned['names']} names, oldest {duration(planned['oldest_seconds'])}")
    lines.extend(f"cannot read:     {reason}" for reason in reasons)
    outbox = ", ".join(f"{count} {state}" for state, count in status["outbox"].items()) or "empty"
    silent = [
        f"does not deliver: {one['notifier']} since {one['since']}: {one['error']}"
        for one in status["silent_notifiers"]
    ]
    return [*lines, f"outbox:          {outbox}", *map(for_terminal, silent)]


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's, and there
    return True
