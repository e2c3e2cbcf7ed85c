"""What the shipped rules find and what they disturb: recall per technique, alerts on quiet data, the worst rules.

    python bench/recall.py [--data DIR]

Recorded attacks come from the data folder beside the project (skipped, with a line, where it is absent); the
healthy month is the project's own. A technique is found when a rule of level medium or above matches one of its own
events; recall is a share of techniques, never of events.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from trailwatch.detect.engine import Engine
from trailwatch.detect.triage import group
from trailwatch.model.match import Match
from trailwatch.model.severity import Severity
from trailwatch.ports import Delivery
from trailwatch.rules.catalog import load_rules
from trailwatch.simulate.healthy import month

DATA = Path(__file__).parents[2] / "shared" / "data"


def delivery(origin: str, lines: list[bytes]) -> Delivery:
    return Delivery(origin=origin, records=[msgspec.Raw(line) for line in lines], positions=range(len(lines)))


def recorded(data: Path) -> dict[str, list[bytes]]:
    found = {}
    for path in sorted(data.glob("*/*.jsonl.gz")):
        with gzip.open(path, "rb") as file:
            found[f"{path.parent.name}/{path.name}"] = file.read().splitlines()
    return found


def labels(data: Path) -> dict[tuple[str, int], tuple[str, str, str]]:
    """(file, line) -> verdict, class, technique."""
    found = {}
    for path in sorted((data / "event-labels").glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                found[row["file"], int(row["line"])] = (row["verdict"], row["class"], row["technique_id"])
    return found


def measure_recorded(data: Path) -> None:
    engine = Engine(load_rules([], profile="standard"))
    known = labels(data)
    found: dict[str, set[str]] = defaultdict(set)
    wanted = {
        (file.split("/")[0], technique)
        for (file, _), (verdict, _, technique) in known.items()
        if verdict == "positive"
    }
    quiet: list[Match] = []
    negatives = Counter(cls for verdict, cls, _ in known.values() if verdict == "negative")
    for file, lines in recorded(data).items():
        for match in engine.evaluate(delivery(file, lines)).matches:
            verdict, _, technique = known.get((file, match.position), ("ignore", "", ""))
            if verdict == "positive" and match.rule.severity >= Severity.MEDIUM and match.rule.alerting:
                found[f"{file.split('/')[0]} {technique}"].add(match.rule.slug)
            elif verdict == "negative":
                quiet.append(match)
    missed = sorted(f"{source} {technique}" for source, technique in wanted if f"{source} {technique}" not in found)
    print(f"techniques found      {len(wanted) - len(missed)} of {len(wanted)}")
    for name in missed:
        print(f"  missed              {name}")
    alerts = group(quiet)
    print(f"alerts on negatives   {len(alerts)} of {sum(negatives.values())} events")
    print_worst(alerts)


def measure_healthy() -> None:
    lines = [msgspec.json.encode(record) for record in month(1, start=datetime(2026, 3, 2, tzinfo=UTC))]
    for profile in ("core", "standard"):
        rules = load_rules([], profile=profile)
        alerts = group(Engine(rules).evaluate(delivery("healthy", lines)).matches)
        alerts = [alert for alert in alerts if alert.severity >= Severity.MEDIUM]
        share = 1000 * len(alerts) / len(lines)
        print(f"healthy month, {profile:8} {len(alerts)} alerts in {len(lines)} events, {share:.2f} a thousand")
        print_worst(alerts)


def print_worst(alerts: list) -> None:
    for slug, count in Counter(alert.rule.slug for alert in alerts).most_common(10):
        print(f"  {count:5}               {slug}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of recorded events with labels")
    arguments = parser.parse_args()
    if arguments.data.is_dir():
        measure_recorded(arguments.data)
    else:
        print(f"skipped: no recorded events at {arguments.data}")
    measure_healthy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
