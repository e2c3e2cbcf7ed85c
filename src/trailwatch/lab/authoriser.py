"""Decides in front of moto whether a call may pass; moto itself lets everybody do everything."""

from __future__ import annotations

from datetime import datetime

from trailwatch.lab.answers import Refusal
from trailwatch.lab.call import Call
from trailwatch.lab.identities import Caller, Session

# How services spell "this key is unknown", which they all do differently.
_UNKNOWN_KEY = {
    "ec2": ("AuthFailure", "AWS was not able to validate the provided access credentials", 401),
    "query": ("InvalidClientTokenId", "The security token included in the request is invalid.", 403),
    "rest-xml": ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403),
    "json": ("UnrecognizedClientException", "The security token included in the request is invalid.", 400),
    "rest-json": ("UnrecognizedClientException", "The security token included in the request is invalid.", 403),
}
_EXPIRED = {
    "ec2": ("RequestExpired", "Request has expired.", 400),
    "query": ("ExpiredToken", "The security token included in the request is expired", 403),
    "rest-xml": ("ExpiredToken", "The provided token has expired.", 400),
    "json": ("ExpiredTokenException", "The security token included in the request is expired", 400),
    "rest-json": ("ExpiredTokenException", "The security token included in the request is expired", 403),
}


class Authoriser:
    """Checks the key of a call. Refused keys are nobody's, so CloudTrail does not record such a call."""

    def authenticate(self, call: Call, caller: Caller | None, session: Session | None, now: datetime) -> Caller:
        """The caller of a call with a good key.

        Raises:
            Refusal: the key is unknown, inactive or expired; spelled as the call's protocol spells it.
        """
        if caller is None or not caller.active:
            raise Refusal(*_UNKNOWN_KEY[call.protocol])
        if session is not None and session.expires <= now:
            raise Refusal(*_EXPIRED[call.protocol])
        return caller
