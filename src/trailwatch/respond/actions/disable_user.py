"""Disabling a user that an intruder made or took over: it is locked, never deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trailwatch.model.response import Target
from trailwatch.respond.actions.lock_user import LockUser
from trailwatch.respond.records import calling_user, event_name, part, succeeded, text, user_target


class DisableUser(LockUser):
    """Locks the user that came of a call: a new one, or one that was given a password."""

    name = "disable-user"

    def targets(self, record: Mapping[str, Any]) -> Sequence[Target]:
        name = event_name(record)
        if not succeeded(record) or name not in ("CreateUser", "CreateLoginProfile", "UpdateLoginProfile"):
            return []
        made = text(part(record, "responseElements", "user"), "userName")
        user = user_target(record, made or text(part(record, "requestParameters"), "userName"))
        # who sets a password of its own makes nobody
        return [user] if user and user != calling_user(record) else []
