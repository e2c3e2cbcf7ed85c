"""A power cut at any call of store, source, archive and notifier loses nothing and repeats one send at most."""

import json
import random
import shutil
from collections import Counter

import pytest

from trailwatch.detect.triage import group
from trailwatch.store.alerts import AlertFilter
from trailwatch.store.database import Database
from trailwatch.store.outbox import OutboxState
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock

from .parts import START, FileMailbox, NameEngine, ScriptedHistory, archived_ids, dies, run_cycle

WINDOWS = 3
CUTS_AT_MOST = 1000
SHARES = 4
"""Of the calls, so that processes can share the work."""


class Place:
    """One state file with its archive and mailbox, and processes that run cycles over them."""

    def __init__(self, folder, new_state, windows=WINDOWS):
        folder.mkdir(parents=True)
        self.paths = (folder / "state.sqlite3", folder / "mailbox", folder / "archive")
        shutil.copy(new_state, self.paths[0])
        self.windows = windows

    def dies(self, fuse_at):
        return dies(lambda fuse: run_cycle(*self.paths, windows=self.windows, fuse=fuse), fuse_at)

    def check(self, interrupted_at_most):
        expected = group(
            match
            for one in ScriptedHistory(None, self.windows).every_delivery()
            for match in NameEngine().evaluate(one).matches
        )
        with Store(Database(self.paths[0])) as store:
            found = store.alerts.search(AlertFilter(limit=1000))
            counts = store.outbox.counts()
        assert {(a.id, a.event_count, a.first_time, a.last_time) for a in found} == {
            (a.id, a.event_count, a.first_time, a.last_time) for a in expected
        }
        assert counts[OutboxState.SENDING] == counts[OutboxState.WAITING] == counts[OutboxState.DEAD] == 0

        lines = FileMailbox(self.paths[1]).lines()
        sends = Counter(message for _, message, *_ in lines)
        told = Counter(
            alert.partition(":")[0]
            for _, message, alerts, kind in {str(line): line for line in lines}.values()
            for alert in alerts
            if kind == "alert"
        )
        assert told == Counter(alert.id for alert in expected)
        assert sum(sends.values()) - len(sends) <= interrupted_at_most

        archived = set(archived_ids(self.paths[2]))
        assert archived == {e["eventID"] for e in events_of_history(self.windows)}


def events_of_history(windows):
    return [json.loads(bytes(raw)) for one in ScriptedHistory(None, windows).every_delivery() for raw in one.records]


@pytest.fixture
def new_state(memory):
    """A state file that nothing was written to, made once for all places."""
    path = memory / "new.sqlite3"
    Database(path).close()
    return path


@pytest.mark.parametrize("share", range(SHARES))
def test_death_at_every_call_of_a_cycle(memory, new_state, share):
    survived_at = None
    for n in range(1 + share, CUTS_AT_MOST, SHARES):
        place = Place(memory / str(n), new_state)
        died = place.dies(n)
        run_cycle(*place.paths, windows=WINDOWS)
        place.check(interrupted_at_most=1)
        if not died:
            survived_at = n
            break
        shutil.rmtree(memory / str(n))

    assert survived_at is not None
    assert survived_at > 100


@pytest.mark.parametrize("seed", range(12))
def test_death_again_and_again_at_random_calls(memory, new_state, seed):
    chance = random.Random(seed)
    place = Place(memory / "place", new_state, windows=6)
    deaths = sum(place.dies(chance.randint(1, 120)) for _ in range(8))
    # a mail whose sender died twice in a row waits before its next attempt
    for hours in (1, 3, 5):
        run_cycle(*place.paths, windows=6, clock=FixedClock.at(START + hours * 3600))

    place.check(interrupted_at_most=deaths)
