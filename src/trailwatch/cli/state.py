"""`trailwatch state`: how large the state file and the archive are, how old, and what leaves when."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from trailwatch.cli.alert_choice import opened_store
from trailwatch.cli.main import Invocation

if TYPE_CHECKING:
    from trailwatch.config.schema import Config
    from trailwatch.store.kept import Kept
    from trailwatch.store.stats import Sizes
    from trailwatch.store.store import Retention, Store

COLUMNS = {"table": "table", "rows": "rows", "bytes": "bytes", "oldest": "oldest", "kept for": "kept"}
PRUNED_COLUMNS = {"table": "table", "rows left": "removed", "rows": "rows", "bytes": "bytes"}
ARCHIVE = "(archive)"
FILE = "(state file)"
_FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "jsonl"]), default="table", help="How to print."
)


@click.group()
def command() -> None:
    """The state file and the archive: how large, how old, and what leaves when."""


@command.command()
@_FORMAT
@click.pass_obj
def stats(invocation: Invocation, form: str) -> None:
    """Show rows, bytes, the oldest entry and how long entries stay, for each table and for the archive."""
    config = invocation.config()
    with opened_store(invocation) as store:
        from trailwatch.store.stats import sizes_of

        sizes = sizes_of(store.database)
    rows = [*_tables(sizes, config), _file(sizes), _archive(invocation, config)]
    _print(rows, COLUMNS, form)


@command.command()
@click.option("--compact", is_flag=True, help="Give the room back to the disk; cycles wait while it runs.")
@_FORMAT
@click.pass_obj
def prune(invocation: Invocation, compact: bool, form: str) -> None:
    """Forget now what every cycle forgets: entries and archived hours that are past their time."""
    from trailwatch import wiring
    from trailwatch.store import stats as store_stats

    config, now = invocation.config(), int(datetime.now(UTC).timestamp())
    with opened_store(invocation) as store:
        before = {table.name: table.rows for table in store_stats.sizes_of(store.database).tables}
        store.prune(now, _safe(wiring.retention_of(config), store, config, now))
        if compact:
            store_stats.compact(store.database)
        sizes = store_stats.sizes_of(store.database)
    removed = wiring.prune_archive(config, invocation.environment, now)
    rows = [{**row, "removed": before.get(row["table"], 0) - row["rows"]} for row in _tables(sizes, config)]
    rows = [*(row for row in rows if row["removed"]), {**_file(sizes), "removed": ""}]
    rows.append({**_archive(invocation, config), "removed": removed.files})
    _print(rows, PRUNED_COLUMNS, form)
    if sizes.free and not compact:
        click.echo(f"{sizes.free:,} bytes in the file are free; --compact gives them back to the disk", err=True)


def _safe(retention: Retention, store: Store, config: Config, now: int) -> Retention:
    """The same, but nothing leaves that a stretch which is still to be read may need, as in a cycle."""
    import msgspec

    oldest = min((one.end for one in store.coverage.lookups().values()), default=now)
    behind = min(now - oldest, int(config.check.history)) + int(config.check.overlap)
    keep = max(behind, int(config.check.sweep) + 3600)
    return msgspec.structs.replace(retention, seen=max(keep, retention.seen), signals=max(keep, retention.signals))


def _print(rows: list[dict[str, Any]], columns: Mapping[str, str], form: str) -> None:
    from trailwatch.cli.scan_output import write_jsonl, write_table

    if form == "jsonl":
        write_jsonl(rows, sys.stdout)
    else:
        shown = [{name: "" if value is None else _number(value) for name, value in row.items()} for row in rows]
        write_table(shown, columns, sys.stdout)


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _tables(sizes: Sizes, config: Config) -> list[dict[str, Any]]:
    from trailwatch.cli.scan_output import iso
    from trailwatch.store.kept import KEPT

    return [
        {
            "table": table.name,
            "rows": table.rows,
            "bytes": table.bytes,
            "oldest": None if table.oldest is None else iso(table.oldest),
            "kept": _kept(KEPT[table.name], config),
        }
        for table in sizes.tables
    ]


def _kept(kept: Kept, config: Config) -> str:
    from trailwatch.config.units import format_duration

    if not kept.setting:
        return kept.since
    return f"{format_duration(getattr(config.retention, kept.setting))} {kept.since}"


def _file(sizes: Sizes) -> dict[str, Any]:
    return {"table": FILE, "rows": None, "bytes": sizes.file, "oldest": None, "kept": ""}


def _archive(invocation: Invocation, config: Config) -> dict[str, Any]:
    from trailwatch import wiring
    from trailwatch.archive.layout import hours
    from trailwatch.cli.scan_output import iso
    from trailwatch.config.units import format_duration

    count = size = 0
    oldest: int | None = None
    for hour in hours(wiring.archive_path(config, invocation.environment)):
        count, size = count + 1, size + hour.path.stat().st_size
        oldest = hour.start if oldest is None else min(oldest, hour.start)
    kept = format_duration(config.archive.keep) if config.archive.keep else "for ever"
    return {
        "table": ARCHIVE,
        "rows": count,
        "bytes": size,
        "oldest": None if oldest is None else iso(oldest),
        "kept": kept,
    }
