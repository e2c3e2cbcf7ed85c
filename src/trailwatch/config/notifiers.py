"""The settings of notifiers, one class for each `type` of a `[[notify]]` table, and of the routes to them."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from trailwatch.config.kinds import Seconds
from trailwatch.model.severity import Severity

Digest = Literal["off", "hourly", "daily"]


class Outlet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every notifier has."""

    secrets: ClassVar[tuple[str, ...]] = ()
    """Names of its secrets: `password` is named by `password_env` or `password_file`."""

    name: str
    """How outputs call it."""
    min_severity: Severity = Severity.MEDIUM
    """Alerts below it are not sent here."""
    digest: Digest = "off"
    """`hourly` or `daily` gathers what is less severe than `immediate`; `off` sends everything at once."""
    immediate: Severity = Severity.HIGH
    """With a digest: alerts from this severity on are sent at once."""


class Email(Outlet, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="email", tag_field="type"):
    """`[[notify]] type = "email"`: SMTP."""

    secrets: ClassVar[tuple[str, ...]] = ("password",)

    to: tuple[str, ...]
    """Recipients."""
    sender: str = ""
    """From; empty for trailwatch@ this host."""
    host: str = "localhost"
    """The SMTP server."""
    port: int = 0
    """0 for 25, 587 or 465, whatever fits `security`."""
    security: Literal["plain", "starttls", "tls"] = "plain"
    """`plain`, `starttls` or `tls`."""
    user: str = ""
    """Login; empty for a relay without one."""
    password_env: str = ""
    """Environment variable that holds the password."""
    password_file: str = ""
    """File that holds the password."""
    ca_file: str = ""
    """Certificates to trust; empty for the system's."""
    timeout: Seconds = 20.0
    """For connecting and for each answer."""


class Console(Outlet, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="console", tag_field="type"):
    """`[[notify]] type = "console"`: standard error of the process, for cron's own mail."""


class Sns(Outlet, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="sns", tag_field="type"):
    """`[[notify]] type = "sns"`: a topic of Amazon SNS, with the ambient AWS credentials."""

    topic_arn: str
    """The topic, in any region; of a FIFO topic each incident is a group."""


class Slack(Outlet, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="slack", tag_field="type"):
    """`[[notify]] type = "slack"`: an incoming webhook, or a bot with a token."""

    secrets: ClassVar[tuple[str, ...]] = ("webhook", "token")

    webhook_env: str = ""
    """Environment variable that holds the webhook's URL."""
    webhook_file: str = ""
    """File that holds the webhook's URL."""
    token_env: str = ""
    """Environment variable that holds the bot's token."""
    token_file: str = ""
    """File that holds the bot's token."""
    channel: str = ""
    """With a token: the id of the channel, such as `C0123456789`."""
    approvers: tuple[str, ...] = ()
    """With a token: user ids, such as `U0123456789`, whose reactions and replies count."""
    api: str = "https://slack.com/api/"
    """Where Slack answers; another one for GovSlack."""
    timeout: Seconds = 15.0
    """For each answer."""


class Webhook(Outlet, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="webhook", tag_field="type"):
    """`[[notify]] type = "webhook"`: JSON by POST, signed."""

    secrets: ClassVar[tuple[str, ...]] = ("url", "secret")

    url: str = ""
    """Where it goes; leave it out where the URL itself is secret."""
    url_env: str = ""
    """Environment variable that holds the URL."""
    url_file: str = ""
    """File that holds the URL."""
    secret_env: str = ""
    """Environment variable that holds the secret that signs; none leaves messages unsigned."""
    secret_file: str = ""
    """File that holds the secret that signs."""
    ca_file: str = ""
    """Certificates to trust; empty for the system's."""
    timeout: Seconds = 15.0
    """For each answer."""


class JsonLines(Outlet, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="jsonl", tag_field="type"):
    """`[[notify]] type = "jsonl"`: a line of JSON for each message, at the end of a file."""

    path: str
    """The file; it is made, readable by its owner alone, where it is not there."""


class Apprise(Outlet, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="apprise", tag_field="type"):
    """`[[notify]] type = "apprise"`: any of the hundred services that Apprise speaks to."""

    secrets: ClassVar[tuple[str, ...]] = ("url",)

    url_env: str = ""
    """Environment variable that holds the Apprise URL; each URL is a notifier of its own."""
    url_file: str = ""
    """File that holds the Apprise URL."""


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[route]]`: which alerts go to which notifiers. What it does not name does not count."""

    to: tuple[str, ...]
    """Names of notifiers. One that a route names gets only what its routes say."""
    severity: Severity = Severity.INFORMATIONAL
    """Alerts from this severity on."""
    accounts: tuple[str, ...] = ()
    """Ids of accounts."""
    tactics: tuple[str, ...] = ()
    """ATT&CK tactics, such as `exfiltration`."""
    rules: tuple[str, ...] = ()
    """Ids or slugs of rules, with `*` and `?`."""
    tags: tuple[str, ...] = ()
    """Tags of rules, with `*` and `?`."""
    actor: tuple[str, ...] = ()
    """Who began it, or who the record says: keys such as `arn:aws:iam::*:role/deploy`, with `*` and `?`."""
    digest: Literal["", "off", "hourly", "daily"] = ""
    """As of a notifier; empty for what the notifier says."""


class TellingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[telling]`: how much is told at once, and what happens to what cannot be delivered."""

    update_every: Seconds = 900.0
    """More evidence of an incident follows at most so often, unless it grows more severe; then at once."""
    flood: int = 30
    """More alerts than this in one cycle become one message with counts and the worst ten."""
    digest_at: str = "08:00"
    """When a daily digest is sent, in `timezone`."""
    give_up: Seconds = 172800.0
    """A message that no attempt delivered for so long is given up."""
    attempts: int = 6
    """But not before so many attempts: the machine may have been off."""
    fallback: str = ""
    """Name of the notifier that gets what another one gave up; empty for none."""


NotifySettings = Email | Console | Sns | Slack | Webhook | JsonLines | Apprise
