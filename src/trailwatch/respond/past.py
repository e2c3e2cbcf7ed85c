"""What the archive knows of events that are over."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from trailwatch.archive import Archive
from trailwatch.decode.records import to_mapping
from trailwatch.errors import DecodeError
from trailwatch.model.alert import Evidence
from trailwatch.respond.records import event_name, succeeded, text


class ArchivePast:
    """Reads the archive; `trailwatch.ports.Past`.

    Args:
        archive: None where nothing is kept, so that nothing is known.
    """

    def __init__(self, archive: Archive | None) -> None:
        self._archive = archive

    def events(self, account: str, names: Collection[str]) -> Iterable[Mapping[str, Any]]:
        """The records of calls of these names that succeeded, the newest first."""
        if self._archive is None:
            return []
        quoted = [f'"{name}'.encode() for name in names]
        found: dict[str, Mapping[str, Any]] = {}
        for delivery in self._archive.read(account=account):
            for raw in delivery.records:
                if not any(name in bytes(raw) for name in quoted):
                    continue
                try:
                    record = to_mapping(bytes(raw))
                except DecodeError:
                    continue
                if event_name(record) in names and succeeded(record):
                    found[text(record, "eventID") or str(len(found))] = record
        return sorted(found.values(), key=lambda record: text(record, "eventTime"), reverse=True)

    def record(self, evidence: Evidence) -> bytes | None:
        """The record of an event of an alert; None where the archive does not have it."""
        if self._archive is None:
            return None
        quoted = f'"{evidence.event_id}"'.encode()
        for delivery in self._archive.read(evidence.time, evidence.time + 1, evidence.account):
            for raw in delivery.records:
                if quoted in bytes(raw):
                    return bytes(raw)
        return None
