"""Every action there is, in the order in which a plan takes them.

Users and keys come before roles: as long as an intruder can take a role again, revoking its sessions holds nobody.
"""

from __future__ import annotations

from trailwatch.ports import Action
from trailwatch.respond.actions.deactivate_key import DeactivateKey
from trailwatch.respond.actions.disable_credential import DisableCredential
from trailwatch.respond.actions.disable_function import DisableFunction
from trailwatch.respond.actions.disable_key import DisableKey
from trailwatch.respond.actions.disable_policy import DisablePolicy
from trailwatch.respond.actions.disable_user import DisableUser
from trailwatch.respond.actions.lock_user import LockUser
from trailwatch.respond.actions.remove_mfa import RemoveMfa
from trailwatch.respond.actions.reset_password import ResetPassword
from trailwatch.respond.actions.restore_logging import RestoreLogging
from trailwatch.respond.actions.revoke_sessions import RevokeSessions

_IN_ORDER: tuple[Action, ...] = (
    LockUser(),
    DisableUser(),
    DeactivateKey(),
    DisableKey(),
    DisableCredential(),
    RevokeSessions(),
    DisablePolicy(),
    DisableFunction(),
    RestoreLogging(),
    ResetPassword(),
    RemoveMfa(),
)
ACTIONS: dict[str, Action] = {action.name: action for action in _IN_ORDER}
BY_HAND = ("reset-password", "remove-mfa")
"""What nobody can take back: no playbook may name it."""
