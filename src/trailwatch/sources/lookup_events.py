"""LookupEvents, page by page: the last 90 days of management events of one account and region, at no cost.

Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from trailwatch.errors import SourceError
from trailwatch.model.coverage import Interval

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

PERMISSIONS = ("cloudtrail:LookupEvents",)
"""Every IAM action that a look-up needs."""
PAGE_SIZE = 50
RESTARTS = 3
"""How often a window is begun again after AWS refused its token."""
TRIES = 4
"""How often a page is asked for when botocore's own retries were not enough."""

_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "NotAuthorized",
    "OperationNotPermittedException",
    "UnauthorizedOperation",
}
_NOT_KNOWN = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
"""What AWS answers to credentials that are wrong or too old, or that a region which is not enabled does not know."""
_THROTTLED = {
    "LimitExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_RENEW = "renew the AWS credentials, or correct the machine's clock, or enable the region"
_REMEDIES = {
    "denied": "allow cloudtrail:LookupEvents there, or leave the region out with check.regions",
    "throttled": "another tool uses the same two requests a second; it is tried again in the next cycle",
    "unreachable": "it is tried again in the next cycle",
    "invalid": "report this as a fault of trailwatch",
}


class Page(msgspec.Struct, frozen=True):
    """One answer: records as AWS holds them, newest first."""

    records: tuple[bytes, ...]
    oldest: int | None
    """Time of the last event on it, in seconds since 1970; None for an empty page."""
    more: bool
    """Whether older pages follow."""
    restarted: bool = False
    """Whether the window was begun again with this page, because AWS refused the token."""


def look_up(
    client: Any,
    origin: str,
    attribute: tuple[str, str] | None,
    window: Interval,
    *,
    may_go_on: Callable[[], bool] = lambda: True,
) -> Iterator[Page]:
    """Pages of the events in `window`, newest first; each is asked for when the one before was taken.

    Args:
        client: a CloudTrail client, paced by its owner.
        origin: account and region, for errors.
        attribute: name and value of the one attribute to look up by, such as ("EventName", "GetSecretValue").
        window: both ends are included, because AWS includes them.
        may_go_on: whether there is still time to try a page again after it failed.

    Raises:
        SourceError: a page could not be had.
    """
    request: dict[str, Any] = {
        "StartTime": datetime.fromtimestamp(window.start, UTC),
        "EndTime": datetime.fromtimestamp(window.end, UTC),
        "MaxResults": PAGE_SIZE,
    }
    if attribute is not None:
        request["LookupAttributes"] = [{"AttributeKey": attribute[0], "AttributeValue": attribute[1]}]
    token: str | None = None
    restarts = 0
    restarted = False
    while True:
        try:
            answer = _ask(client, origin, request if token is None else {**request, "NextToken": token}, may_go_on)
        except _TokenRefusedError as error:
            restarts += 1
            if token is None or restarts > RESTARTS:
                raise _source_error(origin, "invalid", str(error)) from error
            token, restarted = None, True
            continue
        token = answer.get("NextToken") or None
        yield _page(answer, more=token is not None, restarted=restarted)
        restarted = False
        if token is None:
            return


def _page(answer: dict[str, Any], *, more: bool, restarted: bool) -> Page:
    events = answer.get("Events", ())
    return Page(
        records=tuple(_record(event) for event in events),
        oldest=int(events[-1]["EventTime"].timestamp()) if events else None,
        more=more,
        restarted=restarted,
    )


def _record(event: dict[str, Any]) -> bytes:
    # without the record itself nothing could be judged; what there is becomes a reject that says so
    text = event.get("CloudTrailEvent")
    if isinstance(text, str):
        return text.encode("utf-8", "surrogatepass")
    return msgspec.json.encode({"CloudTrailEvent": None, "EventId": str(event.get("EventId"))})


class _TokenRefusedError(Exception):
    """AWS no longer takes the token."""


def _ask(client: Any, origin: str, request: dict[str, Any], may_go_on: Callable[[], bool]) -> dict[str, Any]:
    for attempt in range(1, TRIES + 1):
        try:
            answer: dict[str, Any] = client.lookup_events(**request)
        except Exception as error:
            failure = as_source_error(origin, error)
            if failure is None:
                raise
            if "InvalidNextToken" in failure.what:
                raise _TokenRefusedError(failure.what) from error
            if failure.kind in ("denied", "invalid") or attempt == TRIES or not may_go_on():
                raise failure from error
        else:
            return answer
    raise AssertionError("the last attempt returned or raised")


def as_source_error(origin: str, error: Exception) -> SourceError | None:
    """What botocore raised, as an error with a kind; None for anything that is not about AWS or the way there."""
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        return _of_client_error(origin, error)
    denied = (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.CredentialRetrievalError,
        exceptions.TokenRetrievalError,
    )
    if isinstance(error, denied):
        return SourceError(origin, str(error), "give trailwatch AWS credentials", kind="denied")
    if isinstance(error, exceptions.ParamValidationError):
        return _source_error(origin, "invalid", " ".join(str(error).split()))
    if isinstance(error, exceptions.BotoCoreError):
        return _source_error(origin, "unreachable", f"{type(error).__name__}: {error}")
    return None


def _of_client_error(origin: str, error: ClientError) -> SourceError:
    code = error.response.get("Error", {}).get("Code", "Unknown")
    message = str(error.response.get("Error", {}).get("Message", "")).rstrip(". ")
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    what = f"{code}: {message}" if message else code
    if code in _NOT_KNOWN:
        return SourceError(origin, what, _RENEW, kind="denied")
    if code in _DENIED:
        kind = "denied"
    elif code in _THROTTLED or status == 429:  # noqa: PLR2004 the status for too many requests
        kind = "throttled"
    else:
        kind = "unreachable" if status >= 500 else "invalid"  # noqa: PLR2004 where server errors begin
    return _source_error(origin, kind, what)


def _source_error(origin: str, kind: str, what: str) -> SourceError:
    return SourceError(origin, what, _REMEDIES[kind], kind=kind)
