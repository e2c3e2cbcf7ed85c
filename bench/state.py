"""State over time with the store on disk: signals through it on one core, and cycles on a store that is full.

    python bench/state.py [--signals 1000000] [--held 200000] [--seen 200000] [--full] [--only signals]

First signals: each is kept, its group looked at, and what holds is concluded, in batches, nearly in time order, keys
mixed. The least that any program on the same store can do, to insert the same rows without looking at them, is taken
in the same run.

Then cycles: what a run of `check` does with its store, from opening it to forgetting what is too old, each time in a
process of its own, with the shipped rules and ten pages of events, half of which were read before. On an empty store,
on one that holds signals, and on one that remembers events of 30 days and 20,000 values of each rule with a memory.
`--full` takes 10,000,000 signals and 5,000,000 events, which needs 10 GB of disk and some minutes to fill.
"""

from __future__ import annotations

import argparse
import random
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from _full_store import compare
from trailwatch.detect.correlator import Correlator
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.model.signal import Brief, Signal
from trailwatch.rules.rule import Correlation, CorrelationLimit
from trailwatch.store.database import Database
from trailwatch.store.store import Store

KEYS = 100_000
BATCH = 20_000
SECONDS = 6 * 3600
START = 1_760_000_400
GOAL = 50_000
MORE_MS = 200
"""So many milliseconds at most a full store may add to a cycle."""


def signals(rule_id: str, count: int) -> Iterator[list[Signal]]:
    chance = random.Random(1)
    made = []
    for number in range(count):
        at = START + number * SECONDS // count + chance.randint(-60, 0)
        user = f"arn:aws:iam::111122223333:user/user{chance.randrange(KEYS)}"
        brief = Brief(
            f"{number:08x}-0000-4000-8000-{number:012d}",
            at,
            "111122223333",
            "us-east-1",
            "s3.amazonaws.com",
            "GetBucketPolicy",
            user,
            f"user {user[31:]} in 111122223333",
            "AKIAIOSFODNN7EXAMPLE",
            "198.51.100.23",
            "aws-cli/2.27.12 md/Botocore#1.38 ua/2.1 os/linux#6.1 lang/python#3.13",
            "AccessDenied",
        )
        made.append(Signal(rule_id, "call_refused", (user,), at, brief))
        if len(made) == BATCH:
            yield made
            made = []
    if made:
        yield made


def memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20


def through(folder: Path, count: int) -> tuple[float, list[float], int, list[int]]:
    info = RuleInfo("burst", "burst", "burst", Severity.HIGH, "bench:1")
    burst = Correlation(
        info, "event_count", ("call_refused",), 3600, ("userIdentity.arn",), CorrelationLimit("gte", 7)
    )
    took, alerts, sizes = [], 0, []
    with Store(Database(folder / "state.sqlite3")) as store:
        correlator = Correlator([burst], store.signals)
        for batch in signals("burst", count):
            begun = time.process_time()
            with store.transaction():
                firings, _ = correlator.add(batch)
            took.append(time.process_time() - begun)
            alerts += len(firings)
            sizes.append(memory())
        if store.signals.count() != count:
            raise SystemExit("not every signal was kept")
    return sum(took), took, alerts, sizes


def bare(folder: Path, count: int) -> float:
    """The same rows into the same kind of table and index, ready made, in key order, with nothing looked at."""
    database = sqlite3.connect(folder / "bare.sqlite3", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE signal (seq INTEGER PRIMARY KEY, a, b, c, d, e, f, g, content)")
    database.execute("CREATE UNIQUE INDEX i ON signal (a, b, c, d, e, f, g)")
    took = 0.0
    for batch in signals("burst", count):
        rows = sorted(
            (1, one.time // 3600, hash(one.key), one.time, hash(one.brief.event_id), 1, "", b"x" * 300)
            for one in batch
        )
        begun = time.process_time()
        database.execute("BEGIN")
        database.executemany(
            "INSERT INTO signal (a, b, c, d, e, f, g, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows
        )
        database.execute("COMMIT")
        took += time.process_time() - begun
    database.close()
    return took


def flow(count: int) -> bool:
    """Whether signals go through the store fast enough."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole, took, alerts, sizes = through(folder, count)
        least = bare(folder, count)
        size = (folder / "state.sqlite3").stat().st_size >> 20
    rate = count / whole
    quarter = max(1, len(took) // 4)
    growth = sum(took[-quarter:]) / sum(took[:quarter])
    print(f"{count:,} signals over {KEYS:,} keys: {rate:,.0f}/s of CPU (goal {GOAL:,}); {alerts:,} conclusions")
    print(f"time over that of inserting the rows alone: {whole / least:.2f}")
    print(
        f"last quarter over first: {growth:.2f}; memory {sizes[quarter - 1]} MB then {sizes[-1]} MB; file {size} MB"
    )
    return rate >= GOAL


def cycles(held: int, seen: int) -> bool:
    """Whether a cycle on a full store takes no longer than it may."""
    with tempfile.TemporaryDirectory() as name:
        costs = compare(Path(name), held, seen)
    empty, good = costs.pop("empty"), True
    print(f"a cycle on an empty store: {empty.cpu * 1000:.0f} ms of CPU, {empty.wall * 1000:.0f} ms")
    for what, cost in ((f"{held:,} signals", costs["signals"]), (f"{seen:,} events read", costs["events"])):
        more = (cost.cpu - empty.cpu) * 1000
        print(
            f"on one with {what}: {more:+.0f} ms of CPU, {(cost.wall - empty.wall) * 1000:+.0f} ms (goal {MORE_MS})"
        )
        good = good and more <= MORE_MS
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signals", type=int, default=1_000_000)
    parser.add_argument("--held", type=int, default=200_000)
    parser.add_argument("--seen", type=int, default=200_000)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", choices=("signals", "cycles"))
    chosen = parser.parse_args()
    held, seen = (10_000_000, 5_000_000) if chosen.full else (chosen.held, chosen.seen)
    good = [
        chosen.only == "cycles" or flow(chosen.signals),
        chosen.only == "signals" or cycles(held, seen),
    ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
