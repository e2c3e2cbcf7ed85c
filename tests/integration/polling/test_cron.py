"""The cron line: one line in the log, nothing to mail, whatever else runs; and the lock behind it."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import subprocess
import time

import pytest

from trailwatch.errors import StoreError

from .conftest import COMMAND

LINE = "trailwatch -c 2>&1 >> trailwatch.log"


def cron(machine):
    """Runs the literal line as cron does; what comes back is what cron would mail."""
    return subprocess.run(
        ["/bin/sh", "-c", LINE],
        env=machine.environment,
        cwd=machine.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )


def log(machine):
    return (machine.folder / "trailwatch.log").read_text().splitlines()


@pytest.fixture
def small(machine):
    machine.configure("pace = '0.01s'\nregions = ['eu-west-1', 'us-east-1']")
    return machine


def test_a_quiet_run_writes_one_line_to_the_log_and_nothing_to_mail(small):
    result = cron(small)

    assert (result.returncode, result.stdout) == (0, "")
    assert len(log(small)) == 1
    assert " good: 2 regions, " in log(small)[0]


def test_with_no_configuration_at_all_the_line_works_too(machine):
    del machine.environment["TRAILWATCH_CONFIG"]
    result = cron(machine)

    assert (result.returncode, result.stdout) == (0, "")
    assert " good: 17 regions, " in log(machine)[0]


def test_while_another_run_is_active_a_run_leaves_with_one_line_and_nothing_to_mail(small):
    cron(small)
    with small.store() as store, store.cycles.lock() as lock:
        assert lock.acquire()
        store.cycles.begin(time.time())

        result = cron(small)

    assert (result.returncode, result.stdout) == (0, "")
    assert len(log(small)) == 2
    assert " busy: another run is active since " in log(small)[1]


def test_a_lock_that_is_held_for_too_long_is_an_error_that_says_what_to_do(small):
    with small.store() as store, store.cycles.lock() as lock:
        assert lock.acquire()
        store.cycles.begin(time.time() - 700)

        result = cron(small)

    assert result.returncode == 1
    assert f"another run (process {os.getpid()}) has not ended for 70" in result.stdout
    assert f"kill {os.getpid()}" in result.stdout


def test_an_alert_is_mailed_by_cron_when_nobody_else_is_named(small):
    small.lab.console_login("root", region="us-east-1")

    result = cron(small)

    assert result.returncode == 0
    assert len(log(small)) == 1
    assert "1 alert (" in log(small)[0]
    assert "ConsoleLogin" in result.stdout


def test_the_lock_of_a_killed_run_is_free_at_once_and_its_pace_is_kept(small):
    small.configure("pace = '0.5s'\nregions = ['eu-west-1']")
    process = small.start("check")
    wait_for(lambda: len(small.lookups()) >= 2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    killed_after = len(small.lookups())
    status = small.run("status").stdout

    result = cron(small)

    assert re.search(rf"^killed: +the run of \S+, process {process.pid}$", status, re.MULTILINE)
    assert "running: " not in status

    assert (result.returncode, result.stdout) == (0, "")
    times = [call.at for call in small.lookups()]
    assert times[killed_after] - times[killed_after - 1] >= 0.5
    with small.store() as store:
        rows = store.database.all("SELECT outcome FROM cycle ORDER BY id")
    assert [row["outcome"] for row in rows] == ["killed", "good"]


def test_the_lock_file_is_private(small):
    cron(small)

    path = small.folder / "state.sqlite3.lock"
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_watch_runs_cycles_until_sigterm_ends_it_cleanly(small):
    process = small.start("watch")
    wait_for(lambda: len(small.lookups()) >= 8)
    wait_for(lambda: small.store().cycles.last_good() is not None)
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=120)

    assert (process.returncode, error) == (0, "")
    assert " good: 2 regions, " in out
    with small.store() as store:
        assert store.cycles.running() is None


def test_sigterm_in_the_middle_of_a_watch_cycle_finishes_the_window_and_ends_the_cycle(small):
    small.configure("pace = '0.3s'\nregions = ['eu-west-1']\nplan_requests_per_region = 30")
    process = small.start("watch")
    wait_for(lambda: len(small.lookups()) >= 2)
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=120)

    assert (process.returncode, error) == (0, "")
    assert " good: 1 region, " in out
    assert len(small.lookups()) <= 4


def wait_for(condition, seconds=120.0):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.02)


def test_alerts_that_cannot_be_delivered_for_long_are_mailed_by_cron(small):
    nobody = "[[notify]]\ntype = 'email'\nname = 'on-call'\nto = ['a@example.com']\nhost = '127.0.0.1'\nport = 9"
    small.configure("pace = '0.01s'\nregions = ['us-east-1']", nobody)
    small.lab.console_login("root", region="us-east-1")
    first = cron(small)
    with small.store() as store, store.transaction():
        store.database.execute("UPDATE outbox SET created = created - 7200, due = 0")
    second = cron(small)

    assert first.stdout == ""
    assert "error: on-call: alerts could not be delivered for 2h" in second.stdout
    assert "not delivered: on-call" in log(small)[-1]


def test_errors_of_the_state_file_are_told_with_exit_code_one(small):
    small.state.mkdir()

    result = cron(small)

    assert result.returncode == StoreError.exit_code
    assert result.stdout.startswith("error: ")


def test_on_a_terminal_alerts_are_readable_blocks_and_the_summary_comes_last(small):
    small.lab.console_login("root", region="us-east-1")
    main_end, terminal = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, "check"],
        env=small.environment,
        cwd=small.folder,
        stdout=terminal,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):
        while part := os.read(main_end, 4096):
            shown += part
    os.close(main_end)
    _, error = process.communicate(timeout=120)

    text = shown.decode().replace("\r\n", "\n")
    assert (process.returncode, error) == (0, "")
    assert text.count("ConsoleLogin (signin.amazonaws.com)") == 1
    assert "WHAT TO DO NEXT" in text
    assert " good: 2 regions, " in text.splitlines()[-1]
