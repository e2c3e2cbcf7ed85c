"""Disabling an access key that an intruder made: for itself, or for somebody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trailwatch.model.response import Target
from trailwatch.respond.actions.deactivate_key import DeactivateKey, key_target
from trailwatch.respond.records import calling_user, event_name, part, succeeded, text, user_target


class DisableKey(DeactivateKey):
    """Deactivates the key that came of a call."""

    name = "disable-key"

    def targets(self, record: Mapping[str, Any]) -> Sequence[Target]:
        if not succeeded(record) or event_name(record) != "CreateAccessKey":
            return []
        made = part(record, "responseElements", "accessKey")
        user = user_target(record, text(made, "userName")) or calling_user(record)
        key = text(made, "accessKeyId")
        return [key_target(user, key)] if user and key else []
