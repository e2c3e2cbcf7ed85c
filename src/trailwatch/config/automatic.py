"""The settings of responding without a person, and of the Lambda function."""

from __future__ import annotations

from typing import Literal

import msgspec

from trailwatch.config.kinds import Seconds
from trailwatch.model.provenance import Provenance
from trailwatch.model.severity import Severity


class AutomaticPlaybook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[respond.automatic.playbooks.NAME]`: one playbook that may run by itself."""

    min_severity: Severity = Severity.CRITICAL
    """The incident's severity must reach it."""
    min_score: int = 50
    """The incident's score, 0 to 100, must reach it."""
    approval: Seconds = 0.0
    """How long somebody is waited for who approves or declines; 0 acts at once."""
    on_silence: Literal["refuse", "act"] = "refuse"
    """What happens when nobody answers in that time."""


class AutomaticSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[respond.automatic]`: responding without a person; off until a playbook is named."""

    playbooks: dict[str, AutomaticPlaybook] = {}
    """The playbooks that may run by themselves: a table for each, which may be empty."""
    protected: tuple[str, ...] = ()
    """Who is never touched: ARNs with `*` and `?`; name your break-glass identities here."""
    protected_tags: tuple[str, ...] = ("trailwatch:protected",)
    """Users and roles with one of these tags are never touched: `key`, or `key=value`."""
    per_hour: int = 3
    """Most identities that are acted on in any hour."""
    per_day: int = 10
    """Most identities that are acted on in any 24 hours."""
    max_age: Seconds = 3600.0
    """Events that are older call for a person: after an outage the past is not acted on."""
    sources: tuple[Provenance, ...] = (Provenance.EVENT_HISTORY, Provenance.TRAIL_BUCKET, Provenance.EVENT_BUS)
    """Where an event must come from to be acted on: `event-history`, `trail-bucket`, `event-bus`, `queue`."""


class AwsLambdaSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[aws_lambda]`: the function that AWS runs."""

    table: str = ""
    """The DynamoDB table in which it remembers; empty for none: alerts may then be told twice."""
    buckets: tuple[str, ...] = ()
    """Buckets, or `bucket/prefix`, whose logs it reads when a notification names one; empty for `self.bucket`."""
