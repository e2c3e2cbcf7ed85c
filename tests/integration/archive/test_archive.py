import gzip
import json
import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trailwatch.archive import Archive
from trailwatch.archive.member import pack
from trailwatch.decode.records import to_mapping
from trailwatch.errors import StoreError

ACCOUNT, REGION = "111122223333", "eu-west-1"
NINE = 1772442000  # 2026-03-02T09:00:00Z
FILE = (
    "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/02/"
    "111122223333_CloudTrail_eu-west-1_20260302T0900Z_trailwatch.json.gz"
)


def record(number, time="2026-03-02T09:00:00Z"):
    return json.dumps({"eventName": "X", "eventTime": time, "eventID": f"id-{number}"}, indent=1).encode()


def event_ids(archive, **bounds):
    return [to_mapping(raw)["eventID"] for delivery in archive.read(**bounds) for raw in delivery.records]


def test_what_was_appended_is_read_back_in_the_trails_own_layout(tmp_path):
    archive = Archive(tmp_path / "archive")

    archive.append(ACCOUNT, REGION, [(NINE, record(1)), (NINE + 3599, record(2))])
    archive.append(ACCOUNT, REGION, [(NINE + 5, record(3))])

    assert [p.relative_to(archive.root).as_posix() for p in archive.root.rglob("*.gz")] == [FILE]
    assert event_ids(archive) == ["id-1", "id-2", "id-3"]


def test_every_gzip_reader_reads_the_file_and_finds_one_record_a_line(tmp_path):
    archive = Archive(tmp_path)
    archive.append(ACCOUNT, REGION, [(NINE, record(1))])
    archive.append(ACCOUNT, REGION, [(NINE, record(2))])

    lines = gzip.decompress((tmp_path / FILE).read_bytes()).splitlines()

    assert [json.loads(line)["eventID"] for line in lines] == ["id-1", "id-2"]


def test_each_account_region_and_hour_has_a_file_of_its_own(tmp_path):
    archive = Archive(tmp_path)
    archive.append(ACCOUNT, REGION, [(NINE, record(1)), (NINE + 3600, record(2)), (NINE - 1, record(3))])
    archive.append("444455556666", "us-east-1", [(NINE, record(4))])

    assert len(list(tmp_path.rglob("*.gz"))) == 4
    assert event_ids(archive) == ["id-3", "id-1", "id-4", "id-2"]


def test_files_and_folders_are_private(tmp_path):
    archive = Archive(tmp_path / "archive")
    before = os.umask(0)
    try:
        archive.append(ACCOUNT, REGION, [(NINE, record(1))])
    finally:
        os.umask(before)

    modes = {stat.S_IMODE(p.stat().st_mode) for p in archive.root.rglob("*") if p.is_dir()}
    assert modes == {0o700}
    assert stat.S_IMODE((archive.root / FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["../../etc", "", "a/b", "..", "x\0y", "ünïcode", "a" * 40])
def test_names_from_logs_never_leave_the_folder(tmp_path, name):
    archive = Archive(tmp_path / "archive")

    archive.append(name, name, [(NINE, record(1))])

    (path,) = (tmp_path / "archive").rglob("*.gz")
    assert path.is_relative_to(tmp_path / "archive/AWSLogs/unknown/CloudTrail/unknown")
    assert event_ids(archive) == ["id-1"]


@given(cut=st.integers(1, 200), members=st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_a_torn_append_is_cut_off_counted_and_costs_no_other(tmp_path_factory, cut, members):
    root = tmp_path_factory.mktemp("archive")
    archive = Archive(root)
    for number in range(members + 1):
        archive.append(ACCOUNT, REGION, [(NINE, record(number))])
    path = root / FILE
    whole = path.read_bytes()
    last = len(pack(gzip.decompress(whole).splitlines(keepends=True)[-1]))
    path.write_bytes(whole[: -min(cut, last)])

    after = Archive(root)
    after.append(ACCOUNT, REGION, [(NINE, record(99))])

    assert event_ids(after) == [*(f"id-{n}" for n in range(members)), "id-99"]
    assert after.torn == (1 if cut < last else 0)
    assert not [reject for delivery in after.read() for reject in delivery.rejects]


@pytest.mark.parametrize("tail", [b"\0" * 5000, b"\x1f\x8b\x08\x04", b"garbage"])
def test_what_a_crash_left_behind_the_last_member_is_cut_off(tmp_path, tail):
    Archive(tmp_path).append(ACCOUNT, REGION, [(NINE, record(1))])
    with (tmp_path / FILE).open("ab") as file:
        file.write(tail)

    archive = Archive(tmp_path)
    archive.append(ACCOUNT, REGION, [(NINE, record(2))])

    assert event_ids(archive) == ["id-1", "id-2"]
    assert archive.torn == 1


def test_a_last_member_whose_bytes_never_reached_the_disk_is_cut_off(tmp_path):
    archive = Archive(tmp_path)
    archive.append(ACCOUNT, REGION, [(NINE, record(1))])
    kept = (tmp_path / FILE).read_bytes()
    archive.append(ACCOUNT, REGION, [(NINE, record(2))])
    content = bytearray((tmp_path / FILE).read_bytes())
    content[len(kept) + 40 :] = bytes(len(content) - len(kept) - 40)
    (tmp_path / FILE).write_bytes(content)

    Archive(tmp_path).append(ACCOUNT, REGION, [(NINE, record(3))])

    assert event_ids(archive) == ["id-1", "id-3"]


def test_members_of_other_writers_stay(tmp_path):
    path = tmp_path / FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(record(1).replace(b"\n", b"") + b"\n"))

    archive = Archive(tmp_path)
    archive.append(ACCOUNT, REGION, [(NINE, record(2))])

    assert event_ids(archive) == ["id-1", "id-2"]
    assert archive.torn == 0


def test_an_event_is_found_by_its_id(tmp_path):
    archive = Archive(tmp_path)
    archive.append(ACCOUNT, REGION, [(NINE, record(1)), (NINE + 7200, record(2))])

    found = archive.find("id-1")

    assert found is not None
    assert to_mapping(found)["eventID"] == "id-1"
    assert archive.find("id-9") is None


def test_only_what_lies_in_the_asked_times_place_and_account_is_read(tmp_path):
    archive = Archive(tmp_path)
    archive.append(ACCOUNT, REGION, [(NINE, record(1)), (NINE + 60, record(2, "2026-03-02T09:01:00Z"))])
    archive.append(ACCOUNT, "us-east-1", [(NINE, record(3))])
    archive.append("444455556666", REGION, [(NINE + 7200, record(4, "2026-03-02T11:00:00Z"))])

    assert event_ids(archive, since=NINE + 60, until=NINE + 7200) == ["id-2"]
    assert event_ids(archive, region="us-east-1") == ["id-3"]
    assert event_ids(archive, account="444455556666") == ["id-4"]


def test_an_archive_that_is_not_there_is_empty(tmp_path):
    archive = Archive(tmp_path / "none")

    assert event_ids(archive) == []
    assert archive.find("id") is None


def test_a_folder_that_cannot_be_written_is_a_store_error_with_its_path(tmp_path):
    (tmp_path / "AWSLogs").write_text("in the way")

    with pytest.raises(StoreError, match="AWSLogs"):
        Archive(tmp_path).append(ACCOUNT, REGION, [(NINE, record(1))])
