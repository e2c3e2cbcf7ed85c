"""Regions that cannot be read: told once, told again each day, and told when it is over."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from trailwatch.model.message import Message
from trailwatch.service.report import RegionReport, duration
from trailwatch.store.regions import Trouble
from trailwatch.store.store import Store

PATIENCE_SECONDS = 600
"""What may pass by itself, such as a network fault, is told when it lasts so long."""
REPEAT_SECONDS = 86400


def tell_troubles(store: Store, regions: Sequence[RegionReport], notifiers: Sequence[str], now: int) -> list[Message]:
    """Keeps which regions cannot be read, and puts what people must know of it into the outbox.

    Args:
        store: where it is kept.
        regions: what this cycle found.
        notifiers: who is told, by name.
        now: seconds since 1970.
    """
    with store.transaction():
        told: list[Message] = []
        over: list[Trouble] = []
        due: list[Trouble] = []
        for region in regions:
            if region.error_kind:
                trouble = store.regions.failed(region.account, region.region, region.error_kind, region.error, now)
                if _is_due(trouble, now):
                    due.append(trouble)
                    store.regions.told(trouble.account, trouble.region, now)
            else:
                before = store.regions.recovered(region.account, region.region)
                if before is not None and before.told:
                    over.append(before)
        if due:
            told.append(_message("cannot read", due, now, _reasons(due, now)))
        if over:
            told.append(_message("reads again", over, now, _reasons(over, now)))
        for message in told:
            store.outbox.add(message, notifiers, now)
    return told


def _is_due(trouble: Trouble, now: int) -> bool:
    if trouble.told:
        return now - trouble.told >= REPEAT_SECONDS
    passes_by_itself = trouble.kind in ("unreachable", "throttled")
    return not passes_by_itself or now - trouble.since >= PATIENCE_SECONDS


def _message(what: str, troubles: Sequence[Trouble], now: int, body: str) -> Message:
    first = troubles[0]
    place = first.account if first.region == "*" else f"{first.account}/{first.region}"
    more = f" and {len(troubles) - 1} more" if len(troubles) > 1 else ""
    places = "\0".join(f"{one.account}/{one.region}" for one in troubles)
    return Message(
        id=hashlib.sha256(f"{what}\0{now}\0{places}".encode()).hexdigest()[:32],
        created=now,
        principal="",
        alerts=(),
        headline=f"trailwatch {what} {place}{more}",
        body=body,
    )


def _reasons(troubles: Sequence[Trouble], now: int) -> str:
    lines = []
    for one in troubles:
        text = "".join(char if char.isprintable() else "\ufffd" for char in one.what)
        lines.append(f"{one.account}/{one.region}, for {duration(max(0, now - one.since))}: {text}")
    return "\n".join(lines)
