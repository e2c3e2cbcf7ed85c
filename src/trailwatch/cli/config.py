"""`trailwatch config`: write a first configuration, check one, show every value with its origin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trailwatch.cli.main import Invocation
from trailwatch.errors import UsageError

if TYPE_CHECKING:
    from trailwatch.config.schema import Config
    from trailwatch.rules.rule import RuleSet

TEMPLATE = """\
# trailwatch.toml: every setting is optional; `trailwatch config show` prints them all.

[check]
# lookback = "5m"                    # the newest stretch, read first in every cycle
# regions = ["us-east-1"]            # default: every region that is enabled
# plan_requests_per_region = 3       # look-ups for read-only calls that matter
# heartbeat_url = "https://..."      # called after each good cycle: a dead cron is the worst silence

# [guardduty]                        # its findings as alerts beside those of rules; docs/proof.md
# enabled = true

# [canary]                           # a harmless call in every region that has to come back as an event
# every = "1h"

# [[account]]                        # default: the ambient AWS credentials
# name = "production"
# role_arn = "arn:aws:iam::111122223333:role/trailwatch"

# [[notify]]                         # default: the terminal, or cron's own mail
# type = "email"
# name = "on-call"
# to = ["security@example.com"]
# host = "localhost"
# security = "plain"                 # or "starttls", "tls"
# user = "trailwatch"
# password_env = "SMTP_PASSWORD"     # secrets are named here, never written
# min_severity = "medium"
# digest = "daily"                   # or "hourly": gathers what is less severe than `immediate`
# immediate = "high"

# [[route]]                          # default: everybody gets everything; docs/notifications.md
# to = ["on-call"]
# severity = "high"
# tactics = ["exfiltration"]

# [telling]
# update_every = "15m"               # more of an incident, in the same conversation
# flood = 30                         # more alerts in one cycle are one message
"""


@click.group()
def command() -> None:
    """Write, check and show the configuration."""


@command.command()
@click.argument("path", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def init(invocation: Invocation, path: Path | None) -> None:
    """Write a commented configuration file to PATH, by default where trailwatch looks for it."""
    from trailwatch.config.load import usual_places

    target = path or usual_places(invocation.environment)[0]
    if target.exists():
        raise UsageError(str(target), "is there already", "edit it, or name another path")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    target.write_text(TEMPLATE, encoding="utf-8")
    click.echo(target)


@command.command()
@click.pass_obj
def check(invocation: Invocation) -> None:
    """Check the configuration and the rules it names; exit 2 and say what is wrong."""
    from trailwatch import wiring
    from trailwatch.model.inert import for_terminal
    from trailwatch.respond.assembly import playbooks_of

    loaded = invocation.load()
    config = loaded.config
    wiring.routes_of(config)
    wiring.zone_of(config)
    notifiers = wiring.notifiers_of(config, invocation.environment, sys.stderr, strict=True)
    rules = wiring.load_ruleset(config, invocation.environment)
    errors = [problem for problem in rules.problems if problem.error]
    strays = stray_routes(config, rules)
    for stray in strays:
        click.echo(for_terminal(stray), err=True)
    for problem in errors:
        click.echo(for_terminal(f"{problem.origin}: {problem.text}"), err=True)
    known = playbooks_of(config)
    playbooks = known.problems
    for problem in playbooks:
        click.echo(for_terminal(f"{problem.origin}: {problem.text}"), err=True)
    if config.respond.automatic.playbooks:
        from trailwatch.respond.automatic_assembly import enabled_playbooks

        enabled_playbooks(config, known)
    tables = wiring.tables_of(config).problems()
    for problem_text in tables:
        click.echo(problem_text, err=True)
    where = str(loaded.path) if loaded.path else "no configuration file, defaults"
    accounts = len(config.account) or 1
    skipped = "".join(f"; {count} skipped: {reason}" for reason, count in rules.skipped.items())
    click.echo(f"{where}: {len(rules.rules)} rules, {accounts} account(s), {len(notifiers)} notifier(s){skipped}")
    if errors:
        raise UsageError("rules", f"{len(errors)} cannot be loaded", "correct the lines above")
    if playbooks:
        raise UsageError("playbooks", f"{len(playbooks)} cannot be used", "correct the lines above")
    if strays:
        raise UsageError("route", f"{len(strays)} name(s) no rule has", "correct the lines above")
    if tables:
        raise UsageError("addresses", f"{len(tables)} table(s) cannot be read", "correct the lines above")


def stray_routes(config: Config, rules: RuleSet) -> list[str]:
    """What is wrong with the routes that only the rules can tell: names and patterns that no rule has."""
    import difflib
    import fnmatch

    infos = [rule.info for rule in (*rules.rules, *rules.first_seen)]
    infos += [rule.info for rule in rules.correlations]
    known = {name for info in infos for name in (info.id, info.slug, *info.tags)}
    found = []
    for number, route in enumerate(config.route, start=1):
        for setting, patterns in (("rules", route.rules), ("tags", route.tags)):
            for pattern in patterns:
                if not fnmatch.filter(known, pattern):
                    close = difflib.get_close_matches(pattern, sorted(known), n=1)
                    hint = f"; did you mean {close[0]}?" if close else ""
                    found.append(f"route[{number}].{setting}: no rule has {pattern!r}{hint}")
    return found


@command.command()
@click.pass_obj
def show(invocation: Invocation) -> None:
    """Print every setting with where its value came from; secrets are never part of it."""
    import msgspec

    from trailwatch.config.load import LISTS, scalar_settings

    loaded, kinds = invocation.load(), scalar_settings()
    width = max(len(name) for name in loaded.settings)
    for name, setting in loaded.settings.items():
        value = _shown(setting.value, kinds[name])
        click.echo(f"{name:{width}}  {value:<24}  {setting.origin}")
    for key in LISTS:
        for number, item in enumerate(getattr(loaded.config, key), start=1):
            click.echo(f"{key}[{number}]  {msgspec.json.encode(item).decode()}  {loaded.path}")


def _shown(value: object, kind: object) -> str:
    """The value as the file would hold it."""
    import msgspec

    from trailwatch.config.kinds import Seconds
    from trailwatch.config.units import format_duration

    if kind == Seconds and isinstance(value, float | int):
        value = format_duration(value)
    return msgspec.json.encode(value).decode()
