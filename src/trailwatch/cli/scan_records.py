"""The records of what rules with a memory told at the end of a scan, read once more where they lie.

Of what such rules hear hardly anything is ever told, so that to keep every record would take more memory than the
rest of a scan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from trailwatch.model.identity import synthetic_event_id
from trailwatch.model.match import Match
from trailwatch.sources.files import LogFile, read_file


def with_records(matches: Sequence[Match], files: Iterable[LogFile]) -> list[Match]:
    """The matches, in their order, those without a record with the one at their position.

    A file that changed meanwhile gives none.

    Args:
        matches: what was told.
        files: what was scanned.
    """
    origins = {one.origin for one in matches if not one.record}
    by_path = {file.path: file for file in files if file.path in origins} if origins else {}
    wanted: dict[str, set[int]] = {}
    for one in matches:
        if not one.record and one.origin in by_path:
            wanted.setdefault(one.origin, set()).add(one.position)
    records = {path: _records(by_path[path], positions) for path, positions in wanted.items()}
    return [_with_record(one, records.get(one.origin, {})) for one in matches]


def _records(file: LogFile, positions: set[int]) -> dict[int, bytes]:
    found = read_file(file)
    return {
        position: bytes(record)
        for position, record in zip(found.positions, found.records, strict=True)
        if position in positions
    }


def _with_record(match: Match, records: Mapping[int, bytes]) -> Match:
    record = b"" if match.record else records.get(match.position, b"")
    if not record or (match.event_id.encode() not in record and synthetic_event_id(record) != match.event_id):
        return match
    return msgspec.structs.replace(match, record=record)
