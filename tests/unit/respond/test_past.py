"""What the archive knows of events that are over."""

import json

import pytest

from trailwatch.archive import Archive
from trailwatch.model.alert import Evidence
from trailwatch.respond.past import ArchivePast
from trailwatch.testing import ACCOUNT, event

EARLIER, LATER = "2026-03-02T09:00:00Z", "2026-03-02T11:00:00Z"
TIMES = {EARLIER: 1_772_442_000, LATER: 1_772_449_200}


@pytest.fixture
def past(tmp_path):
    archive = Archive(tmp_path)
    records = [
        event("CreateTrail", eventTime=EARLIER, eventID="made"),
        event("UpdateTrail", eventTime=LATER, eventID="changed"),
        event("UpdateTrail", eventTime=LATER, eventID="refused", errorCode="AccessDenied"),
        event("StopLogging", eventTime=LATER, eventID="stopped"),
        event("RunInstances", eventTime=LATER, eventID="other", requestParameters={"note": "UpdateTrail"}),
    ]
    lines = [(TIMES[one["eventTime"]], json.dumps(one).encode()) for one in records]
    archive.append(ACCOUNT, "us-east-1", lines)
    archive.append(ACCOUNT, "us-east-1", [(TIMES[LATER], b'{"eventName": "UpdateTrail", broken')])
    return ArchivePast(archive)


def evidence(event_id, time):
    return Evidence(event_id, time, "n", "s", ACCOUNT, "us-east-1", "", "", "", "", b"")


def test_calls_that_succeeded_come_back_the_newest_first(past):
    found = past.events(ACCOUNT, ("CreateTrail", "UpdateTrail"))

    assert [one["eventID"] for one in found] == ["changed", "made"]
    assert list(past.events("999988887777", ("UpdateTrail",))) == []


def test_the_record_of_an_event_is_found_by_its_time_and_id(past):
    assert json.loads(past.record(evidence("stopped", TIMES[LATER])))["eventName"] == "StopLogging"
    assert past.record(evidence("stopped", TIMES[EARLIER])) is None
    assert past.record(evidence("nowhere", TIMES[LATER])) is None


def test_without_an_archive_nothing_is_known():
    nothing = ArchivePast(None)

    assert list(nothing.events(ACCOUNT, ("UpdateTrail",))) == []
    assert nothing.record(evidence("made", TIMES[EARLIER])) is None
