"""The events of a response's own calls among others, told by what AWS alone writes: nobody can hide behind them.

AWS chooses the id of a request and tells it to the caller, who writes it into the journal. A record is a call's event
only if request id, account, call and caller are right, and only once; whatever else the responder does is judged by
the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trailwatch.decode.records import to_mapping
from trailwatch.model.response import Made
from trailwatch.respond.records import event_name, part, text, without_session


def requests_at(records: Mapping[int, bytes], awaited: Mapping[str, Made]) -> dict[int, str]:
    """Which of the records are events of awaited calls, with their request ids.

    Of two events for one call the first is; a record that came twice is one event.

    Args:
        records: events, by their place.
        awaited: by request id.
    """
    events: dict[str, str] = {}
    found: dict[int, str] = {}
    for at, raw in records.items():
        record = to_mapping(raw)
        made, event = awaited.get(text(record, "requestID")), text(record, "eventID")
        if made is not None and _is(record, made) and events.setdefault(made.request, event) == event:
            found[at] = made.request
    return found


def _is(record: Mapping[str, Any], made: Made) -> bool:
    return (
        text(record, "recipientAccountId") == made.account
        and text(record, "eventSource") == f"{made.service}.amazonaws.com"
        and event_name(record) == made.operation
        and without_session(text(part(record, "userIdentity"), "arn")) == made.caller
    )
