"""What the shipped rules find and what they disturb: recall per technique, alerts on quiet data, the worst rules.

    python bench/recall.py [--data DIR]

Recorded attacks come from the data folder beside the project (skipped, with a line, where it is absent); the
healthy month is the project's own. A technique is found when a rule of level medium or above matches one of its own
events, or a rule over time leans on one; recall is a share of techniques, never of events. Alerts on everyday calls
are those of any level in a run that reads nothing else; rules with a memory have learned the month before the healthy
one, and are asked about recordings twice: with no more history than those have, and with their earlier halves known.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from trailwatch.cli.scan_memory import ScanMemory
from trailwatch.cli.scan_state import ScanState
from trailwatch.cli.scan_suppressions import ScanSuppressions
from trailwatch.config.schema import Config
from trailwatch.detect.engine import Engine
from trailwatch.detect.triage import group
from trailwatch.model.severity import Severity
from trailwatch.ports import Delivery
from trailwatch.rules.catalog import load_rules
from trailwatch.rules.rule import RuleSet
from trailwatch.simulate.healthy import month
from trailwatch.testing import firings_of
from trailwatch.wiring import addresses_of

START = datetime(2026, 3, 2, tzinfo=UTC)
DATA = Path(__file__).parents[2] / "shared" / "data"


def delivery(origin: str, lines: Sequence[bytes]) -> Delivery:
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


def alerts_on(rules: RuleSet, name: str, lines: Sequence[bytes], learn_until: int | None = None) -> Counter[str]:
    """Alerts of any level by rule.

    Args:
        rules: over single events, over time and with a memory.
        name: of the recording.
        lines: its records.
        learn_until: what is before this time teaches the rules with a memory, and is told by none.
    """
    book = addresses_of(Config())
    found = Engine(rules, tables=book).evaluate(delivery(name, lines))
    memory = ScanMemory(rules, learn_until=learn_until, book=book)
    memory.take(found)
    with ScanState(rules) as state:
        state.take(found)
        matches = [*found.matches, *memory.conclude(state.lineage().actor_at)]
        _, over_time = state.conclude(ScanSuppressions())
    alerts = [*group(matches), *over_time]
    return Counter(alert.rule.slug for alert in alerts if alert.last_time >= (learn_until or 0))


def found_in(rules: RuleSet, name: str, lines: Sequence[bytes], known: Mapping[int, str]) -> dict[str, set[str]]:
    """Technique -> rules that found it; `known` is the technique of each line of an attack."""
    result = Engine(rules).evaluate(delivery(name, lines))
    found: dict[str, set[str]] = defaultdict(set)
    by_id = {str(msgspec.json.decode(lines[at]).get("eventID")): technique for at, technique in known.items()}
    for match in result.matches:
        if match.position in known and match.rule.severity >= Severity.MEDIUM and match.rule.alerting:
            found[known[match.position]].add(match.rule.slug)
    for one in firings_of(rules, result.signals):
        if one.correlation.info.severity >= Severity.MEDIUM:
            for technique in {by_id[member.event_id] for member in one.members if member.event_id in by_id}:
                found[technique].add(f"{one.correlation.info.slug} (over time)")
    return found


def measure_recorded(data: Path, *, verbose: bool) -> None:
    rules = load_rules([], profile="standard")
    known = labels(data)
    found: dict[str, set[str]] = defaultdict(set)
    wanted: set[str] = set()
    quiet: Counter[str] = Counter()
    learned: Counter[str] = Counter()
    negatives = 0
    for file, lines in recorded(data).items():
        source = file.split("/", maxsplit=1)[0]
        verdicts = {at: known[file, at] for at in range(len(lines)) if (file, at) in known}
        attacks = {at: label[2] for at, label in verdicts.items() if label[0] == "positive"}
        wanted |= {f"{source} {technique}" for technique in attacks.values()}
        for technique, slugs in found_in(rules, file, lines, attacks).items():
            found[f"{source} {technique}"] |= slugs
        everyday = [lines[at] for at, label in verdicts.items() if label[0] == "negative"]
        negatives += len(everyday)
        quiet += alerts_on(rules, file, everyday)
        learned += alerts_on(rules, file, everyday, learn_until=middle_of(everyday))
    print(f"techniques found      {len(wanted & found.keys())} of {len(wanted)}")
    for name in sorted(wanted - found.keys()):
        print(f"  missed              {name}")
    for name in sorted(wanted & found.keys()) if verbose else ():
        print(f"  {name}: {', '.join(sorted(found[name]))}")
    print(f"alerts on negatives   {quiet.total()} of {negatives} events")
    print_worst(quiet)
    print(f"  in their later halves, when rules with a memory know the earlier ones: {learned.total()}")
    print_worst(learned)


def middle_of(lines: Sequence[bytes]) -> int | None:
    """The time in the middle of these records' times."""
    times = sorted(str(msgspec.json.decode(line)["eventTime"]) for line in lines)
    return int(datetime.fromisoformat(times[len(times) // 2]).timestamp()) if times else None


def measure_healthy() -> None:
    """The rules with a memory have seen the month before."""
    before = month(2, start=START - timedelta(days=30), days=30)
    lines = [msgspec.json.encode(record) for record in month(1, start=START)]
    history = [msgspec.json.encode(record) for record in before]
    for profile in ("core", "standard"):
        alerts = alerts_on(
            load_rules([], profile=profile), "healthy", [*history, *lines], learn_until=int(START.timestamp())
        )
        share = 1000 * alerts.total() / len(lines)
        print(f"healthy month, {profile:8} {alerts.total()} alerts in {len(lines)} events, {share:.2f} a thousand")
        print_worst(alerts)


def print_worst(alerts: Counter[str]) -> None:
    for slug, count in alerts.most_common(10):
        print(f"  {count:5}               {slug}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of recorded events with labels")
    parser.add_argument("--verbose", action="store_true", help="name the rules that found each technique")
    arguments = parser.parse_args()
    if arguments.data.is_dir():
        measure_recorded(arguments.data, verbose=arguments.verbose)
    else:
        print(f"skipped: no recorded events at {arguments.data}")
    measure_healthy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
