import io
import json
import os
import pickle
from functools import partial

import pytest

from trailwatch.cli.scan_batch import Job
from trailwatch.cli.scan_pool import scan_files
from trailwatch.detect.engine import Engine
from trailwatch.errors import SourceError
from trailwatch.rules.rule import RuleSet
from trailwatch.sources.files import find_files
from trailwatch.testing import event

ENGINE = partial(Engine, RuleSet())


@pytest.fixture
def files(tmp_path):
    for number in range(4):
        noise = [event("ListUsers", eventID=f"{number}-{k}", pad="x" * 1000) for k in range(1500 * (number + 1))]
        (tmp_path / f"{number}.json").write_text(json.dumps([*noise, {"bad": number}]))
    return find_files([str(tmp_path)])


def test_results_come_in_the_order_of_the_files_however_long_each_takes(files):
    found = list(scan_files(files, Job(ENGINE), ENGINE(), workers=3))

    assert [one.tally.events for one in found] == [1500, 3000, 4500, 6000]


def test_a_reject_says_why_and_leaves_what_was_delivered_behind(files):
    rejects = [one for found in scan_files(files, Job(ENGINE), ENGINE(), workers=2) for one in found.rejects]

    assert [bool(one.reason) for one in rejects] == [True] * 4
    assert [one.body for one in rejects] == [b""] * 4


def test_progress_is_told_for_every_byte(files):
    for workers in (1, 2):
        told = []
        list(scan_files(files, Job(ENGINE), ENGINE(), workers=workers, progress=told.append))
        assert sum(told) == sum(file.size for file in files)


def test_standard_input_is_read_by_this_process_whatever_the_workers(files):
    stdin = io.BytesIO(json.dumps(event("ListUsers")).encode())

    found = list(scan_files(find_files(["-"]) + files, Job(ENGINE), ENGINE(), workers=2, stdin=stdin))

    assert sum(one.tally.events for one in found) == 15_001


def test_a_worker_that_dies_is_an_error_with_the_way_out(files):
    with pytest.raises(SourceError, match=r"a worker process ended by force.*--workers 1"):
        list(scan_files(files, Job(partial(os._exit, 1)), ENGINE(), workers=2))


def test_what_a_worker_is_given_can_cross_to_a_fresh_process():
    assert isinstance(pickle.loads(pickle.dumps(Job(ENGINE, 1, 2))).build(), Engine)  # noqa: S301 our own bytes
