"""Recorded events once, in every form that a target wants them in."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest
from moto.events.models import EventPattern

from trailwatch.rules.catalog import load_rules
from trailwatch.translate.view import create_view

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
ALIKE = 8
"""How many events with the same name and outcome are taken of one recording, because they repeat themselves."""
DETAIL_TYPES = {
    "AwsConsoleSignIn": "AWS Console Sign In via CloudTrail",
    "AwsServiceEvent": "AWS Service Event via CloudTrail",
    "AwsConsoleAction": "AWS Console Action via CloudTrail",
}


class Recorded(NamedTuple):
    """The events and a DuckDB with the same ones, numbered by their requestID."""

    records: list
    connection: duckdb.DuckDBPyConnection
    flattened: list

    def __repr__(self):
        return f"<{len(self.records)} events>"

    def rows(self, sql):
        found = self.connection.execute(sql.replace("*", "requestid", 1)).fetchall()
        return sorted(int(row[0]) for row in found)

    def matched_by_event_bus(self, text):
        pattern = EventPattern.load(_without_line_ends(text))
        return [
            at for at, event in enumerate(self.flattened) if pattern._does_event_match(event, pattern.get_pattern())
        ]


def recorded(records, folder):
    for number, record in enumerate(records):
        record["requestID"] = str(number)
    path = folder / "events.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(json.dumps(record).encode() + b"\n" for record in records)))
    connection = duckdb.connect()
    create_view(connection, [path], materialized=True)
    envelopes = (
        {"detail-type": DETAIL_TYPES.get(r.get("eventType"), "AWS API Call via CloudTrail"), "detail": r}
        for r in records
    )
    bus = [json.loads(_without_line_ends(json.dumps(envelope))) for envelope in envelopes]
    return Recorded(records, connection, [EventPattern._flatten_dict(envelope) for envelope in bus])


def _without_line_ends(text):
    """The JSON with carriage returns in their place: moto's wildcards end with the line, EventBridge's do not."""
    return text.replace("\\n", "\\r")


def recordings(alike):
    """The recorded events, at most so many of a kind from one file."""
    if not DATA.is_dir():
        pytest.skip(f"no recorded events at {DATA}")
    for path in sorted(DATA.rglob("*.jsonl.gz")):
        taken = Counter()
        for line in gzip.decompress(path.read_bytes()).splitlines() if "envelope" not in path.name else ():
            record = json.loads(line)
            kind = (record["eventName"], record.get("errorCode"), record["userIdentity"].get("type"))
            taken[kind] += 1
            if taken[kind] <= alike:
                yield record


@pytest.fixture(scope="session")
def events(tmp_path_factory):
    return recorded(list(recordings(ALIKE)), tmp_path_factory.mktemp("recorded"))


@pytest.fixture(scope="session")
def all_events(tmp_path_factory):
    return recorded(list(recordings(10**9)), tmp_path_factory.mktemp("all_recorded"))


@pytest.fixture(scope="session")
def shipped():
    return load_rules(shipped=True).rules
