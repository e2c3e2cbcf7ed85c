"""`trailwatch alerts suppress`: a suppression made of an alert, shown with its price before it is written."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trailwatch.cli.alert_choice import find_alert, opened_store
from trailwatch.cli.main import Invocation
from trailwatch.errors import ConfigError, UsageError
from trailwatch.model.rule import OWN_ORIGIN

if TYPE_CHECKING:
    from trailwatch.model.alert import Alert
    from trailwatch.rules.suppression_text import Draft

_EXPIRES = "90d"
BY = ("actor", "network", "account", "event")


def suppressing(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that writes a suppression."""
    for option in (
        click.option("--reason", required=True, help="Why nobody needs to be told of it."),
        click.option("--owner", help="Who answers for it. Default: the user who runs this."),
        click.option(
            "--expires",
            default=_EXPIRES,
            show_default=True,
            metavar="DATE",
            help="The last day, or how long from now.",
        ),
        click.option("--name", help="Its name. Default: what and who it is about."),
        click.option(
            "--since", default="30d", show_default=True, metavar="TIME", help="Show what it hides from then on."
        ),
        click.option("--no-archive", is_flag=True, help="Show it over the stored alerts alone, which is quicker."),
        click.option("--dry-run", is_flag=True, help="Show what it hides and how it reads, and write nothing."),
        click.option("--close", is_flag=True, help="Close what it is made of as false-positive, too."),
        click.option("--yes", is_flag=True, help="Do not ask on a terminal."),
    )[::-1]:
        command = option(command)
    return command


@click.command()
@click.argument("alert_id", metavar="ID")
@click.option(
    "--by",
    multiple=True,
    type=click.Choice(BY),
    default=["actor", "account"],
    show_default=True,
    help="What must be as in the alert besides its rule; may be repeated, then all must hold.",
)
@suppressing
@click.pass_obj
def command(
    invocation: Invocation,
    /,
    *,
    alert_id: str,
    by: tuple[str, ...],
    reason: str,
    owner: str | None,
    expires: str,
    **how: Any,
) -> None:
    """Suppress what an alert is about: show what that would have hidden, then write a new file into suppressions.d.

    Where the folder cannot be written the file's text is printed, to be put there by somebody who may.
    """
    with opened_store(invocation) as store:
        alert = find_alert(store, alert_id)
    if alert.rule.origin == OWN_ORIGIN:
        raise UsageError(
            f"alert {alert.id}", "it is about trailwatch itself", "ack or snooze it; it closes by itself"
        )
    until = last_day(expires, datetime.now(UTC))
    draft = draft_of(alert, by, reason=reason, owner=owner or user_of(invocation), expires=until)
    suppress(invocation, draft, f"{alert.rule.slug}-{alert.id[:8]}", [alert.id], **how)


def suppress(
    invocation: Invocation,
    draft: Draft,
    stem: str,
    alert_ids: Sequence[str],
    *,
    name: str | None,
    since: str,
    no_archive: bool,
    dry_run: bool,
    close: bool,
    yes: bool,
) -> None:
    """Shows what the draft would have hidden, writes it, and closes these alerts where that is wanted."""
    import msgspec

    from trailwatch.cli.suppressions_preview import Preview
    from trailwatch.cli.times import moment
    from trailwatch.rules.suppression_text import parsed, text_of

    draft = msgspec.structs.replace(draft, name=name or draft.name)
    text = text_of(draft)
    begin = int(moment(since, "--since", datetime.now(UTC)).timestamp())
    Preview(invocation, [parsed(draft)], begin, archive=not no_archive).write("table")
    if dry_run:
        click.echo(text, nl=False)
        return
    if not yes and sys.stdin.isatty() and sys.stdout.isatty():
        click.confirm("Write it?", abort=True, err=True)
    written = write_or_print(invocation, text, stem)
    if close and written:
        _close(invocation, alert_ids, draft)


def draft_of(alert: Alert, by: tuple[str, ...], *, reason: str, owner: str, expires: str) -> Draft:
    """The suppression of this alert's rule for whoever and whatever `by` takes from it.

    Raises:
        UsageError: the alert has no source address to go by.
    """
    from trailwatch.rules.suppression_text import Draft

    extra: dict[str, Any] = {}
    if "actor" in by:
        extra["actor"] = (alert.principal,)
    if "account" in by:
        extra["accounts"] = (alert.account,)
    if "network" in by:
        extra["networks"] = _networks(alert)
    if "event" in by:
        extra["selection"] = ({"eventName": sorted({one.event_name for one in alert.evidence})},)
    return Draft(
        name=f"{alert.rule.slug}: {alert.principal if 'actor' in by else alert.id}",
        owner=owner,
        reason=reason,
        expires=expires,
        rules=(alert.rule.slug,),
        **extra,
    )


def last_day(text: str, now: datetime) -> str:
    """The date that `2027-01-31` or `90d` from now means.

    Raises:
        UsageError: it is neither.
    """
    from datetime import date

    from trailwatch.config.units import parse_duration

    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    try:
        return (now + timedelta(seconds=parse_duration(text))).date().isoformat()
    except (ValueError, OverflowError):
        raise UsageError(
            "--expires", f"expected a date such as 2027-01-31 or a span such as 90d, got {text!r}"
        ) from None


def user_of(invocation: Invocation) -> str:
    """Who runs this, as the system calls them.

    Raises:
        UsageError: the system does not say.
    """
    import os
    import pwd

    for variable in ("SUDO_USER", "LOGNAME", "USER"):
        if name := invocation.environment.get(variable):
            return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        raise UsageError(
            "--owner", "the system does not say who you are", "name somebody who answers for it"
        ) from None


def write_or_print(invocation: Invocation, text: str, stem: str) -> bool:
    """Writes the text as a new file into the configured folder; where that cannot be, prints it. Whether it wrote."""
    from trailwatch.rules.suppression_text import write_new

    folder = invocation.config().suppressions.folder
    try:
        if not folder:
            raise ConfigError("suppressions.folder", "there is no configuration file to put a folder beside")  # noqa: TRY301 one place tells both causes
        path = write_new(Path(folder).expanduser(), text, stem)
    except ConfigError as error:
        click.echo(f"not written: {error}; this is the file:", err=True)
        click.echo(text, nl=False)
        return False
    click.echo(f"written: {path}")
    return True


def _networks(alert: Alert) -> tuple[str, ...]:
    found = []
    for address in sorted({one.source_ip for one in alert.evidence}):
        try:
            found.append(str(ipaddress.ip_network(address)))
        except ValueError:
            continue
    if not found:
        raise UsageError("--by network", "the alert's events come from no address", "go by actor")
    return tuple(found)


def _close(invocation: Invocation, alert_ids: Sequence[str], draft: Draft) -> None:
    from trailwatch.model.alert import AlertState, Verdict

    now = int(datetime.now(UTC).timestamp())
    note = f"suppressed until {draft.expires}: {draft.reason}"
    with opened_store(invocation) as store, store.transaction():
        for alert_id in alert_ids:
            store.alerts.handle(alert_id, AlertState.CLOSED, Verdict.FALSE_POSITIVE, note, now)
            click.echo(f"{alert_id} closed (false-positive)")
