"""The door to AWS: one set of clients for each account, and a check that they belong there."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from trailwatch.aws import Access
from trailwatch.errors import ActionError, SourceError
from trailwatch.model.response import RANDOM, Call
from trailwatch.ports import Clock
from trailwatch.respond.records import without_session

BUSY = frozenset({"ConcurrentModification", "EntityTemporarilyUnmodifiable", "ConcurrentModificationException"})
"""What AWS answers when somebody else changes the same thing at this moment."""
BUSY_ATTEMPTS = 4
BUSY_PAUSE_SECONDS = 1.0
_REMEDIES = {
    "AccessDenied": "`trailwatch iam policy respond` prints what the responder role must be allowed",
    "AccessDeniedException": "`trailwatch iam policy respond` prints what the responder role must be allowed",
}


class AwsCloud:
    """Makes calls in accounts, each with its own responder; `trailwatch.ports.Cloud`.

    Args:
        responders: access by account number.
        otherwise: access for every other account; it is refused where its credentials belong elsewhere.
        clock: for the pauses when AWS is busy.
        token: makes the text that takes the place of `RANDOM` in a call.
    """

    def __init__(
        self,
        responders: Mapping[str, Access],
        otherwise: Access | None,
        clock: Clock,
        token: Callable[[], str] = lambda: secrets.token_urlsafe(48) + "aA1!",
    ) -> None:
        self._responders = responders
        self._otherwise = otherwise
        self._clock = clock
        self._token = token
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._identities: dict[str, str] = {}

    def call(self, call: Call) -> dict[str, Any]:
        """What AWS answered, as plain JSON values; of its metadata only the `RequestId`.

        Raises:
            ActionError: it was refused, or nobody answered.
        """
        self.identity(call.account)
        for attempt in range(BUSY_ATTEMPTS):
            try:
                return self._ask(call)
            except ActionError as error:
                if error.code not in BUSY or attempt + 1 == BUSY_ATTEMPTS:
                    raise
                self._clock.sleep(BUSY_PAUSE_SECONDS * 2**attempt)
        raise AssertionError  # the loop returns or raises

    def identity(self, account: str) -> str:
        """ARN of whoever acts in an account; for a role the role's own, without its path.

        Raises:
            ActionError: there is no way into that account.
        """
        known = self._identities.get(account)
        if known is None:
            answer = self._ask(Call(account, "sts", "GetCallerIdentity", {}))
            known = without_session(str(answer["Arn"]))
            if answer["Account"] != account:
                raise ActionError(
                    f"account {account}",
                    f"these credentials act in {answer['Account']}, as {known}",
                    f"name a role under [[respond.account]] with id = {account!r}",
                )
            self._identities[account] = known
        return known

    def own_account(self) -> str:
        """The account that is meant where nobody says which: the only responder's, else the ambient credentials'.

        Raises:
            ActionError: there are several responders, or no credentials.
        """
        if len(self._responders) > 1:
            listed = ", ".join(sorted(self._responders))
            raise ActionError("account", f"there are responders for {listed}", "say which with --account")
        for account in self._responders:
            return account
        return str(self._ask(Call("", "sts", "GetCallerIdentity", {}))["Account"])

    def _ask(self, call: Call) -> dict[str, Any]:
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError

        where = f"{call.title} in {call.account}"
        parameters = {name: self._token() if value == RANDOM else value for name, value in call.parameters.items()}
        try:
            answer = getattr(self._client(call), xform_name(call.operation))(**parameters)
        except ClientError as error:
            told = error.response.get("Error", {})
            code = str(told.get("Code", ""))
            text = f"{code}: {told.get('Message', '')}"
            request = request_of(error.response)
            raise ActionError(where, text, _REMEDIES.get(code, ""), code=code, request=request) from error
        except (BotoCoreError, SourceError) as error:
            raise ActionError(where, str(error), "check the credentials and the way to AWS") from error
        return plain({**answer, "ResponseMetadata": {"RequestId": request_of(answer)}})

    def _client(self, call: Call) -> Any:
        access = self._responders.get(call.account) or self._otherwise
        if access is None:
            raise ActionError(f"account {call.account}", "nobody may act there", "add it under [[respond.account]]")
        region = call.region or access.default_region
        key = (call.account, call.service, region)
        client = self._clients.get(key)
        if client is None:
            client = self._clients[key] = access.client(call.service, region)
        return client


def request_of(answer: Mapping[str, Any]) -> str:
    """AWS's id of the request, which the call's event has as `requestID`; empty where there is none."""
    return str(answer.get("ResponseMetadata", {}).get("RequestId", ""))


def plain(answer: Any) -> dict[str, Any]:
    """An answer as values that JSON has: times as text, documents as mappings."""
    values: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(answer))
    return values
