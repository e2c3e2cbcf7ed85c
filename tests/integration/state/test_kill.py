"""A process that is killed at any moment, again and again, loses no alert and repeats one mail at most each time."""

import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from email import message_from_bytes
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from trailwatch.store.alerts import AlertFilter
from trailwatch.store.database import Database
from trailwatch.store.outbox import OutboxState
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock

from .endless_cycles import cycle, window_records, windows_read
from .parts import archived_ids

ROOT = Path(__file__).parents[3]
INTERRUPTED = """
    SELECT o.message_id, sum(a.outcome = 'interrupted') FROM outbox o JOIN attempts a ON a.outbox_id = o.id
    GROUP BY o.message_id
"""
LONGEST_LIFE_SECONDS = 0.6


class Accepted:
    """What the mail server took; a mail counts once its sender could know."""

    def __init__(self):
        self.ids = []

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 aiosmtpd's name
        self.ids.append(message_from_bytes(envelope.content)["Message-ID"])
        return "250 accepted"


@pytest.fixture
def mail_server():
    accepted = Accepted()
    controller = Controller(accepted, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield accepted, controller.port
    controller.stop()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def live_and_die(folder, port, seconds):
    command = [sys.executable, "-m", "tests.integration.state.endless_cycles", str(folder), str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL


def kill_and_check(folder, accepted, port, kills, seed):
    chance = random.Random(seed)
    for _ in range(kills):
        live_and_die(folder, port, chance.uniform(0, LONGEST_LIFE_SECONDS))
    # a mail whose sender died twice in a row waits before its next attempt
    for hours in (2, 4):
        report = cycle(folder, port, new_windows=0, clock=FixedClock.at(time.time() + hours * 3600))
    assert (report.errors, report.waiting) == ({}, {})

    with Store(Database(folder / "state.sqlite3")) as store:
        windows = windows_read(store)
        alerts = store.alerts.search(AlertFilter(limit=100_000))
        sendings = {alert.id: store.outbox.sendings_of(alert.id) for alert in alerts}
        interrupted = {row[0]: row[1] for row in store.database.all(INTERRUPTED)}
        counts = store.outbox.counts()

    assert windows > 2
    users = {f"arn:aws:iam::111122223333:user/user{window}" for window in range(windows)}
    assert Counter(alert.principal for alert in alerts) == Counter(users)
    assert {alert.event_count for alert in alerts} == {1}
    assert all([state for _, state, _ in found] == [OutboxState.SENT] for found in sendings.values())
    assert counts[OutboxState.WAITING] == counts[OutboxState.SENDING] == counts[OutboxState.DEAD] == 0

    sends = Counter(mail_id.strip("<>").partition("@")[0] for mail_id in accepted.ids)
    assert sends.keys() == interrupted.keys()
    assert all(count <= 1 + interrupted[message_id] for message_id, count in sends.items())
    assert sum(interrupted.values()) <= kills

    expected = {json.loads(bytes(raw))["eventID"] for window in range(windows) for raw in window_records(window)}
    assert expected <= set(archived_ids(folder / "archive"))


def test_twenty_kills(tmp_path, mail_server):
    kill_and_check(tmp_path, *mail_server, kills=20, seed=20)


@pytest.mark.soak
def test_two_hundred_kills(tmp_path, mail_server):
    kill_and_check(tmp_path, *mail_server, kills=200, seed=200)
