"""What a person needs to know of an event when its record is not at hand."""

from __future__ import annotations

from typing import Any

from trailwatch.detect.callers import Caller
from trailwatch.detect.links import identity_of
from trailwatch.model.event import Event
from trailwatch.model.identity import synthetic_event_id
from trailwatch.model.signal import Brief


def plain_brief(event: Any, caller: Caller, time: int) -> Brief:
    """Of an event decoded to the struct of `trailwatch.detect.schema`.

    Args:
        event: the struct.
        caller: who called.
        time: its time in seconds since 1970.
    """
    principal = caller.principal
    return Brief(
        event_id=event.eventID,
        time=time,
        account=account_of(event, caller),
        region=_text(event.awsRegion),
        event_source=_text(event.eventSource),
        event_name=event.eventName,
        principal=principal.key,
        who=caller.who,
        access_key=principal.access_key,
        source_ip=_text(event.sourceIPAddress),
        user_agent=_text(event.userAgent),
        error_code=_text(event.errorCode),
        identity=caller.identity,
    )


def account_of(event: Any, caller: Caller) -> str:
    """The account of such an event."""
    account = event.recipientAccountId
    return account if type(account) is str and account else caller.principal.account


def _text(value: Any) -> str:
    return value if type(value) is str else ""


def brief_of(event: Event, raw: bytes) -> Brief:
    """Of an event decoded whole.

    Args:
        event: the event.
        raw: its record.
    """
    principal = event.principal
    return Brief(
        event_id=event.event_id or synthetic_event_id(raw),
        time=int(event.time.timestamp()),
        account=event.account,
        region=event.region,
        event_source=event.source,
        event_name=event.name,
        principal=principal.key,
        who=str(principal),
        access_key=principal.access_key,
        source_ip=event.source_ip,
        user_agent=event.user_agent,
        error_code=event.error_code,
        identity=identity_of(principal),
    )
