"""A process that runs cycles until it is killed: `python -m tests.integration.state.endless_cycles FOLDER PORT`.

Its source is an event history without end: window after window, read in the order of their coverage, the last one
again each time. What it finds goes by SMTP to the given port.
"""

from __future__ import annotations

import random
import sys
from datetime import UTC
from pathlib import Path

from trailwatch.archive import Archive
from trailwatch.clock import SystemClock
from trailwatch.config.notifiers import Email
from trailwatch.model.coverage import Interval, LookupKey
from trailwatch.model.severity import Severity
from trailwatch.notify.email import EmailNotifier
from trailwatch.pipeline import Pipeline
from trailwatch.relay import relay
from trailwatch.store.database import Database
from trailwatch.store.store import Store

from .parts import START, NameEngine, delivery, record

WIDTH = 60
WINDOWS_A_CYCLE = 2
KEY = LookupKey("111122223333", "us-east-1", "ReadOnly=false")


def window_records(window):
    """One thing to tell, one that is none, and one of the window before that shows up again."""
    records = [
        record(window * WIDTH, principal=f"user{window}"),
        record(window * WIDTH + 1, principal=f"user{window}", name="ListBuckets"),
    ]
    return [*records, record((window - 1) * WIDTH, principal=f"user{window - 1}")] if window else records


def windows_read(store):
    return sum(piece.seconds for piece in store.coverage.intervals(KEY)) // WIDTH


def cycle(folder, port, new_windows=WINDOWS_A_CYCLE, clock=None):
    settings = Email(name="mail", to=("you@example.com",), host="127.0.0.1", port=port, sender="t@example.com")
    mail = EmailNotifier("mail", settings, None, UTC, hostname="host.example.com")
    clock = clock or SystemClock()
    with Store(Database(folder / "state.sqlite3")) as store:
        pipeline = Pipeline(NameEngine(), store, Archive(folder / "archive"), clock, {"mail": Severity.LOW})
        first = max(0, windows_read(store) - 1)
        for window in range(first, first + 1 + new_windows):
            span = Interval(START + window * WIDTH, START + (window + 1) * WIDTH)
            pipeline.process(delivery(window_records(window), gain=(span.start, span.end)))
        pipeline.announce(int(clock.now().timestamp()))
        report = relay(store, {"mail": mail}, clock, clock.monotonic() + 30, random.Random(0))
        store.prune(int(clock.now().timestamp()))
    return report


def main():
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    print("ready", flush=True)  # noqa: T201 the parent waits for it
    while True:
        cycle(folder, port)


if __name__ == "__main__":
    main()
