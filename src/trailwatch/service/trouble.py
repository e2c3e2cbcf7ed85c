"""Regions that cannot be read: told once, told again each day, and told when it is over."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from trailwatch.model.message import Kind, Message
from trailwatch.service.report import RegionReport, duration, listed
from trailwatch.store.regions import Trouble
from trailwatch.store.store import Store

PATIENCE_SECONDS = 600
"""What may pass by itself, such as a network fault, is told when it lasts so long."""
REPEAT_SECONDS = 86400
SHORT_SECONDS = 60
"""How long something lasts is not said below that."""


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
            told.append(_message("cannot read", due, now, "\n".join(reasons(due, now))))
        if over:
            told.append(_message("reads again", over, now, "\n".join(reasons(over, now))))
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
    more = f" and {len(troubles) - 1} more" if len(troubles) > 1 else ""
    places = "\0".join(f"{one.account}/{one.region}" for one in troubles)
    return Message(
        id=hashlib.sha256(f"{what}\0{now}\0{places}".encode()).hexdigest()[:32],
        created=now,
        principal="",
        alerts=(),
        headline=f"trailwatch {what} {_origin(first)}{more}",
        body=body,
        kind=Kind.NOTICE,
    )


def reasons(troubles: Sequence[Trouble], now: int) -> list[str]:
    """One line for each reason: where it is so, for how long, why, and what to do."""
    alike: dict[tuple[str, str], list[Trouble]] = {}
    for one in troubles:
        text = "".join(char if char.isprintable() else "\ufffd" for char in one.what)
        alike.setdefault((one.account, text.removeprefix(f"{_origin(one)}: ")), []).append(one)
    return [_reason(account, text, found, now) for (account, text), found in alike.items()]


def _reason(account: str, text: str, troubles: Sequence[Trouble], now: int) -> str:
    names = [one.region for one in troubles]
    if names == ["*"]:
        where = f"all of {account}"
    elif len(names) == 1:
        where = f"{account}/{names[0]}"
    else:
        where = f"{len(names)} regions of {account} ({listed(names)})"
    seconds = max(0, now - min(one.since for one in troubles))
    since = f", for {duration(seconds)}" if seconds >= SHORT_SECONDS else ""
    return f"{where}{since}: {text}"


def _origin(trouble: Trouble) -> str:
    return trouble.account if trouble.region == "*" else f"{trouble.account}/{trouble.region}"
