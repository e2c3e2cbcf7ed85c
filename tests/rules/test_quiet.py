"""Everyday work stays quiet, also for rules with a memory that know what came before."""

from __future__ import annotations

import csv
import functools
import gzip
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from trailwatch.cli.scan_memory import ScanMemory
from trailwatch.cli.scan_state import ScanState
from trailwatch.cli.scan_suppressions import ScanSuppressions
from trailwatch.config.schema import Config
from trailwatch.detect.engine import Engine
from trailwatch.detect.triage import group
from trailwatch.ports import Delivery
from trailwatch.rules.catalog import load_rules
from trailwatch.rules.rule import RuleSet
from trailwatch.simulate.healthy import month
from trailwatch.wiring import addresses_of

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
START = datetime(2026, 3, 2, tzinfo=UTC)


@functools.cache
def shipped(profile: str) -> RuleSet:
    return load_rules(profile=profile)


def alerts_on(rules: RuleSet, lines: Sequence[bytes], learn_until: int | None = None) -> Counter[str]:
    """Alerts of any level by rule; before `learn_until` rules with a memory learn, and nothing is counted."""
    book = addresses_of(Config())
    found = Engine(rules, tables=book).evaluate(
        Delivery("quiet", [msgspec.Raw(line) for line in lines], range(len(lines)))
    )
    assert not found.failures
    memory = ScanMemory(rules, learn_until=learn_until, book=book)
    memory.take(found)
    with ScanState(rules) as state:
        state.take(found)
        matches = [*found.matches, *memory.conclude(state.lineage().actor_at)]
        _, over_time = state.conclude(ScanSuppressions())
    alerts = [*group(matches), *over_time]
    return Counter(alert.rule.slug for alert in alerts if alert.last_time >= (learn_until or 0))


@functools.cache
def two_months() -> tuple[list[bytes], int]:
    """The records of a month to learn from and of the next, and how many the next has."""
    before = [msgspec.json.encode(one) for one in month(2, start=START - timedelta(days=30))]
    after = [msgspec.json.encode(one) for one in month(1, start=START)]
    return [*before, *after], len(after)


@pytest.mark.parametrize(("profile", "a_thousand", "most"), [("core", 1.0, 3), ("standard", 1.0, 1000)])
def test_a_healthy_month_after_another_is_nearly_silent(profile: str, a_thousand: float, most: int) -> None:
    lines, count = two_months()
    alerts = alerts_on(shipped(profile), lines, int(START.timestamp()))
    assert alerts.total() <= min(most, a_thousand * count / 1000), alerts


def everyday(*, people: bool) -> dict[str, list[bytes]]:
    """Lines of each recording that are labelled as everyday calls; of people alone where they are asked for."""
    if not DATA.is_dir():
        pytest.skip(f"the recordings are not at {DATA}")
    wanted: set[tuple[str, int]] = set()
    for path in sorted((DATA / "event-labels").glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            wanted |= {
                (row["file"], int(row["line"]))
                for row in csv.DictReader(file)
                if row["verdict"] == "negative" and not (people and "service" in row["class"])
            }
    found = {}
    for path in sorted(DATA.glob("*/*.jsonl.gz")):
        name = f"{path.parent.name}/{path.name}"
        with gzip.open(path, "rb") as file:
            found[name] = [line for at, line in enumerate(file.read().splitlines()) if (name, at) in wanted]
    return {name: lines for name, lines in found.items() if lines}


def middle_of(lines: Sequence[bytes]) -> int:
    times = sorted(msgspec.json.decode(line)["eventTime"] for line in lines)
    return int(datetime.fromisoformat(times[len(times) // 2]).timestamp())


@pytest.mark.parametrize("learned", [False, True], ids=["no history", "the earlier half is known"])
@pytest.mark.parametrize(("people", "most"), [(False, 5), (True, 0)], ids=["all calls", "calls of people"])
def test_recorded_everyday_calls_give_next_to_no_alert(people: bool, most: int, learned: bool) -> None:
    alerts: Counter[str] = Counter()
    for lines in everyday(people=people).values():
        alerts += alerts_on(shipped("standard"), lines, middle_of(lines) if learned else None)
    assert alerts.total() <= most, alerts
