"""Recorded attacks are found by technique, and recorded everyday calls stay silent."""

from __future__ import annotations

import csv
import functools
import gzip
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from trailwatch.detect.engine import Engine
from trailwatch.detect.triage import group
from trailwatch.model.match import Match
from trailwatch.model.severity import Severity
from trailwatch.ports import Delivery
from trailwatch.rules.catalog import load_rules

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
NEED_STATE = {
    "aws.credential-access.ec2-steal-instance-credentials",
    "aws.credential-access.secretsmanager-retrieve-secrets",
    "sans504.discovery",
}
"""What no single call gives away: a machine's role elsewhere, reading one secret too many, asking too much."""

Label = tuple[str, str, str]
"""Verdict, technique, class of the caller."""


@functools.cache
def labels() -> Mapping[tuple[str, int], Label]:
    found = {}
    for path in sorted((DATA / "event-labels").glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                found[row["file"], int(row["line"])] = (row["verdict"], row["technique_id"], row["class"])
    return found


@functools.cache
def matches() -> Sequence[tuple[Match, Label]]:
    """Every match on the recordings with the label of its event."""
    if not DATA.is_dir():
        pytest.skip(f"the recordings are not at {DATA}")
    engine, found = Engine(load_rules()), []
    for path in sorted(DATA.glob("*/*.jsonl.gz")):
        name = f"{path.parent.name}/{path.name}"
        with gzip.open(path, "rb") as file:
            records = [msgspec.Raw(line) for line in file.read().splitlines()]
        result = engine.evaluate(Delivery(name, records, range(len(records))))
        assert not result.failures
        found += [
            (match, labels()[name, match.position]) for match in result.matches if (name, match.position) in labels()
        ]
    return found


def test_every_recorded_technique_that_one_call_gives_away_is_found() -> None:
    found = defaultdict(set)
    for match, (verdict, technique, _) in matches():
        if verdict == "positive" and match.rule.alerting and match.rule.severity >= Severity.MEDIUM:
            found[technique].add(match.rule.slug)
    wanted = {technique for verdict, technique, _ in labels().values() if verdict == "positive"}
    assert wanted - found.keys() <= NEED_STATE


def test_recorded_everyday_calls_give_at_most_five_alerts() -> None:
    alerts = group(match for match, (verdict, _, _) in matches() if verdict == "negative")
    assert len(alerts) <= 5, [alert.rule.slug for alert in alerts]


def test_recorded_everyday_calls_of_people_give_no_alert() -> None:
    quiet = [match for match, (verdict, _, caller) in matches() if verdict == "negative" and "service" not in caller]
    assert [alert.rule.slug for alert in group(quiet)] == []
