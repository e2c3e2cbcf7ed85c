"""Batches of files through the rules in several processes."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from trailwatch.cli.scan_batch import Job, Progress, rest_the_collector, scan_batch
from trailwatch.detect.engine import Engine
from trailwatch.errors import SourceError
from trailwatch.model.match import Found
from trailwatch.sources.files import STDIN, LogFile


def in_processes(
    batches: list[list[LogFile]],
    job: Job,
    here: Callable[[list[LogFile]], Found],
    workers: int,
    progress: Progress,
) -> Iterator[Found]:
    """What was found in each batch, in their order.

    Args:
        batches: files that are judged together.
        job: what each process makes its engine from.
        here: judges a batch in this process; asked about standard input, which no other process can read.
        workers: how many processes.
        progress: told about every batch that is done.

    Raises:
        SourceError: a process ended by force.
    """
    try:
        yield from _collected(batches, job, here, workers, progress)
    except BrokenProcessPool as error:
        raise SourceError(
            "scan", "a worker process ended by force, most likely for want of memory", "try again with --workers 1"
        ) from error


def _collected(
    batches: list[list[LogFile]],
    job: Job,
    here: Callable[[list[LogFile]], Found],
    workers: int,
    progress: Progress,
) -> Iterator[Found]:
    """Largest batches first, so that none is left to the end; what comes back early waits for its turn."""
    sizes = [sum(file.size for file in batch) for batch in batches]
    own = [at for at, batch in enumerate(batches) if any(file.path == STDIN for file in batch)]
    away = sorted(set(range(len(batches))) - set(own), key=lambda at: (-sizes[at], at))
    done: dict[int, Found] = {}
    following = 0
    with ProcessPoolExecutor(workers, _context(), _start_worker, (job,)) as pool:
        pending: dict[Future[Found], int] = {pool.submit(_work, batches[at]): at for at in away}
        for at in own:
            done[at] = here(batches[at])
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
    return scan_batch(batch, engine, job)
