"""Detecting, telling and responding as an AWS Lambda function: `trailwatch.aws_lambda.handler`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trailwatch.aws_lambda.function import Function


def answer(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """What Lambda hands back: counts, and for a queue the messages that have to come again.

    Args:
        event: an EventBridge event, a batch of a queue, a notification of S3 or SNS, or one of these in another.
        context: Lambda's; its remaining time says how long another invocation must wait for this one.

    Raises:
        TrailwatchError: something was not told or could not be read, and the event is not a queue's: Lambda shall
            send it again.
    """
    return _function().answer(event, context)


handler = answer
"""The name that the function's configuration tells Lambda."""


@functools.cache
def _function() -> Function:
    """Made at the first invocation and kept, because Lambda keeps the process for the next ones."""
    import os

    from trailwatch.aws_lambda.assembly import assemble

    return assemble(os.environ)
