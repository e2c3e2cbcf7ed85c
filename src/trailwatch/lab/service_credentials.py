"""Credentials that a user has for one service (CodeCommit, Keyspaces, Bedrock), which moto does not know.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceSpecificCredential.html
"""

from __future__ import annotations

import random
from typing import Any
from xml.sax.saxutils import escape

from moto.iam.models import iam_backends

from trailwatch.lab.answers import Answer, Refusal
from trailwatch.lab.call import Call
from trailwatch.lab.identities import PARTITION, Caller
from trailwatch.ports import Clock

_XML = "https://iam.amazonaws.com/doc/2010-05-08/"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_SHOWN = ("UserName", "Status", "ServiceUserName", "CreateDate", "ServiceSpecificCredentialId", "ServiceName")


class ServiceCredentials:
    """Makes, lists and switches them.

    Args:
        clock: when they were made.
        chance: makes their ids.
    """

    def __init__(self, clock: Clock, chance: random.Random) -> None:
        self._clock = clock
        self._chance = chance
        self._kept: dict[tuple[str, str], list[dict[str, str]]] = {}

    def create(self, call: Call, caller: Caller, request_id: str) -> Answer:
        """One more; its password is told once."""
        user, service = self._user(call, caller), str(call.parameters.get("ServiceName", ""))
        made = {
            "UserName": user,
            "Status": "Active",
            "ServiceUserName": f"{user}-at-{caller.account}",
            "CreateDate": f"{self._clock.now():%Y-%m-%dT%H:%M:%SZ}",
            "ServiceSpecificCredentialId": "ACCA" + "".join(self._chance.choices(_LETTERS, k=17)),
            "ServiceName": service,
        }
        self._kept.setdefault((caller.account, user), []).append(made)
        body = _members({**made, "ServicePassword": "invented"}, (*_SHOWN, "ServicePassword"))
        return _answer(call, f"<ServiceSpecificCredential>{body}</ServiceSpecificCredential>", request_id)

    def list(self, call: Call, caller: Caller, request_id: str) -> Answer:
        """Those of one user, without their passwords."""
        found = self._kept.get((caller.account, self._user(call, caller)), [])
        body = "".join(f"<member>{_members(one, _SHOWN)}</member>" for one in found)
        return _answer(call, f"<ServiceSpecificCredentials>{body}</ServiceSpecificCredentials>", request_id)

    def update(self, call: Call, caller: Caller, request_id: str) -> Answer:
        """Active or Inactive."""
        wanted = str(call.parameters.get("ServiceSpecificCredentialId", ""))
        for one in self._kept.get((caller.account, self._user(call, caller)), []):
            if one["ServiceSpecificCredentialId"] == wanted:
                one["Status"] = str(call.parameters["Status"])
                return _answer(call, None, request_id)
        raise Refusal("NoSuchEntity", f"No such credential {wanted} exists", 404)

    def _user(self, call: Call, caller: Caller) -> str:
        name = str(call.parameters.get("UserName") or caller.user_name)
        if name not in iam_backends[caller.account][PARTITION].users:
            raise Refusal("NoSuchEntity", f"The user with name {name} cannot be found.", 404)
        return name


def _members(values: dict[str, Any], names: tuple[str, ...]) -> str:
    return "".join(f"<{name}>{escape(str(values[name]))}</{name}>" for name in names)


def _answer(call: Call, result: str | None, request_id: str) -> Answer:
    name = call.operation
    shown = "" if result is None else f"<{name}Result>{result}</{name}Result>"
    body = (
        f'<{name}Response xmlns="{_XML}">{shown}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
    )
    return Answer(200, body.encode(), (("Content-Type", "text/xml"),))
