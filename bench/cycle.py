"""A cycle over 17 regions with 50 ms latency: `check` against a script that makes the same clients and calls.

Both run against the same lab, in turns, as processes of their own; the least of their times counts, because what
else runs on a machine only ever adds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from trailwatch.lab.faults import Aim, Latency
from trailwatch.lab.server import Lab

TURNS = 4
GOALS = {"cpu": 1.5, "wall": 4.0, "help": 2.0}

SAME_CALLS = """
import sys, threading, time
from datetime import datetime, timedelta, timezone
import botocore.session
from botocore.config import Config

CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 4}, max_pool_connections=2)
session = botocore.session.Session()
now = datetime.now(timezone.utc)


def read(client):
    for turn, attribute in enumerate(("ReadOnly=false", "EventName=A", "EventName=B", "EventName=C")):
        if turn:
            time.sleep(0.5)
        key, value = attribute.split("=")
        client.lookup_events(
            LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}],
            StartTime=now - timedelta(minutes=16), EndTime=now, MaxResults=50,
        )


threads = []
for region in sys.argv[1:]:
    client = session.create_client("cloudtrail", region_name=region, config=CONFIG)
    thread = threading.Thread(target=read, args=(client,))
    thread.start()
    threads.append(thread)
for thread in threads:
    thread.join()
"""


class Cost(NamedTuple):
    cpu: float
    wall: float


def cost_of(command: list[str], environment: dict[str, str]) -> Cost:
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - begun)


def least(commands: dict[str, list[str]], environment: dict[str, str], turns: int) -> dict[str, Cost]:
    found: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(turns):
        for name, command in commands.items():
            found[name].append(cost_of(command, environment))
    return {name: Cost(min(c.cpu for c in costs), min(c.wall for c in costs)) for name, costs in found.items()}


def report(what: str, value: float, goal: float, detail: str) -> bool:
    good = value <= goal
    print(f"{what}: {value:.2f} ({detail}; goal {goal:g}){'' if good else '  MISSED'}")
    return good


def main() -> int:
    program = str(Path(sys.executable).parent / "trailwatch")
    with Lab() as lab, tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, **lab.environment(), "HOME": home}
        environment.pop("TRAILWATCH_CONFIG", None)
        lab.faults.add(Latency(0.05, aim=Aim(operation="LookupEvents")))
        cost_of([program, "check"], environment)
        regions = sorted({call.region for call in lab.calls if call.operation == "LookupEvents"})
        before = len(lab.calls)
        costs = least(
            {"check": [program, "check"], "calls": [sys.executable, "-c", SAME_CALLS, *regions]}, environment, TURNS
        )
        made = (len(lab.calls) - before) / (2 * TURNS)
        words = least(
            {"help": [program, "--help"], "click": [sys.executable, "-c", "import click"]}, environment, 2 * TURNS
        )
    check, calls = costs["check"], costs["calls"]
    print(f"{len(regions)} regions, {made:.0f} calls a run")
    good = [
        report(
            "cycle, CPU over the same clients and calls alone",
            check.cpu / calls.cpu,
            GOALS["cpu"],
            f"{check.cpu:.2f} s over {calls.cpu:.2f} s",
        ),
        report("cycle, seconds", check.wall, GOALS["wall"], f"the calls alone take {calls.wall:.2f} s"),
        report(
            "trailwatch --help over python -c 'import click'",
            words["help"].cpu / words["click"].cpu,
            GOALS["help"],
            f"{words['help'].cpu:.3f} s over {words['click'].cpu:.3f} s of CPU",
        ),
    ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
