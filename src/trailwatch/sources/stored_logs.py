"""Log files out of a bucket, as deliveries."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from trailwatch.decode.containers import split
from trailwatch.errors import SourceError
from trailwatch.ports import Delivery
from trailwatch.sources.files import delivery_of

PERMISSIONS = ("s3:GetObject",)
"""Every IAM action that reading logs needs; of an encrypted bucket kms:Decrypt on its key besides."""
LIMIT_BYTES = 256 << 20
"""Most that a log may have, unpacked: it has to fit into the function's memory."""
_NO_LOGS = ("/CloudTrail-Digest/", "/CloudTrail-Insight/")


class StoredLog(msgspec.Struct, frozen=True):
    """A log file that lies in a bucket."""

    bucket: str
    key: str

    @property
    def origin(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class Logs:
    """Reads logs of the buckets that the configuration names, and of no other.

    Args:
        client: makes an S3 client, asked when the first log is read.
        places: `bucket` or `bucket/prefix`.
        limit_bytes: most that a log may have, unpacked.
    """

    def __init__(self, client: Callable[[], Any], places: Sequence[str], limit_bytes: int = LIMIT_BYTES) -> None:
        self._client = client
        self._places = [bare(place) for place in places]
        self._limit_bytes = limit_bytes

    def read(self, log: StoredLog) -> Delivery:
        """The log's records; digests and logs of Insights are left out without being fetched.

        Raises:
            SourceError: the bucket is none of the configured ones, or the log cannot be read.
        """
        if not self._is_known(log):
            raise SourceError(
                log.origin,
                "a message names this log, which lies in no bucket that may be read",
                "if it is yours, add its bucket to aws_lambda.buckets; if not, look who sends such messages",
                kind="denied",
            )
        if any(folder in "/" + log.key for folder in _NO_LOGS):
            return delivery_of(split(b"", log.origin), log.origin)
        return delivery_of(split(self._body(log), log.origin, self._limit_bytes), log.origin)

    def _is_known(self, log: StoredLog) -> bool:
        for place in self._places:
            bucket, _, prefix = place.partition("/")
            if log.bucket == bucket and (not prefix or log.key.startswith(prefix + "/")):
                return True
        return False

    def _body(self, log: StoredLog) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client().get_object(Bucket=log.bucket, Key=log.key)
            body: bytes = answer["Body"].read(self._limit_bytes + 1)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            what, remedy = _WHY.get(code, (str(error), "look at the error"))
            kind = "denied" if code in ("AccessDenied", "403") else "invalid"
            raise SourceError(log.origin, what, remedy, kind=kind) from error
        except BotoCoreError as error:
            raise SourceError(log.origin, f"cannot be fetched: {error}", "it is tried again") from error
        return body


def bare(place: str) -> str:
    """`bucket` or `bucket/prefix`, however a place was written."""
    return re.sub(r"^(?:s3://|arn:[a-z-]+:s3:::)", "", place).rstrip("/")


_WHY = {
    "NoSuchKey": ("the log is gone", "look who deleted it, and whether a lifecycle rule did"),
    "NoSuchBucket": ("there is no such bucket", "correct aws_lambda.buckets or the notification"),
    "AccessDenied": (
        "it may not be read",
        "allow the function's role s3:GetObject on it, and kms:Decrypt on its key",
    ),
}
