"""Files through the rules, in one process or several, with the same result in the same order."""

from __future__ import annotations

import gc
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from typing import BinaryIO, NamedTuple

from trailwatch.decode.containers import split_text
from trailwatch.decode.window import within
from trailwatch.detect.engine import Engine
from trailwatch.errors import SourceError
from trailwatch.model.match import Found
from trailwatch.ports import Delivery
from trailwatch.sources.files import STDIN, LogFile, delivery_of, unpack_file

BATCH_BYTES = 1 << 20
BATCH_FILES = 64
SMALL_BYTES = 4 << 20
"""Input below this size is scanned in one process: starting others would take longer."""

Progress = Callable[[int], None]
"""Called with the bytes of input that were done since the last call."""


class Job(NamedTuple):
    """What to scan; crosses to the worker processes, so it is plain data."""

    build: Callable[[], Engine]
    """Makes the engine; each process makes its own."""
    since: int | None = None
    until: int | None = None


def scan_files(
    files: Sequence[LogFile],
    job: Job,
    engine: Engine,
    *,
    workers: int,
    stdin: BinaryIO | None = None,
    progress: Progress = lambda _: None,
) -> Iterator[Found]:
    """What was found in each batch of files, in the order of the files, whatever the number of workers.

    Args:
        files: ordered by path.
        job: how to build an engine elsewhere, and the stretch of time that is wanted.
        engine: the engine of this process.
        workers: most processes.
        stdin: read where a path is `-`, always by this process.
        progress: told about every batch that is done.
    """
    batches = _batches(files)
    total = sum(file.size for file in files)
    if workers < 2 or len(batches) < 2 or total < SMALL_BYTES:  # noqa: PLR2004 one worker or one batch is no crowd
        for batch in batches:
            found = _scan(batch, engine, job, stdin)
            progress(sum(file.size for file in batch))
            yield found
        return
    yield from _in_processes(batches, job, engine, min(workers, len(batches)), stdin, progress)


def cores() -> int:
    """How many processes can run at once here; containers may have fewer than the machine."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def peak_rss_mb(workers: int) -> float:
    """The most memory this process had, and as much again for each worker as the largest of them had."""
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return round((own + (workers * child if workers > 1 else 0)) / unit, 1)


def _batches(files: Sequence[LogFile]) -> list[list[LogFile]]:
    batches: list[list[LogFile]] = []
    room = 0
    for file in files:
        if not batches or file.size > room or len(batches[-1]) >= BATCH_FILES:
            batches.append([])
            room = BATCH_BYTES
        batches[-1].append(file)
        room -= file.size
    return batches


def _in_processes(
    batches: list[list[LogFile]],
    job: Job,
    engine: Engine,
    workers: int,
    stdin: BinaryIO | None,
    progress: Progress,
) -> Iterator[Found]:
    try:
        yield from _collected(batches, job, engine, workers, stdin, progress)
    except BrokenProcessPool as error:
        raise SourceError(
            "scan", "a worker process ended by force, most likely for want of memory", "try again with --workers 1"
        ) from error


def _collected(
    batches: list[list[LogFile]],
    job: Job,
    engine: Engine,
    workers: int,
    stdin: BinaryIO | None,
    progress: Progress,
) -> Iterator[Found]:
    """Largest batches first, so that none is left to the end; what comes back early waits for its turn."""
    sizes = [sum(file.size for file in batch) for batch in batches]
    here = [at for at, batch in enumerate(batches) if any(file.path == STDIN for file in batch)]
    away = sorted(set(range(len(batches))) - set(here), key=lambda at: (-sizes[at], at))
    done: dict[int, Found] = {}
    following = 0
    with ProcessPoolExecutor(workers, _context(), _start_worker, (job,)) as pool:
        pending: dict[Future[Found], int] = {pool.submit(_work, batches[at]): at for at in away}
        for at in here:
            done[at] = _scan(batches[at], engine, job, stdin)
            progress(sizes[at])
        try:
            while pending or done:
                finished = wait(pending, return_when=FIRST_COMPLETED).done if pending else set()
                for future in finished:
                    at = pending.pop(future)
                    done[at] = future.result()
                    progress(sizes[at])
                while following in done:
                    yield done.pop(following)
                    following += 1
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _context() -> multiprocessing.context.BaseContext:
    # a fork shares what is loaded already; it is safe here because no thread runs when the pool starts
    return multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")


_worker: list[tuple[Engine, Job]] = []
"""The engine of a worker process; a pool gives its functions no other place to keep one."""


def _start_worker(job: Job) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the first process ends the others
    _worker[:] = [(job.build(), job)]
    rest_the_collector()


def _work(batch: list[LogFile]) -> Found:
    engine, job = _worker[0]
    return _scan(batch, engine, job, None)


def rest_the_collector() -> None:
    """Makes garbage collection rare: a scan makes millions of small objects, hardly one of them in a cycle."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def _scan(batch: Sequence[LogFile], engine: Engine, job: Job, stdin: BinaryIO | None) -> Found:
    everything = Found()
    for file in batch:
        found = _scan_file(file, engine, job, stdin)
        everything.matches += found.matches
        everything.rejects += found.rejects
        everything.failures += found.failures
        everything.signals += found.signals
        everything.links += found.links
        everything.tally.add(found.tally)
    return everything


def _scan_file(file: LogFile, engine: Engine, job: Job, stdin: BinaryIO | None) -> Found:
    with nullcontext() if engine.profile is None else engine.profile.stage("read and inflate"):
        content = unpack_file(file, stdin)
    if not isinstance(content, Delivery):
        if job.since is None and job.until is None and (found := engine.evaluate_whole(content)) is not None:
            return found
        content = delivery_of(split_text(content), file.path)
    if job.since is not None or job.until is not None:
        content = within(content, job.since, job.until)
    return engine.evaluate(content)
