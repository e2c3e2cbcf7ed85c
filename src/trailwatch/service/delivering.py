"""A window that was read, as the pipeline takes it; and what its matches ask to be read next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from trailwatch.model.match import Match
from trailwatch.ports import CoverageGain, Delivery
from trailwatch.sources.slices import Purpose, Slice

TEMPORARY_KEY = "ASIA"
"""How access keys of sessions begin."""


def delivery_of(piece: Slice) -> Delivery:
    """A window as the pipeline takes it; it is covered only when it was read in full."""
    key = piece.key
    covered = piece.complete and piece.purpose is not Purpose.SESSION
    return Delivery(
        origin=f"{key.account}/{key.region}/{key.lookup}",
        records=[msgspec.Raw(record) for record in piece.records],
        positions=range(len(piece.records)),
        gains=(CoverageGain(key, piece.window),) if covered else (),
        archive=True,
    )


class Session(NamedTuple):
    """A role session by its access key."""

    account: str
    region: str
    access_key: str


class _Identity(msgspec.Struct):
    type: str = ""
    accessKeyId: str = ""  # noqa: N815 the record's own spelling


class _Record(msgspec.Struct):
    userIdentity: _Identity  # noqa: N815 the record's own spelling


def sessions_of(matches: Sequence[Match]) -> Iterator[tuple[Session, int]]:
    """Role sessions among what matched, each with the time of its newest match."""
    newest: dict[Session, int] = {}
    for match in matches:
        try:
            identity = msgspec.json.decode(match.record, type=_Record).userIdentity
        except msgspec.MsgspecError:
            continue
        if match.rule.alerting and identity.type == "AssumedRole" and identity.accessKeyId.startswith(TEMPORARY_KEY):
            session = Session(match.account, match.region, identity.accessKeyId)
            newest[session] = max(newest.get(session, 0), match.time)
    yield from newest.items()
