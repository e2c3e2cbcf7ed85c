"""What a cycle does with its store, on an empty one and on full ones; see `state.py`, which calls this.

Each cycle is a process of its own, as under cron. What counts is the time from opening the store to closing it; to
import the program and to load the rules takes the same on any store.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from trailwatch.detect.actor_keys import ActorKeys
from trailwatch.detect.correlator import Correlator, number_of
from trailwatch.detect.engine import Engine
from trailwatch.model.severity import Severity
from trailwatch.model.sighting import DAY, Remembered, Sightings
from trailwatch.model.signal import Brief, Signal
from trailwatch.pipeline import Pipeline
from trailwatch.ports import Delivery
from trailwatch.rules.catalog import load_rules
from trailwatch.rules.rule import RuleSet
from trailwatch.store.database import Database
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock, event

NOW = 1_760_054_400
ACCOUNT = "111122223333"
USERS = 100_000
VALUES_OF_A_RULE = 20_000
PAGES = 10
PAGE = 50
CYCLES = 7
CALLS = (
    *(("CreateUser", "iam", False), ("AttachUserPolicy", "iam", False), ("CreateAccessKey", "iam", False)),
    *(
        ("RunInstances", "ec2", False),
        ("PutBucketPolicy", "s3", False),
        ("UpdateFunctionCode20150331v2", "lambda", False),
    ),
    *(("GetSecretValue", "secretsmanager", True), ("ListBuckets", "s3", True), ("DescribeInstances", "ec2", True)),
)
_BATCH = 50_000


class Cost(NamedTuple):
    cpu: float
    wall: float


def compare(folder: Path, held: int, seen: int) -> dict[str, Cost]:
    """The median cost of a cycle in seconds: on a store that is `empty`, holds `signals`, remembers `events`."""
    places = {name: folder / f"{name}.sqlite3" for name in ("empty", "signals", "events")}
    rules = load_rules(cache_dir=folder / "rules")
    with Store(Database(places["signals"])) as store:
        fill_signals(store, rules, held)
    with Store(Database(places["events"])) as store:
        fill_events(store, rules, seen)
    costs: dict[str, list[Cost]] = {name: [] for name in places}
    for number in range(CYCLES + 1):
        for name, place in places.items():
            command = [sys.executable, __file__, str(place), str(number)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            costs[name].append(Cost(*json.loads(done.stdout)))
    # the first cycle on a store introduces the rules to it
    return {
        name: Cost(statistics.median(one.cpu for one in found[1:]), statistics.median(one.wall for one in found[1:]))
        for name, found in costs.items()
    }


def fill_signals(store: Store, rules: RuleSet, count: int) -> None:
    """Signals of the last day, as cycles would have kept them: for correlations by actor, and by who acted."""
    keys = ActorKeys(rules.correlations)
    pairs = [
        (one.info.id, base)
        for one in rules.correlations
        for base in one.rules
        if len(one.group_by) == 1 and keys.places(one.info.id, base)
    ]
    chance = random.Random(3)
    pairs = chance.sample(pairs, 40)
    correlator = Correlator(rules.correlations, store.signals)
    for some in batches(signal_of(number, count, chance.randrange(USERS), pairs) for number in range(count)):
        correlator.keep(some)
    each = max(1, count // USERS)  # in the order of the table, of which this makes hours less
    chance = random.Random(4)
    acted = (
        signal_of(chance.randrange(count), count, int(user), pairs)
        for user in sorted(map(str, range(min(USERS, count))))
        for _ in range(each)
    )
    for some in batches(acted):
        store.actor_signals.add(some, [one.key[0] for one in some])


def signal_of(number: int, count: int, user: int, pairs: list[tuple[str, str]]) -> Signal:
    at = NOW - DAY + number * DAY // count
    arn = f"arn:aws:iam::{ACCOUNT}:user/user{user}"
    brief = Brief(
        f"{number:08x}-0000-4000-8000-{number:012d}",
        *(at, ACCOUNT, "us-east-1", "s3.amazonaws.com", "GetBucketPolicy", arn, f"user user{user} in {ACCOUNT}"),
        *("AKIAIOSFODNN7EXAMPLE", "198.51.100.23", "aws-cli/2.27.12 md/Botocore#1.38 ua/2.1", "", arn),
    )
    rule_id, base = pairs[number % len(pairs)]
    return Signal(rule_id, base, (arn,), at, brief, f"value{number % 5}")


def fill_events(store: Store, rules: RuleSet, count: int) -> None:
    """Events of 30 days that were read, and values that each rule with a memory knows."""
    chance = random.Random(5)
    for start in range(0, count, _BATCH):
        numbers = range(start, min(start + _BATCH, count))
        with store.transaction():
            store.seen.add(
                [(ACCOUNT, NOW - 30 * DAY + number * 30 * DAY // count, f"seen-{number:012d}") for number in numbers]
            )
    store.first_seen.learn(ACCOUNT, NOW - 60 * DAY)
    for rule in rules.first_seen:
        if rule.first_seen is None:
            continue
        changed = {}
        for number in range(VALUES_OF_A_RULE):
            values = tuple(f"{name} {number}" for name in rule.first_seen.fields)
            last = NOW // DAY - chance.randrange(30)
            row = Remembered(rule.info.id, ACCOUNT, values, Sightings(last - 5, last, chance.getrandbits(5) | 1))
            changed[number_of((rule.info.id, ACCOUNT, *values))] = row
        store.first_seen.see(changed)


def batches(signals: Iterator[Signal]) -> Iterator[list[Signal]]:
    while some := list(islice(signals, _BATCH)):
        yield some


def cycle(place: Path, number: int) -> Cost:
    """One cycle: pages of events of which half were read by the one before, and all that follows."""
    rules = load_rules(cache_dir=place.parent / "rules")
    pages = [page(number, at) for at in range(PAGES)]
    now, engine = NOW + 60 * number, Engine(rules, silent=True)
    cpu, wall = time.process_time(), time.perf_counter()
    with Store(Database(place)) as store:
        clock = FixedClock(datetime.fromtimestamp(now, UTC))
        pipeline = Pipeline(engine, store, None, clock, {"console": Severity.MEDIUM}, rules)
        for records in pages:
            pipeline.process(Delivery("page", records, range(len(records)), archive=True))
        pipeline.judge(now - 900)
        pipeline.announce(now)
        store.prune(now)
    return Cost(time.process_time() - cpu, time.perf_counter() - wall)


def page(number: int, at: int) -> list[msgspec.Raw]:
    half = PAGE // 2
    made = [record(number - 1, at * half + one) for one in range(half)]
    made += [record(number, at * half + one) for one in range(half)]
    return [msgspec.Raw(msgspec.json.encode(one)) for one in made]


def record(number: int, at: int) -> dict[str, object]:
    chance = random.Random(number * 10_000 + at)
    name, service, reads = chance.choice(CALLS)
    person = chance.randrange(USERS)
    user = f"user{person}"
    when = datetime.fromtimestamp(NOW + 60 * number - chance.randrange(600), UTC)
    return event(
        name,
        eventID=f"cycle-{number}-{at}",
        eventSource=f"{service}.amazonaws.com",
        eventTime=f"{when:%Y-%m-%dT%H:%M:%SZ}",
        readOnly=reads,
        change={
            "userIdentity.userName": user,
            "userIdentity.arn": f"arn:aws:iam::{ACCOUNT}:user/{user}",
            "userIdentity.accessKeyId": f"AKIA{person:016d}",
        },
    )


if __name__ == "__main__":
    print(json.dumps(cycle(Path(sys.argv[1]), int(sys.argv[2]))))
