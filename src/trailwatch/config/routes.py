"""What is wrong with notifiers and the routes to them, as far as the settings alone can tell."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from trailwatch.config.notifiers import Apprise, Email, Outlet, Route, Slack, Sns, Webhook
from trailwatch.config.schema import Config
from trailwatch.errors import ConfigError

TACTICS = (
    *("reconnaissance", "resource-development", "initial-access", "execution", "persistence"),
    *("privilege-escalation", "defense-evasion", "credential-access", "discovery", "lateral-movement"),
    *("collection", "command-and-control", "exfiltration", "impact"),
)
"""The tactics of ATT&CK for Enterprise."""
DEFAULT_NAME = "console"
"""How the notifier is called that is there when none is configured."""
TOPIC = re.compile(r"arn:aws[\w-]*:sns:(?P<region>[\w-]+):\d{12}:[\w-]+(?P<fifo>\.fifo)?")
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def problems_of(config: Config) -> list[ConfigError]:
    """Everything that is wrong, in the order of the file."""
    names = [outlet.name for outlet in config.notify] or [DEFAULT_NAME]
    found = [problem for outlet in config.notify for problem in _outlet(outlet)]
    for number, route in enumerate(config.route, start=1):
        found += _route(f"route[{number}]", route, names)
    telling = config.telling
    if telling.fallback and telling.fallback not in names:
        found.append(_unknown("telling.fallback", "notifier", telling.fallback, names))
    if not _TIME_OF_DAY.fullmatch(telling.digest_at):
        found.append(ConfigError("telling.digest_at", f"no time of day: {telling.digest_at!r}", "write it as 08:00"))
    if telling.flood < 1:
        found.append(ConfigError("telling.flood", f"must be at least 1, got {telling.flood}", "correct it"))
    return found


def _outlet(outlet: Outlet) -> Iterator[ConfigError]:
    where = f"notify {outlet.name}"
    match outlet:
        case Email(to=()):
            yield ConfigError(where, "to names nobody", "name at least one address")
        case Sns() if not TOPIC.fullmatch(outlet.topic_arn):
            yield ConfigError(
                where,
                f"no ARN of a topic: {outlet.topic_arn!r}",
                "write it as arn:aws:sns:eu-west-1:111122223333:alerts",
            )
        case Slack():
            yield from _slack(where, outlet)
        case Webhook():
            if sum(map(bool, (outlet.url, outlet.url_env, outlet.url_file))) != 1:
                yield ConfigError(where, "needs one of url, url_env and url_file", "set exactly one")
        case Apprise():
            if bool(outlet.url_env) == bool(outlet.url_file):
                yield ConfigError(where, "needs one of url_env and url_file", "set exactly one")
        case _:
            pass


def _slack(where: str, outlet: Slack) -> Iterator[ConfigError]:
    webhook, token = outlet.webhook_env or outlet.webhook_file, outlet.token_env or outlet.token_file
    if bool(webhook) == bool(token):
        yield ConfigError(
            where, "needs either a webhook or a token", "set webhook_env or webhook_file, or token_env or token_file"
        )
    elif token and not outlet.channel:
        yield ConfigError(where, "channel is missing", "name the channel's id, such as C0123456789")
    elif webhook and (outlet.channel or outlet.approvers):
        yield ConfigError(
            where, "channel and approvers need a bot's token, a webhook has neither", "set token_env, or remove them"
        )


def _route(where: str, route: Route, names: Collection[str]) -> Iterator[ConfigError]:
    if not route.to:
        yield ConfigError(where, "to names nobody", "name at least one notifier")
    for name in route.to:
        if name not in names:
            yield _unknown(f"{where}.to", "notifier", name, names)
    for tactic in route.tactics:
        if tactic not in TACTICS:
            yield _unknown(f"{where}.tactics", "tactic", tactic, TACTICS)


def _unknown(where: str, what: str, name: str, known: Collection[str]) -> ConfigError:
    import difflib  # only who made a mistake pays for it

    begun = [one for one in known if name and one.startswith(name)]
    close = difflib.get_close_matches(name, list(known), n=1) or begun
    hint = f"; did you mean {close[0]}?" if close else ""
    return ConfigError(where, f"unknown {what} {name!r}{hint}", f"use one of {', '.join(known)}")
