import gzip
import io
import json
import os
from pathlib import Path

import pytest

from trailwatch.errors import UsageError
from trailwatch.sources.files import LOG_SUFFIXES, deliveries, find_files

BODY = json.dumps({"Records": [{"eventName": "X"}]})


def origins(paths, **options):
    return [delivery.origin for delivery in deliveries([str(path) for path in paths], **options)]


def test_a_folder_is_walked_in_the_order_of_its_paths(tmp_path):
    for name in ("b/2.json", "b/1.json.gz", "a.jsonl", "c.log"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(BODY.encode()) if name.endswith("gz") else BODY.encode())

    found = list(deliveries([str(tmp_path)]))

    assert [d.origin for d in found] == [str(tmp_path / n) for n in ("a.jsonl", "b/1.json.gz", "b/2.json", "c.log")]
    assert all(len(d.records) == 1 for d in found)


def test_files_that_are_no_logs_by_their_name_are_counted_and_passed_over(tmp_path):
    for name in ("notes.txt", "labels.csv.gz", ".hidden.json", "log.json"):
        (tmp_path / name).write_text(BODY)

    left_out = {d.origin: d.left_out for d in deliveries([str(tmp_path)]) if d.left_out}

    assert left_out == {
        str(tmp_path / n): (("other file", 1),) for n in ("notes.txt", "labels.csv.gz", ".hidden.json")
    }


def test_a_file_that_is_named_is_read_whatever_it_is_called(tmp_path):
    (tmp_path / "notes.txt").write_text(BODY)

    (delivery,) = deliveries([str(tmp_path / "notes.txt")])

    assert len(delivery.records) == 1


def test_each_file_is_read_once_however_often_it_is_reached(tmp_path):
    (tmp_path / "a.json").write_text(BODY)
    (tmp_path / "link.json").symlink_to(tmp_path / "a.json")

    assert len(origins([tmp_path, tmp_path / "a.json", tmp_path])) == 1


def test_folders_that_link_to_each_other_end(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "sub" / "a.json").write_text(BODY)

    assert origins([tmp_path]) == [str(tmp_path / "sub" / "a.json")]


def test_a_link_to_nothing_is_passed_over_and_counted(tmp_path):
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")

    (delivery,) = deliveries([str(tmp_path)])

    assert delivery.left_out == (("not a regular file", 1),)


def test_standard_input_is_a_file_called_dash():
    (delivery,) = deliveries(["-"], stdin=io.BytesIO(BODY.encode()))

    assert (delivery.origin, len(delivery.records)) == ("-", 1)


def test_a_file_that_cannot_be_read_is_a_reject(tmp_path):
    (tmp_path / "a.json").write_text(BODY)
    (file,) = find_files([str(tmp_path / "a.json")])
    (tmp_path / "a.json").unlink()

    from trailwatch.sources.files import read_file

    assert "cannot be read: No such file" in read_file(file).rejects[0].reason


def test_a_path_that_does_not_exist_is_an_error():
    with pytest.raises(UsageError, match="/does/not/exist: cannot be read"):
        find_files(["/does/not/exist"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed_is_a_reject_and_the_others_are_read(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    (tmp_path / "a.json").write_text(BODY)

    readable, closed = deliveries([str(tmp_path)])

    assert len(readable.records) == 1
    assert "closed: cannot be read: Permission denied" in closed.rejects[0].reason


def test_a_file_larger_than_the_limit_is_a_reject(tmp_path):
    (tmp_path / "a.json").write_text(BODY)

    (delivery,) = deliveries([str(tmp_path / "a.json")], limit_bytes=10)

    assert "the limit is 10" in delivery.rejects[0].reason


def test_a_file_below_a_linked_folder_is_the_same_file(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.json").write_text(BODY)
    (tmp_path / "a.json").symlink_to(tmp_path / "b" / "x.json")
    (tmp_path / "link").symlink_to(tmp_path / "b", target_is_directory=True)

    assert origins([tmp_path / "link", tmp_path]) == [str(tmp_path / "link" / "x.json")]
    assert len(origins([tmp_path])) == 1


@pytest.mark.parametrize(
    "name", ["a", "a.json", "a.JSON.GZ", "a.b.log", "a.", "a..", "a.txt", "a.json.bak", "..a", "a.gz"]
)
def test_the_end_of_a_name_is_what_pathlib_says(tmp_path, name):
    (tmp_path / name).write_text(BODY)

    (file,) = find_files([str(tmp_path)])

    bare = name.lower().removesuffix(".gz")
    assert (not file.left_out) is (not bare.startswith(".") and Path(bare).suffix in LOG_SUFFIXES)
