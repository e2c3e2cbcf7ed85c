"""Sessions that STS issues in the lab: which key is whose, and the copies that other accounts' trails get."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from moto.iam.models import iam_backends
from moto.iam.utils import generate_access_key_id_from_account_id

from trailwatch.lab.answers import Answer, Refusal
from trailwatch.lab.call import Call
from trailwatch.lab.identities import PARTITION, Caller, Identities, Session
from trailwatch.lab.records import parse_answer
from trailwatch.ports import Clock

ISSUING = {"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}
_XML = "https://sts.amazonaws.com/doc/2011-06-15/"
_TOKEN = base64.b64encode(b"a session token of the lab, worth nothing anywhere else").decode()


class SessionTokens:
    """Keeps what moto forgets about sessions: when they began, with MFA or not, from whom."""

    def __init__(self, identities: Identities, clock: Clock) -> None:
        self._identities = identities
        self._clock = clock
        self._chance = random.SystemRandom()

    def after(self, call: Call, caller: Caller, answer: Answer) -> Answer:
        """What follows from a call that succeeded; the answer, in which ids may have been put right."""
        if call.signing_name == "sts" and call.operation in ISSUING:
            self._remember_role_session(call, caller, answer)
        elif call.signing_name == "iam" and call.operation == "CreateUser":
            return _with_real_user_id(call, caller, answer)
        return answer

    def _remember_role_session(self, call: Call, caller: Caller, answer: Answer) -> None:
        credentials = parse_answer(call, answer).get("Credentials") or {}
        role, behind = find_role(call), self._identities.session(call.key_id)
        if role is None or not credentials:
            return
        parameters, now = call.parameters, self._clock.now()
        account = str(parameters["RoleArn"]).split(":")[4]
        self._identities.add_session(
            Session(
                key_id=credentials["AccessKeyId"],
                account=account,
                kind="AssumedRole",
                name=str(parameters["RoleSessionName"]) if "RoleSessionName" in parameters else "session",
                issued=now.replace(microsecond=0),
                expires=now + timedelta(seconds=int(parameters.get("DurationSeconds") or 3600)),
                mfa=bool(parameters.get("SerialNumber") and parameters.get("TokenCode")),
                issuer={
                    "type": "Role",
                    "principalId": role.id,
                    "arn": role.arn,
                    "accountId": account,
                    "userName": role.name,
                },
                source_identity=str(parameters.get("SourceIdentity") or (behind.source_identity if behind else "")),
                policy=str(parameters.get("Policy") or ""),
                federated_provider=str(caller.identity.get("identityProvider", ""))
                if caller.kind == "WebIdentityUser"
                else "",
            )
        )

    def get_session_token(self, call: Call, caller: Caller, request_id: str) -> Answer:
        """A session of the same user; moto would give everybody the same key."""
        if caller.kind not in {"IAMUser", "Root"} or caller.issued is not None:
            raise Refusal("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
        session = self._issue(call, caller, "IAMUser", caller.user_name)
        return self._credentials(call, session, request_id, "")

    def get_federation_token(self, call: Call, caller: Caller, request_id: str) -> Answer:
        """A session under a name of the caller's choice."""
        if caller.kind not in {"IAMUser", "Root"} or caller.issued is not None:
            raise Refusal("AccessDenied", "Cannot call GetFederationToken with session credentials", 403)
        name = str(call.parameters.get("Name", ""))
        session = self._issue(call, caller, "FederatedUser", name)
        user = (
            f"<FederatedUser><FederatedUserId>{caller.account}:{name}</FederatedUserId>"
            f"<Arn>arn:aws:sts::{caller.account}:federated-user/{name}</Arn></FederatedUser>"
            "<PackedPolicySize>6</PackedPolicySize>"
        )
        return self._credentials(call, session, request_id, user)

    def _issue(self, call: Call, caller: Caller, kind: str, name: str) -> Session:
        now = self._clock.now()
        session = Session(
            key_id=generate_access_key_id_from_account_id(caller.account, prefix="ASIA"),
            account=caller.account,
            kind=kind,
            name=name,
            issued=now.replace(microsecond=0),
            expires=now + timedelta(seconds=int(call.parameters.get("DurationSeconds") or 43_200)),
            mfa=bool(call.parameters.get("SerialNumber") and call.parameters.get("TokenCode")),
            issuer={
                "type": caller.kind,
                "principalId": str(caller.identity["principalId"]),
                "arn": caller.arn,
                "accountId": caller.account,
                "userName": caller.user_name,
            },
            policy=str(call.parameters.get("Policy") or ""),
        )
        self._identities.add_session(session)
        return session

    def _credentials(self, call: Call, session: Session, request_id: str, more: str) -> Answer:
        secret = base64.b64encode(self._chance.randbytes(30)).decode()
        name = call.operation
        body = (
            f'<{name}Response xmlns="{_XML}"><{name}Result><Credentials><AccessKeyId>{session.key_id}</AccessKeyId>'
            f"<SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{_TOKEN}</SessionToken>"
            f"<Expiration>{session.expires:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>{more}</{name}Result>"
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
        )
        return Answer(200, body.encode(), (("Content-Type", "text/xml"),))

    def copies(
        self, call: Call, caller: Caller, record: dict[str, Any], new_id: Callable[[], str]
    ) -> Iterator[dict[str, Any]]:
        """The record itself and, for a role of another account, that account's copy with the same sharedEventID."""
        target = str(call.parameters.get("RoleArn", "")).split(":")[4:5] if call.operation in ISSUING else []
        if not target or target[0] == caller.account or call.signing_name != "sts":
            yield record
            return
        if caller.kind not in {"WebIdentityUser", "SAMLUser"}:
            record["sharedEventID"] = new_id()
            yield record
            if "errorCode" in record:  # the other account's trail has no failed attempts from outside
                return
        outsider = {"type": "AWSAccount", "principalId": record["userIdentity"].get("principalId", "")}
        outsider["accountId"] = caller.account
        known = caller.kind in {"WebIdentityUser", "SAMLUser"}
        yield record | {
            "userIdentity": record["userIdentity"] if known else outsider,
            "eventID": new_id(),
            "recipientAccountId": target[0],
        }


def find_role(call: Call) -> Any:
    """Moto's role that a call wants to assume; None when there is none."""
    arn = str(call.parameters.get("RoleArn", ""))
    parts = arn.split(":")
    if len(parts) < 6 or parts[4] not in iam_backends:  # noqa: PLR2004 arn:aws:iam::account:role/name
        return None
    roles = iam_backends[parts[4]][PARTITION].roles.values()
    return next((role for role in roles if role.arn == arn), None)


def _with_real_user_id(call: Call, caller: Caller, answer: Answer) -> Answer:
    """Moto's user ids are random small letters; those of AWS begin with AIDA, and rules look at that."""
    user = iam_backends[caller.account][PARTITION].users.get(str(call.parameters.get("UserName", "")))
    if user is None:
        return answer
    old, user.id = user.id, generate_access_key_id_from_account_id(caller.account, prefix="AIDA", total_length=21)
    return Answer(answer.status, answer.body.replace(old.encode(), user.id.encode()), answer.headers)
