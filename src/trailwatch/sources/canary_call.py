"""The canary's call: refused by construction, free, and recorded as a call that changes something."""

from __future__ import annotations

from typing import Any

from trailwatch.errors import SourceError
from trailwatch.sources.lookup_events import as_source_error
from trailwatch.version import __version__

MARKED_CALL = "before-send.cloudtrail.RemoveTags"
_PARTITIONS = (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"))
_SENT = ("denied", "invalid")
"""Kinds of errors that are AWS's answer, so the call was made and is recorded."""


def call(client: Any, account: str, region: str, marker: str) -> None:
    """Makes the call; comes back when AWS refused it.

    Args:
        client: a CloudTrail client of that region, used for nothing else.
        account: in which it is made.
        region: where it is made.
        marker: what the event is known by.

    Raises:
        SourceError: it could not be made, or was not refused.
    """

    def mark(request: Any, **_: object) -> None:
        # after signing, which leaves the user agent out
        request.headers["User-Agent"] = f"trailwatch/{__version__} {marker}"

    partition = next((name for prefix, name in _PARTITIONS if region.startswith(prefix)), "aws")
    trail = f"arn:{partition}:cloudtrail:{region}:{account}:trail/{marker}"
    client.meta.events.register(MARKED_CALL, mark)
    try:
        client.remove_tags(ResourceId=trail, TagsList=[{"Key": marker}])
    except Exception as error:
        failure = as_source_error(f"{account}/{region}", error)
        if failure is None:
            raise
        if failure.kind not in _SENT or not hasattr(error, "response"):
            raise failure from error
        return
    finally:
        client.meta.events.unregister(MARKED_CALL, mark)
    raise SourceError(
        f"{account}/{region}", f"there is a trail called {marker}", "nobody should know that name", kind="invalid"
    )
