"""Files through the rules, in one process or several, with the same result in the same order."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from trailwatch.cli.scan_batch import Job, Progress, scan_batch
from trailwatch.cli.scan_files import FileBatches
from trailwatch.detect.engine import Engine
from trailwatch.model.match import Found

SMALL_BYTES = 4 << 20
"""Input below this size is scanned in one process: starting others would take longer."""


def scan_files(
    batches: FileBatches,
    job: Job,
    engine: Engine,
    *,
    workers: int,
    stdin: BinaryIO | None = None,
    progress: Progress = lambda _: None,
) -> Iterator[Found]:
    """What was found in each batch of files, in the order of the files, whatever the number of workers.

    Args:
        batches: what to scan.
        job: how to build an engine elsewhere, and the stretch of time that is wanted.
        engine: the engine of this process.
        workers: most processes.
        stdin: read where a path is `-`, always by this process.
        progress: told about every batch that is done.
    """
    if workers < 2 or len(batches) < 2 or sum(batches.sizes) < SMALL_BYTES:  # noqa: PLR2004 one worker or one batch is no crowd
        for batch, size in zip(batches, batches.sizes, strict=True):
            found = scan_batch(batch, engine, job, stdin)
            progress(size)
            yield found
        return
    from trailwatch.cli.scan_workers import in_processes  # dear to import, and most scans are small

    here = partial(scan_batch, engine=engine, job=job, stdin=stdin)
    yield from in_processes(batches, job, engine, here, min(workers, len(batches)), progress)


def cores() -> int:
    """How many processes can run at once here; containers may have fewer than the machine."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def peak_rss_mb(workers: int) -> float:
    """The most memory this process had, and as much again for each worker as the largest of them had."""
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return round((own + (workers * child if workers > 1 else 0)) / unit, 1)
