import json
import os
import resource
import signal
from datetime import UTC

import pytest

from trailwatch.errors import NotifyError
from trailwatch.notify.jsonl import JsonLinesNotifier


def test_each_message_is_a_line_of_ascii_in_a_file_that_only_its_owner_reads(tmp_path, samples):
    path = tmp_path / "deep" / "alerts.jsonl"
    before = os.umask(0)
    try:
        notifier = JsonLinesNotifier("file", path, UTC)
        notifier.send(samples.attack())
        notifier.send(samples.message(headline="über \ud800", id="m-0002"))
    finally:
        os.umask(before)

    lines = path.read_bytes().decode("ascii").splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["m-0001", "m-0002"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_was_rotated_away_is_made_anew(tmp_path, samples):
    path = tmp_path / "alerts.jsonl"
    notifier = JsonLinesNotifier("file", path, UTC)
    notifier.send(samples.attack())
    path.rename(tmp_path / "alerts.1")
    notifier.send(samples.attack())

    assert len(path.read_text().splitlines()) == 1


def test_a_disk_that_is_full_leaves_no_half_line_and_is_tried_again(tmp_path, samples):
    path = tmp_path / "alerts.jsonl"
    notifier = JsonLinesNotifier("file", path, UTC)
    notifier.send(samples.attack())
    whole = path.read_bytes()
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 100, hard))
    try:
        with pytest.raises(NotifyError, match="cannot append: File too large; free space or correct path") as caught:
            notifier.send(samples.attack())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)

    assert not caught.value.permanent
    assert path.read_bytes() == whole


def test_a_path_that_cannot_be_written_is_told(tmp_path, samples):
    (tmp_path / "file").write_text("")

    with pytest.raises(NotifyError, match="cannot append"):
        JsonLinesNotifier("file", tmp_path / "file" / "alerts.jsonl", UTC).send(samples.attack())
