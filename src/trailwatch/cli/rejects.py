"""`trailwatch rejects`: what could not be read, and why."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from trailwatch.cli.main import Invocation
from trailwatch.errors import UsageError

if TYPE_CHECKING:
    from trailwatch.store.rejects import StoredReject

_COLUMNS = {"id": "id", "last": "last", "times": "times", "bytes": "bytes", "reason": "reason"}
_FAILURE_COLUMNS = {"last": "last", "times": "times", "rule": "rule_id", "event": "event_id", "error": "error"}
_SHOWN_BYTES = 4096


@click.group()
def command() -> None:
    """What the cycles could not read, and why. Nothing is dropped in silence."""


@command.command(name="list")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="The last so many.")
@click.option("--format", "form", type=click.Choice(["table", "jsonl"]), default="table", help="How to print.")
@click.pass_obj
def list_rejects(invocation: Invocation, limit: int, form: str) -> None:
    """List the rejects, those that came last first."""
    from trailwatch.cli.scan_output import write_jsonl, write_table
    from trailwatch.wiring import open_store

    with open_store(invocation.config(), invocation.environment) as store:
        rows = [_row(reject) for reject in store.rejects.recent(limit)]
        total = store.rejects.count()
    if form == "jsonl":
        write_jsonl(rows, sys.stdout)
    elif rows:
        write_table(rows, _COLUMNS, sys.stdout)
    else:
        click.echo("no rejects", err=True)
    if total > len(rows):
        click.echo(f"{len(rows):,} of {total:,} rejects; --limit shows more", err=True)


@command.command()
@click.argument("reject_id", metavar="ID", type=int)
@click.option("--raw", is_flag=True, help="The kept bytes as they came, for a file or another program.")
@click.pass_obj
def show(invocation: Invocation, reject_id: int, raw: bool) -> None:
    """Show one reject: where it came from, why it could not be read, and how it begins."""
    from trailwatch.model.inert import for_terminal
    from trailwatch.wiring import open_store

    with open_store(invocation.config(), invocation.environment) as store:
        stored = store.rejects.find(reject_id)
    if stored is None:
        raise UsageError("rejects", f"there is no reject {reject_id}", "trailwatch rejects list shows their ids")
    if raw:
        click.echo(stored.reject.body, nl=False)
        return
    row = _row(stored)
    for name in ("id", "origin", "position", "reason", "first", "last", "times", "bytes"):
        click.echo(f"{name + ':':10}{for_terminal(str(row[name]))}")
    body = stored.reject.body[:_SHOWN_BYTES].decode("utf-8", "backslashreplace")
    click.echo("\n" + "\n".join(for_terminal(line) for line in body.splitlines()))
    if len(stored.reject.body) > _SHOWN_BYTES:
        click.echo(f"... {len(stored.reject.body) - _SHOWN_BYTES:,} more bytes; --raw shows all that was kept")


@command.command()
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="The last so many.")
@click.option("--format", "form", type=click.Choice(["table", "jsonl"]), default="table", help="How to print.")
@click.pass_obj
def failures(invocation: Invocation, limit: int, form: str) -> None:
    """List the rules that raised on an event, those that came last first; the other rules went on."""
    from trailwatch.cli.scan_output import iso, write_jsonl, write_table
    from trailwatch.wiring import open_store

    with open_store(invocation.config(), invocation.environment) as store:
        rows = [
            {
                "rule_id": found.failure.rule_id,
                "event_id": found.failure.event_id,
                "origin": found.failure.origin,
                "error": found.failure.error,
                "first": iso(found.first),
                "last": iso(found.last),
                "times": found.times,
            }
            for found in store.rejects.recent_failures(limit)
        ]
    if form == "jsonl":
        write_jsonl(rows, sys.stdout)
    elif rows:
        write_table(rows, _FAILURE_COLUMNS, sys.stdout)
    else:
        click.echo("no rule failures", err=True)


def _row(stored: StoredReject) -> Mapping[str, Any]:
    from trailwatch.cli.scan_output import iso

    return {
        "id": stored.id,
        "origin": stored.reject.origin,
        "position": stored.reject.position,
        "reason": stored.reject.reason,
        "first": iso(stored.first),
        "last": iso(stored.last),
        "times": stored.times,
        "bytes": len(stored.reject.body),
    }
