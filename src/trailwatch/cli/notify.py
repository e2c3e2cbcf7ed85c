"""`trailwatch notify`: whether what is told arrives."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from trailwatch.cli.main import Invocation
from trailwatch.cli.row_output import FORMAT, write_rows
from trailwatch.errors import NotifyError, TrailwatchError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trailwatch.config.notifiers import Outlet
    from trailwatch.config.schema import Config
    from trailwatch.model.message import Message
    from trailwatch.notify.table import Making


COLUMNS = {name: name for name in ("name", "type", "gets", "waiting", "delivers")}


@click.group()
def command() -> None:
    """Notifiers: list them, and send a test message through each."""


@command.command("list")
@FORMAT
@click.pass_obj
def list_notifiers(invocation: Invocation, form: str) -> None:
    """Name every notifier with its kind, what it gets, and whether it delivers."""
    from trailwatch import wiring

    config = invocation.config()
    with wiring.open_store(config, invocation.environment) as store:
        silent = {one.notifier: one.what for one in store.conversations.troubles()}
        waiting = store.outbox.waiting_by_notifier()
    rows = [_row(outlet, config, waiting, silent) for outlet in wiring.notify_settings(config)]
    write_rows(rows, COLUMNS, form, "no notifiers")


@command.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.pass_obj
def test(invocation: Invocation, names: tuple[str, ...]) -> None:
    """Send a marked message through each notifier, or through those named, and say what became of it.

    It goes the way that alerts go, at once and past the outbox. Exit 1 when one was not accepted.
    """
    from trailwatch import wiring
    from trailwatch.model.inert import for_terminal
    from trailwatch.notify.table import Making

    config = invocation.config()
    wiring.routes_of(config)
    outlets = {outlet.name: outlet for outlet in wiring.notify_settings(config)}
    for name in names:
        if name not in outlets:
            raise UsageError("NAME", f"there is no notifier {name!r}", f"use one of {', '.join(outlets)}")
    making = Making(invocation.environment, sys.stderr, wiring.zone_of(config))
    failed = 0
    for name in names or outlets:
        line, accepted = _tried(outlets[name], making)
        failed += not accepted
        click.echo(for_terminal(line), err=not accepted)
    if failed:
        sys.exit(1)


def _tried(outlet: Outlet, making: Making) -> tuple[str, bool]:
    from trailwatch.notify.table import notifier_of

    try:
        answer = notifier_of(outlet, making).send(marked(outlet.name, datetime.now(UTC)))
    except NotifyError as error:
        # nobody tries a test again
        return f"FAILED: {str(error).removesuffix('; it is tried again')}", False
    except TrailwatchError as error:
        return f"FAILED: {error}", False
    except Exception as error:  # noqa: BLE001 one notifier that breaks must not keep the others from being tried
        return f"FAILED: {outlet.name}: {type(error).__name__}: {error}", False
    return f"{outlet.name}: accepted: {answer}", True


def marked(name: str, now: datetime) -> Message:
    """A message that nobody can take for an alert."""
    import uuid

    from trailwatch.model.message import Kind, Message
    from trailwatch.model.severity import Severity

    return Message(
        id=f"test-{uuid.uuid4().hex}",
        created=int(now.timestamp()),
        principal="",
        alerts=(),
        headline=f"TEST: a message through {name}, nothing happened",
        body=(
            f"Somebody ran `trailwatch notify test` at {now:%Y-%m-%d %H:%M:%S} UTC. Nothing happened anywhere.\n"
            f"If you can read this, alerts reach you through the notifier {name}."
        ),
        kind=Kind.TEST,
        thread="test",
        level=Severity.INFORMATIONAL,
    )


def _row(
    outlet: Outlet, config: Config, waiting: Mapping[str, int], silent: Mapping[str, str]
) -> dict[str, str | int]:
    gets = f"from {outlet.min_severity.value} on"
    if any(outlet.name in route.to for route in config.route):
        gets = f"what its routes say, {gets}"
    if outlet.digest != "off":
        gets += f"; below {outlet.immediate.value} in a digest, {outlet.digest}"
    return {
        "name": outlet.name,
        "type": str(type(outlet).__struct_config__.tag),
        "gets": gets,
        "waiting": waiting.get(outlet.name, 0),
        "delivers": f"no: {silent[outlet.name]}" if outlet.name in silent else "yes",
    }
