"""What cannot be taken back: another password, and a second factor that is taken away."""

from __future__ import annotations

from collections.abc import Sequence

from trailwatch.errors import ActionError
from trailwatch.model.response import RANDOM, Call, State, Step
from trailwatch.ports import Cloud
from trailwatch.respond.levers.inline_policy import ABSENT
from trailwatch.respond.levers.pages import items

RESET = "a password that nobody knows"
SET = "a password"


class Password:
    """Of `thing["user"]`; what the password is nobody can read, so its state is only that there is one."""

    name = "password"
    reads: tuple[str, ...] = ("iam:GetLoginProfile",)
    writes: tuple[str, ...] = ("iam:UpdateLoginProfile",)

    def read(self, step: Step, cloud: Cloud) -> State:
        try:
            cloud.call(Call(step.account, "iam", "GetLoginProfile", {"UserName": step.thing["user"]}))
        except ActionError as error:
            if error.code in ABSENT:
                return None
            raise
        return SET

    def calls(self, step: Step, found: State, wanted: State) -> Sequence[Call]:
        """A reset; never `PasswordResetRequired` alone, which lets whoever knows the password choose the next one."""
        if found is None or wanted != RESET:
            return ()
        parameters = {"UserName": step.thing["user"], "Password": RANDOM, "PasswordResetRequired": False}
        return (Call(step.account, "iam", "UpdateLoginProfile", parameters),)


class MfaDevice:
    """The second factor `thing["device"]`, a serial number, of `thing["user"]`; None where it has it not."""

    name = "mfa-device"
    reads: tuple[str, ...] = ("iam:ListMFADevices",)
    writes: tuple[str, ...] = ("iam:DeactivateMFADevice",)

    def read(self, step: Step, cloud: Cloud) -> State:
        listed = Call(step.account, "iam", "ListMFADevices", {"UserName": step.thing["user"]})
        serials = {one["SerialNumber"] for one in items(listed, "MFADevices", cloud)}
        return step.thing["device"] if step.thing["device"] in serials else None

    def calls(self, step: Step, found: State, wanted: State) -> Sequence[Call]:
        if found is None or wanted is not None:
            return ()
        parameters = {"UserName": step.thing["user"], "SerialNumber": step.thing["device"]}
        return (Call(step.account, "iam", "DeactivateMFADevice", parameters),)
