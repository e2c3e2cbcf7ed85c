"""Rows as a table for people, as lines of JSON for programs that read on, or as one JSON array."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "jsonl"]),
    default="table",
    show_default=True,
    help="How to print: a table, one JSON array, or a line of JSON for each row.",
)


def write_rows(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], form: str, nothing: str) -> None:
    """Prints the rows; `nothing` says on standard error that there are none.

    Args:
        rows: what to print; secrets are masked already.
        columns: heading of the table to name in a row.
        form: of `FORMAT`.
        nothing: such as `no alerts`.
    """
    from trailwatch.cli.scan_output import write_table

    if form != "table":
        write_data(rows, form)
    elif rows:
        write_table(rows, columns, sys.stdout)
    if not rows:
        click.echo(nothing, err=True)


def write_data(rows: Sequence[Mapping[str, Any]], form: str) -> None:
    """Prints the rows as JSON, in ASCII, so that nothing in them acts on a terminal."""
    from trailwatch.cli.scan_output import write_jsonl

    if form == "json":
        click.echo(json.dumps(list(rows), indent=1))
    else:
        write_jsonl(rows, sys.stdout)
