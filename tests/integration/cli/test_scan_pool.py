import io
import json
import multiprocessing
import os
import pickle
import select
import signal
from functools import partial

import pytest

from trailwatch.cli.scan_batch import Job, scan_batch
from trailwatch.cli.scan_files import FileBatches
from trailwatch.cli.scan_pool import scan_files
from trailwatch.cli.scan_workers import in_processes
from trailwatch.detect.engine import Engine
from trailwatch.errors import SourceError
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.rules.predicate import Field, Op
from trailwatch.rules.rule import Rule, RuleSet
from trailwatch.sources.files import find_files
from trailwatch.testing import event

ENGINE = partial(Engine, RuleSet())
INFO = RuleInfo("r-1", "r", "A title", Severity.HIGH, "r.yml:1")


@pytest.fixture
def files(tmp_path):
    for number in range(4):
        noise = [event("ListUsers", eventID=f"{number}-{k}", pad="x" * 1000) for k in range(1500 * (number + 1))]
        (tmp_path / f"{number}.json").write_text(json.dumps([*noise, {"bad": number}]))
    return FileBatches(find_files([str(tmp_path)]))


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
        assert sum(told) == sum(file.size for file in files.each())


def test_standard_input_is_read_by_this_process_whatever_the_workers(files):
    stdin = io.BytesIO(json.dumps(event("ListUsers")).encode())

    found = list(
        scan_files(FileBatches([*find_files(["-"]), *files.each()]), Job(ENGINE), ENGINE(), workers=2, stdin=stdin)
    )

    assert sum(one.tally.events for one in found) == 15_001


class Deadly(Engine):
    """Takes its process along."""

    def evaluate(self, *_):
        os._exit(1)

    evaluate_whole = evaluate


def test_a_worker_that_dies_is_an_error_with_the_way_out(files):
    with pytest.raises(SourceError, match=r"a worker process ended by force.*--workers 1"):
        list(scan_files(files, Job(partial(Deadly, RuleSet())), Deadly(RuleSet()), workers=2))


class Broken(Engine):
    """Has a mistake."""

    def evaluate(self, *_):
        raise ZeroDivisionError("by zero")

    evaluate_whole = evaluate


def test_a_mistake_in_a_worker_is_told_with_its_place(files):
    with pytest.raises(ZeroDivisionError, match="by zero") as caught:
        list(scan_files(files, Job(partial(Broken, RuleSet())), Broken(RuleSet()), workers=2))

    assert "in evaluate" in caught.value.__notes__[0]


def test_workers_end_with_whoever_wanted_their_results(files):
    found = scan_files(files, Job(ENGINE), ENGINE(), workers=2)
    next(found)
    at_work = multiprocessing.active_children()

    found.close()

    assert len(at_work) == 2
    assert multiprocessing.active_children() == []


def test_workers_end_with_a_first_process_that_is_killed(files):
    theirs, ours = os.pipe()
    first = os.fork()
    if not first:
        found = scan_files(files, Job(ENGINE), ENGINE(), workers=2)
        next(found)
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(ours)
    os.waitpid(first, 0)

    ended, _, _ = select.select([theirs], [], [], 60)  # nobody has the other end any more

    assert ended
    assert os.read(theirs, 1) == b""
    os.close(theirs)


def test_a_worker_begins_with_the_engine_of_the_first_process_or_makes_its_own(files):
    rules = RuleSet(rules=(Rule(INFO, Field("eventName", Op.EQ, ("ListUsers",))),))
    job = Job(partial(Engine, rules))

    def found(engine, **how):
        return list(in_processes(files, job, engine, pytest.fail, 2, lambda _: None, **how))

    here = [scan_batch(batch, Engine(rules), job) for batch in files]
    assert sum(len(one.matches) for one in here) == 15_000
    assert found(Engine(rules), forked=True) == here
    assert found(Engine(RuleSet()), forked=True) != here
    assert found(Engine(RuleSet()), forked=False) == here


def test_what_a_worker_is_given_can_cross_to_a_fresh_process():
    assert isinstance(pickle.loads(pickle.dumps(Job(ENGINE, 1, 2))).build(), Engine)  # noqa: S301 our own bytes
