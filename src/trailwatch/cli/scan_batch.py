"""Some files through the rules, in whatever process."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import BinaryIO, NamedTuple

import msgspec

from trailwatch.decode.containers import split_text
from trailwatch.decode.window import within
from trailwatch.detect.engine import Engine
from trailwatch.model.match import Found
from trailwatch.ports import Delivery
from trailwatch.sources.files import LogFile, delivery_of, unpack_file

Progress = Callable[[int], None]
"""Called with the bytes of input that were done since the last call."""


class Job(NamedTuple):
    """What to scan; crosses to the worker processes, so it is plain data."""

    build: Callable[[], Engine]
    """Makes the engine; each process makes its own."""
    since: int | None = None
    until: int | None = None


def rest_the_collector() -> None:
    """Makes garbage collection rare: a scan makes millions of small objects, hardly one of them in a cycle."""
    gc.freeze()
    gc.set_threshold(400_000, 50, 50)


def end_without_collector() -> None:
    """Keeps the collector from looking through everything once more when the process ends, which takes a while."""
    gc.freeze()


def give_memory_back() -> None:
    """Gives the system what texts of files took, as far as the C library can: it keeps twice the largest of them."""
    import ctypes  # no scan of ordinary size pays for it

    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return  # not the GNU library, which alone needs to be asked
    trim(ctypes.c_size_t(0))


def scan_batch(batch: Sequence[LogFile], engine: Engine, job: Job, stdin: BinaryIO | None = None) -> Found:
    """What was found in some files, together; of rejects what is told, without what was delivered."""
    everything = Found()
    for file in batch:
        found = _scan_file(file, engine, job, stdin)
        everything.matches += found.matches
        everything.rejects += [msgspec.structs.replace(reject, body=b"") for reject in found.rejects]
        everything.failures += found.failures
        everything.signals += found.signals
        everything.links += found.links
        everything.notes += found.notes
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
