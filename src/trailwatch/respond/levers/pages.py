"""Lists that AWS answers page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from trailwatch.model.response import Call
from trailwatch.ports import Cloud

PAGES_AT_MOST = 100


def items(call: Call, member: str, cloud: Cloud) -> Iterator[Any]:
    """Every item of a list of IAM.

    Args:
        call: of the list's first page.
        member: of the answer that holds the items.
        cloud: where it is called.

    Raises:
        ActionError: a page cannot be had.
    """
    for _ in range(PAGES_AT_MOST):
        answer = cloud.call(call)
        yield from answer.get(member, ())
        if not answer.get("IsTruncated"):
            return
        call = msgspec.structs.replace(call, parameters={**call.parameters, "Marker": answer["Marker"]})
