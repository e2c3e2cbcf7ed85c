"""Settings -> notifiers: one line for each kind. What a kind needs is imported when one of it is made."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from trailwatch.config.notifiers import Apprise, Console, Email, JsonLines, Outlet, Slack, Sns, Webhook
from trailwatch.config.secret import secret_of
from trailwatch.errors import ConfigError, NotifyError
from trailwatch.model.message import Message
from trailwatch.ports import Notifier


class Making(NamedTuple):
    """What notifiers are made with."""

    environment: Mapping[str, str]
    stream: TextIO
    """Where a console notifier writes."""
    zone: tzinfo | None
    """For local times; None for the machine's."""


def _email(outlet: Email, making: Making) -> Notifier:
    from trailwatch.notify.email import EmailNotifier

    return EmailNotifier(outlet.name, outlet, secret_of(outlet, "password", making.environment), making.zone)


def _console(outlet: Console, making: Making) -> Notifier:
    from trailwatch.notify.console import ConsoleNotifier

    return ConsoleNotifier(outlet.name, making.stream, making.zone)


def _sns(outlet: Sns, making: Making) -> Notifier:
    from trailwatch.aws import ambient_client
    from trailwatch.notify.sns import SnsNotifier

    return SnsNotifier(outlet.name, outlet.topic_arn, lambda region: ambient_client("sns", region), making.zone)


def _slack(outlet: Slack, making: Making) -> Notifier:
    url = secret_of(outlet, "webhook", making.environment)
    if url is not None:
        from trailwatch.notify.slack_webhook import SlackWebhookNotifier

        return SlackWebhookNotifier(outlet.name, url, making.zone, outlet.timeout)
    from trailwatch.notify.slack import SlackNotifier, client_of

    client = client_of(secret_of(outlet, "token", making.environment) or "", outlet.api, outlet.timeout)
    return SlackNotifier(outlet.name, client, outlet.channel, making.zone, outlet.approvers)


def _webhook(outlet: Webhook, making: Making) -> Notifier:
    from trailwatch.notify.webhook import WebhookNotifier

    url = outlet.url or secret_of(outlet, "url", making.environment) or ""
    return WebhookNotifier(outlet.name, outlet, url, secret_of(outlet, "secret", making.environment), making.zone)


def _jsonl(outlet: JsonLines, making: Making) -> Notifier:
    from trailwatch.notify.jsonl import JsonLinesNotifier

    return JsonLinesNotifier(outlet.name, Path(outlet.path).expanduser(), making.zone)


def _apprise(outlet: Apprise, making: Making) -> Notifier:
    from trailwatch.notify.apprise import AppriseNotifier

    return AppriseNotifier(outlet.name, secret_of(outlet, "url", making.environment) or "", making.zone)


MAKERS: dict[type[Outlet], Callable[[Any, Making], Notifier]] = {
    Email: _email,
    Console: _console,
    Sns: _sns,
    Slack: _slack,
    Webhook: _webhook,
    JsonLines: _jsonl,
    Apprise: _apprise,
}


def notifier_of(outlet: Outlet, making: Making) -> Notifier:
    """The notifier that these settings describe.

    Raises:
        ConfigError: a secret cannot be had, or what the kind needs is not installed.
    """
    check(outlet, making.environment)
    return MAKERS[type(outlet)](outlet, making)


class Unusable:
    """In the place of a notifier that cannot be made: its messages wait, and those of the others do not.

    Args:
        name: how outputs call it.
        error: why it cannot be made.
    """

    def __init__(self, name: str, error: ConfigError) -> None:
        self.name = name
        self._error = error

    def send(self, message: Message) -> str:  # noqa: ARG002 one shape for all
        raise NotifyError("", str(self._error), "messages wait until it is corrected") from self._error


def notifier_or_reason(outlet: Outlet, making: Making) -> Notifier:
    """The notifier that these settings describe, or one that says why there is none each time it should send."""
    try:
        return notifier_of(outlet, making)
    except ConfigError as error:
        return Unusable(outlet.name, error)


def is_installed(module: str) -> bool:
    """Whether a package can be imported; it is not."""
    return importlib.util.find_spec(module) is not None


def check(outlet: Outlet, environment: Mapping[str, str], installed: Callable[[str], bool] = is_installed) -> None:
    """Fails now rather than when the first alert has to leave; nothing is connected to or imported.

    Args:
        outlet: the notifier's settings.
        environment: the process's variables.
        installed: whether a package is there.

    Raises:
        ConfigError: as `notifier_of`.
    """
    for setting in outlet.secrets:
        secret_of(outlet, setting, environment)
    module, extra = _needs(outlet)
    if module and not installed(module):
        raise ConfigError(
            f"notify {outlet.name}",
            f"the package for it is not installed: {module}",
            f"pip install 'trailwatch-aws[{extra}]'",
        )


def _needs(outlet: Outlet) -> tuple[str, str]:
    """The module that the kind needs besides the base install, and the extra that brings it."""
    if isinstance(outlet, Slack) and (outlet.token_env or outlet.token_file):
        return "slack_sdk", "slack"
    return ("apprise", "apprise") if isinstance(outlet, Apprise) else ("", "")
