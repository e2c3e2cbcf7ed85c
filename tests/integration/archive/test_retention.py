import json

import pytest

from trailwatch.archive import Archive
from trailwatch.archive.retention import Removed, prune
from trailwatch.errors import StoreError

HOUR = 3600
BEGIN = 1_767_225_600
"""2026-01-01T00:00:00Z."""


def record(time):
    return time, json.dumps({"eventID": str(time), "eventName": "X"}).encode()


@pytest.fixture
def archive(tmp_path):
    kept = Archive(tmp_path / "archive")
    for region in ("eu-west-1", "us-east-1"):
        kept.append("111122223333", region, [record(BEGIN + n * 12 * HOUR) for n in range(-4, 5)])
    return kept


def starts(archive):
    return [int(json.loads(bytes(one.records[0]))["eventID"]) for one in archive.read(account="111122223333")]


@pytest.mark.parametrize("hours", [-100, -48, -47, -1, 0, 1, 13, 24, 1000])
def test_hours_that_ended_by_then_leave_and_no_others(archive, hours):
    before = BEGIN + hours * HOUR
    wanted = [start for start in starts(archive) if start + HOUR > before]
    gone = len(starts(archive)) - len(wanted)

    removed = prune(archive.root, before)

    assert starts(archive) == wanted
    assert removed.files == gone
    assert (removed.bytes > 0) is (gone > 0)


def test_years_and_months_that_are_empty_leave_with_their_last_hour(archive):
    prune(archive.root, BEGIN)

    years = {path.name for path in archive.root.glob("AWSLogs/*/CloudTrail/*/*")}
    assert years == {"2026"}
    prune(archive.root, BEGIN + 10_000 * HOUR)
    assert list(archive.root.iterdir()) == []
    assert archive.root.is_dir()


def test_what_is_no_hour_of_the_archive_stays(archive):
    folder = next(archive.root.glob("AWSLogs/*/CloudTrail/*/2025/12/30"))
    strange = [folder / "notes.txt", folder / "1_CloudTrail_eu-west-1_20251399T9900Z_trailwatch.json.gz"]
    for path in strange:
        path.write_text("kept")

    prune(archive.root, BEGIN + 10_000 * HOUR)

    assert [path.read_text() for path in strange] == ["kept", "kept"]


def test_an_archive_that_is_not_there_has_nothing_to_remove(tmp_path):
    assert prune(tmp_path / "absent", BEGIN) == Removed()


def test_a_file_that_cannot_be_removed_is_an_error_with_its_path(archive):
    hour = next(path for path in sorted(archive.root.glob("AWSLogs/*/*/*/*/*/*/*.gz")))
    hour.unlink()
    hour.mkdir()

    with pytest.raises(StoreError, match="cannot be removed"):
        prune(archive.root, BEGIN)
