"""Whether a credential of a user works: `Active`, `Inactive`, or None for one that is not there."""

from __future__ import annotations

from collections.abc import Sequence

from trailwatch.errors import ActionError
from trailwatch.model.response import Call, State, Step
from trailwatch.ports import Cloud
from trailwatch.respond.levers.pages import items

ACTIVE = "Active"
INACTIVE = "Inactive"


class Status:
    """Of `thing["id"]`, a credential of `thing["user"]`.

    Args:
        name: of the lever.
        lists: the operation that lists such credentials.
        member: of its answer that holds them.
        identity: of each that holds its id; the same name has the parameter of `updates`.
        updates: the operation that sets the status.
        title: what such a credential is called.
    """

    def __init__(self, name: str, lists: str, member: str, identity: str, updates: str, title: str) -> None:
        self.name = name
        self.reads: tuple[str, ...] = (f"iam:{lists}",)
        self.writes: tuple[str, ...] = (f"iam:{updates}",)
        self.title = title
        self._lists = lists
        self._member = member
        self._identity = identity
        self._updates = updates

    def statuses(self, account: str, user: str, cloud: Cloud) -> dict[str, str]:
        """Id and status of every such credential of a user.

        Raises:
            ActionError: they cannot be listed.
        """
        listed = Call(account, "iam", self._lists, {"UserName": user})
        return {one[self._identity]: one["Status"] for one in items(listed, self._member, cloud)}

    def read(self, step: Step, cloud: Cloud) -> State:
        return self.statuses(step.account, step.thing["user"], cloud).get(step.thing["id"])

    def calls(self, step: Step, found: State, wanted: State) -> Sequence[Call]:
        if found == wanted:
            return ()
        if found is None:
            raise ActionError(f"{self.title} {step.thing['id']}", "it is not there any more")
        parameters = {"UserName": step.thing["user"], self._identity: step.thing["id"], "Status": wanted}
        return (Call(step.account, "iam", self._updates, parameters),)


ACCESS_KEY = Status(
    "access-key", "ListAccessKeys", "AccessKeyMetadata", "AccessKeyId", "UpdateAccessKey", "access key"
)
SSH_KEY = Status(
    "ssh-key", "ListSSHPublicKeys", "SSHPublicKeys", "SSHPublicKeyId", "UpdateSSHPublicKey", "SSH public key"
)
CERTIFICATE = Status(
    "signing-certificate",
    "ListSigningCertificates",
    "Certificates",
    "CertificateId",
    "UpdateSigningCertificate",
    "signing certificate",
)
SERVICE_CREDENTIAL = Status(
    "service-credential",
    "ListServiceSpecificCredentials",
    "ServiceSpecificCredentials",
    "ServiceSpecificCredentialId",
    "UpdateServiceSpecificCredential",
    "service credential",
)
CREDENTIALS = (ACCESS_KEY, SSH_KEY, CERTIFICATE, SERVICE_CREDENTIAL)
"""Everything that signs for a user and can be switched off; a password cannot."""
