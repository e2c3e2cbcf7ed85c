"""Batches of files through the rules in several processes."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait

from trailwatch.cli.scan_batch import Job, Progress, rest_the_collector, scan_batch
from trailwatch.cli.scan_files import FileBatches
from trailwatch.detect.engine import Engine
from trailwatch.detect.pages import put_on_page
from trailwatch.errors import SourceError
from trailwatch.model.match import Found
from trailwatch.sources.files import LogFile

HUGE_BYTES = 4 << 20
"""A file from this size on takes so long that it should not be the last."""
_AHEAD = 2
"""So many batches a process knows of, so that it never waits for the next."""
_FAR_AHEAD = 64
"""The same where this process has work of its own first."""
_NUMBER_BYTES = 4


def in_processes(
    batches: FileBatches,
    job: Job,
    engine: Engine,
    here: Callable[[list[LogFile]], Found],
    workers: int,
    progress: Progress,
    *,
    forked: bool = sys.platform == "linux",
) -> Iterator[Found]:
    """What was found in each batch, in their order.

    Args:
        batches: files that are judged together.
        job: what each process makes its engine from, where it cannot have this one's.
        engine: the engine of this process.
        here: judges a batch in this process; asked about standard input, which no other process can read.
        workers: how many processes.
        progress: told about every batch that is done.
        forked: whether processes begin with what this one has loaded; it is safe as long as no thread runs here.

    Raises:
        SourceError: a process ended by force.
    """
    with _crew(workers, batches, job, engine if forked else None, forked=forked) as lines:
        try:
            yield from _collected(lines, batches, here, progress)
        except (EOFError, ConnectionError) as error:
            raise SourceError(
                "scan",
                "a worker process ended by force, most likely for want of memory",
                "try again with --workers 1",
            ) from error


def _collected(
    lines: Sequence[Connection],
    batches: FileBatches,
    here: Callable[[list[LogFile]], Found],
    progress: Progress,
) -> Iterator[Found]:
    """Huge files first, so that none is left to the end; all others in order, so that little waits for its turn."""
    sizes, own = batches.sizes, batches.own
    away = deque(sorted({*range(len(batches))}.difference(own), key=lambda at: (-(sizes[at] // HUGE_BYTES), at)))
    under_way = len(away)
    for _ in range(_FAR_AHEAD if own else _AHEAD):
        for line in lines:
            _hand_out(away, line)
    done: dict[int, Found] = {}
    for at in own:
        done[at] = here(batches[at])
        progress(sizes[at])
    following = 0
    while done or under_way:
        while following in done:
            yield done.pop(following)
            following += 1
        ready = wait(lines) if under_way else ()
        for line in (line for line in lines if line in ready):
            at, found = line.recv()
            if isinstance(found, Exception):
                raise found
            _hand_out(away, line)
            under_way -= 1
            done[at] = found
            progress(sizes[at])


def _hand_out(numbers: deque[int], line: Connection) -> None:
    if numbers:
        line.send_bytes(numbers.popleft().to_bytes(_NUMBER_BYTES, "big"))


@contextmanager
def _crew(
    workers: int, batches: FileBatches, job: Job, engine: Engine | None, *, forked: bool
) -> Iterator[list[Connection]]:
    """The lines to as many processes; they end with the block, whatever they are at."""
    context = multiprocessing.get_context("fork") if forked else multiprocessing.get_context("spawn")
    lines, processes = [], []
    try:
        for _ in range(workers):
            line, end = context.Pipe()
            lines.append(line)
            # a forked process has a copy of each line here, which would keep it waiting for a first process that died
            copies = tuple(lines) if forked else ()
            process = context.Process(target=_work, args=(end, copies, batches, job, engine), daemon=True)
            process.start()
            processes.append(process)
            end.close()  # so that the line ends with the process
        yield lines
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()
        for line in lines:
            line.close()


def _work(
    line: Connection, copies: Sequence[Connection], batches: FileBatches, job: Job, engine: Engine | None
) -> None:
    """A process's life: numbers of batches come in, what was found in them goes out."""
    for copy in copies:
        copy.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the first process ends the others
    rest_the_collector()
    number = -1
    try:
        engine = engine or job.build()
        while True:
            number = int.from_bytes(line.recv_bytes(), "big")
            found = scan_batch(batches[number], engine, job)
            put_on_page(found)  # as rows it would be many times larger
            line.send((number, found))
    except (EOFError, ConnectionError):
        return  # the first process is gone
    except Exception as error:  # noqa: BLE001 whatever it is, the first process tells it
        error.add_note(traceback.format_exc())
        line.send((number, error))
