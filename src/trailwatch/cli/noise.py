"""`trailwatch noise`: which rules tell too much, and what would have quieted each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trailwatch.cli.alert_choice import opened_store
from trailwatch.cli.alerts_suppress import last_day, user_of
from trailwatch.cli.main import Invocation
from trailwatch.cli.row_output import FORMAT, write_rows

if TYPE_CHECKING:
    from trailwatch.detect.noise import Allowlist, RuleNoise
    from trailwatch.model.alert import Alert
    from trailwatch.store.alerts import AlertFilter

COLUMNS = {
    "rule": "rule",
    "severity": "severity",
    "alerts": "alerts",
    "a day": "per_day",
    "who": "principals",
    "open": "open",
    "false": "closed_false",
    "real": "closed_true",
    "false share": "false_share",
    "an allowlist removes": "removes",
}
_ALERTS_READ = 100_000
_DAY = 86400
_IDS_SHOWN = 10


@click.command()
@click.option("--since", default="30d", show_default=True, metavar="TIME", help="Alerts with an event from then on.")
@click.option("--rule", default="", help="Only this rule, by id or short name.")
@click.option("--staged", is_flag=True, help="Rules on trial instead: what they would have told.")
@click.option("--top", type=click.IntRange(1), default=20, show_default=True, help="The noisiest so many rules.")
@click.option(
    "--least", type=click.IntRange(1), default=5, show_default=True, help="Look for an allowlist from so many alerts."
)
@click.option("--owner", help="Who answers for the allowlists. Default: the user who runs this.")
@click.option(
    "--expires", default="90d", show_default=True, metavar="DATE", help="Their last day, or how long from now."
)
@click.option(
    "--write",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write each allowlist as a new file there, to be reviewed and moved into suppressions.d.",
)
@FORMAT
@click.pass_obj
def command(
    invocation: Invocation,
    /,
    *,
    since: str,
    rule: str,
    staged: bool,
    top: int,
    least: int,
    owner: str | None,
    expires: str,
    folder: Path | None,
    form: str,
) -> None:
    """Show how much each rule told, what people said of it, and the smallest allowlist that would have quieted it.

    Every alert that was not closed as true-positive counts as noise. An allowlist comes with what it would also have
    hidden, ready as a suppression file; nothing is put to use by this command.
    """
    from trailwatch.cli.times import moment
    from trailwatch.detect.noise import allowlist, by_rule
    from trailwatch.store.alerts import AlertFilter

    now = datetime.now(UTC)
    begin = int(moment(since, "--since", now).timestamp())
    alerts, actors = _alerts(invocation, AlertFilter(since=begin, rule=rule, staged=staged, limit=_ALERTS_READ))
    days = max((int(now.timestamp()) - begin) / _DAY, 1.0)
    until = last_day(expires, now)
    named = owner or user_of(invocation)
    noisy = by_rule(alerts, days)
    found: list[tuple[RuleNoise, Allowlist | None]] = [
        (one, allowlist(one, named, until, actors) if len(one.alerts) >= least else None) for one in noisy[:top]
    ]
    write_rows([_row(one, quiet) for one, quiet in found], COLUMNS, form, "no alerts")
    if len(noisy) > top:
        click.echo(f"more rules told less: {len(noisy) - top}; --top {len(noisy)} shows all", err=True)
    for one, quiet in found:
        if quiet is not None and form == "table":
            _print_allowlist(one, quiet)
        if quiet is not None and folder is not None:
            _write(folder, one, quiet)


def _alerts(invocation: Invocation, wanted: AlertFilter) -> tuple[list[Alert], Mapping[str, str]]:
    """Alerts of rules, without those that trailwatch raises about itself, and who each began with."""
    from trailwatch.model.rule import OWN_ORIGIN

    with opened_store(invocation) as store:
        alerts = [alert for alert in store.alerts.search(wanted) if alert.rule.origin != OWN_ORIGIN]
        subjects = store.incidents.subjects([alert.id for alert in alerts])
    if len(alerts) == _ALERTS_READ:
        click.echo(f"only the latest {_ALERTS_READ:,} alerts are looked at", err=True)
    return alerts, {one.alert_id: one.actor_key for one in subjects}


def _print_allowlist(noise: RuleNoise, quiet: Allowlist) -> None:
    from trailwatch.detect.noise import AGENT
    from trailwatch.model.inert import for_terminal
    from trailwatch.rules.suppression_text import text_of

    click.echo("")
    share = f"{quiet.removed:,} of {quiet.of:,} alerts ({quiet.share:.0%})"
    click.echo(for_terminal(f"# {noise.rule.slug}: this would have removed {share}"))
    if quiet.real:
        click.echo(
            for_terminal(f"# AND HIDDEN {len(quiet.real)} TRUE POSITIVES: {', '.join(quiet.real[:_IDS_SHOWN])}"),
        )
    else:
        click.echo("# and nothing that somebody closed as true-positive")
    if any(item.kind == AGENT for item in quiet.items):
        click.echo("# a user agent is chosen by whoever calls: an intruder can choose it, too")
    click.echo(text_of(quiet.draft), nl=False)


def _write(folder: Path, noise: RuleNoise, quiet: Allowlist) -> None:
    from trailwatch.rules.suppression_text import text_of, write_new

    path = write_new(folder, text_of(quiet.draft), noise.rule.slug)
    click.echo(f"written: {path}", err=True)


def _row(noise: RuleNoise, quiet: Allowlist | None) -> Mapping[str, Any]:
    from trailwatch.rules.suppression_text import text_of

    share = noise.false_share
    return {
        "rule_id": noise.rule.id,
        "rule": noise.rule.slug,
        "title": noise.rule.title,
        "severity": noise.rule.severity.value,
        "alerts": len(noise.alerts),
        "per_day": round(noise.per_day, 2),
        "principals": noise.actors,
        "open": len(noise.alerts) - noise.closed,
        "closed_false": noise.false,
        "closed_true": noise.real,
        "false_share": "" if share is None else f"{share:.0%}",
        "removes": "" if quiet is None else f"{quiet.share:.0%}",
        "allowlist": None
        if quiet is None
        else {
            "by": [[item.kind, item.value] for item in quiet.items],
            "removed": quiet.removed,
            "of": quiet.of,
            "true_positives_hidden": list(quiet.real),
            "file": text_of(quiet.draft),
        },
    }
