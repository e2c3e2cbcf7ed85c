"""Switching off a credential that an intruder made for a user: an SSH key, a certificate, a service's password."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trailwatch.errors import ActionError
from trailwatch.model.response import Draft, Step, Target, TargetKind
from trailwatch.ports import Lever, Scene
from trailwatch.respond.lever import LeverAction
from trailwatch.respond.levers.status import CERTIFICATE, INACTIVE, SERVICE_CREDENTIAL, SSH_KEY, Status
from trailwatch.respond.records import event_name, part, succeeded, text, user_target

_MADE: dict[str, tuple[Status, str, str]] = {
    "UploadSSHPublicKey": (SSH_KEY, "sSHPublicKey", "sSHPublicKeyId"),
    "UploadSigningCertificate": (CERTIFICATE, "certificate", "certificateId"),
    "CreateServiceSpecificCredential": (
        SERVICE_CREDENTIAL,
        "serviceSpecificCredential",
        "serviceSpecificCredentialId",
    ),
}
"""For each call what it makes, and where its answer has it."""


class DisableCredential(LeverAction):
    """Makes the credential inactive that came of a call."""

    name = "disable-credential"
    levers: tuple[Lever, ...] = (SSH_KEY, CERTIFICATE, SERVICE_CREDENTIAL)

    def targets(self, record: Mapping[str, Any]) -> Sequence[Target]:
        known = _MADE.get(event_name(record))
        if known is None or not succeeded(record):
            return []
        lever, member, identity = known
        made = part(record, "responseElements", member)
        user, name = user_target(record, text(made, "userName")), text(made, identity)
        if user is None or not name:
            return []
        return [Target(TargetKind.KEY, user.account, name, of=(("credential", lever.name), ("user", user.name)))]

    def plan(self, target: Target, scene: Scene) -> Draft:
        user = target.detail("user")
        lever = next(one for one, _, _ in _MADE.values() if one.name == target.detail("credential"))
        does = f"make {lever.title} {target.name} of user {user} inactive"
        step = Step(self.name, lever.name, target.account, {"user": user, "id": target.name}, does)
        step = self.step(lever, scene.cloud, msgspec.structs.replace(step, wanted=INACTIVE))
        if step.found is None:
            raise ActionError(f"{lever.title} {target.name}", f"user {user} does not have it any more")
        return Draft((step,), cuts=(f"every program that uses {lever.title} {target.name}",))
