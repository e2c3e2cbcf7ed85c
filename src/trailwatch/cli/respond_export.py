"""`trailwatch respond export`: the journal of a plan as evidence, with a digest that shows any later change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trailwatch.cli.main import Invocation
from trailwatch.cli.respond_tools import find_plan, journal_of
from trailwatch.errors import StoreError

if TYPE_CHECKING:
    from trailwatch.model.response import Entry


@click.command()
@click.argument("plan_id", metavar="PLAN")
@click.option(
    "--to",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write into this file, and its digest beside it as FILE.sha256; to standard output otherwise.",
)
@click.pass_obj
def command(invocation: Invocation, plan_id: str, path: Path | None) -> None:
    """Write every entry of a plan's journal as JSON lines: what was there, what was called, who did it and why.

    The digest is SHA-256 over these lines; `sha256sum --check` reads the file beside them.
    """
    from trailwatch import wiring

    config = invocation.config()
    with wiring.open_store(config, invocation.environment) as store:
        journal = journal_of(config, store)
        lines = evidence(journal.entries(find_plan(journal, plan_id)))
    digest = hashlib.sha256(lines).hexdigest()
    if path is None:
        click.echo(lines, nl=False)
    else:
        try:
            path.write_bytes(lines)
            path.with_name(f"{path.name}.sha256").write_text(f"{digest}  {path.name}\n", encoding="utf-8")
        except OSError as error:
            raise StoreError(str(path), f"cannot be written: {error.strerror}", "choose another place") from error
    click.echo(f"sha256 {digest}", err=True)


def evidence(entries: Iterable[Entry]) -> bytes:
    """The entries as JSON lines; each has the digest of the line before it."""
    import msgspec

    lines, before = [], ""
    for entry in entries:
        row = {**msgspec.to_builtins(entry), "previous_sha256": before}
        line = msgspec.json.encode(row, order="sorted")
        before = hashlib.sha256(line).hexdigest()
        lines.append(line + b"\n")
    return b"".join(lines)
