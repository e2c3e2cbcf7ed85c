"""Recorded attacks are found by technique, and recorded everyday calls stay silent."""

from __future__ import annotations

import csv
import functools
import gzip
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from trailwatch.detect.correlator import Firing
from trailwatch.detect.engine import Engine
from trailwatch.detect.triage import group
from trailwatch.model.match import Match
from trailwatch.model.severity import Severity
from trailwatch.ports import Delivery
from trailwatch.rules.catalog import load_rules
from trailwatch.rules.coverage import shipped_evidence
from trailwatch.rules.rule import RuleSet
from trailwatch.testing import firings_of

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
EVENT_ID = re.compile(rb'"eventID": ?"([^"]+)"')
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


class Told(NamedTuple):
    """What the rules say of the recordings."""

    matches: Sequence[tuple[Match, Label]]
    """Every match with the label of its event."""
    firings: Sequence[tuple[Firing, Sequence[Label]]]
    """Every conclusion with the labels of its events."""


@functools.cache
def recordings() -> Mapping[str, Sequence[bytes]]:
    if not DATA.is_dir():
        pytest.skip(f"the recordings are not at {DATA}")
    found = {}
    for path in sorted(DATA.glob("*/*.jsonl.gz")):
        with gzip.open(path, "rb") as file:
            found[f"{path.parent.name}/{path.name}"] = file.read().splitlines()
    return found


@functools.cache
def shipped_rules() -> RuleSet:
    return load_rules()


def told_of(name: str, lines: Sequence[bytes], kept: Sequence[int]) -> Told:
    """What the rules say of these lines of a recording."""
    rules, where = shipped_rules(), {}
    result = Engine(rules).evaluate(Delivery(name, [msgspec.Raw(lines[at]) for at in kept], kept))
    assert not result.failures
    for at in kept:
        found = EVENT_ID.search(lines[at])
        where.setdefault(found[1].decode() if found else "", at)
    matches = [
        (match, labels()[name, match.position]) for match in result.matches if (name, match.position) in labels()
    ]
    firings = [
        (one, [labels().get((name, where.get(each.event_id, -1)), ("ignore", "", "")) for each in one.members])
        for one in firings_of(rules, result.signals)
    ]
    return Told(matches, firings)


@functools.cache
def everything() -> Sequence[Told]:
    return [told_of(name, lines, range(len(lines))) for name, lines in recordings().items()]


@functools.cache
def negatives() -> Sequence[Told]:
    """What the rules say where nothing but everyday calls was recorded."""
    quiet = {place for place, (verdict, _, _) in labels().items() if verdict == "negative"}
    return [
        told_of(name, lines, [at for at in range(len(lines)) if (name, at) in quiet])
        for name, lines in recordings().items()
    ]


def test_every_recorded_technique_is_found_by_a_rule_or_a_sequence() -> None:
    found = set()
    for told in everything():
        for match, (verdict, technique, _) in told.matches:
            if verdict == "positive" and match.rule.alerting and match.rule.severity >= Severity.MEDIUM:
                found.add(technique)
        for firing, of_events in told.firings:
            if firing.correlation.info.severity >= Severity.MEDIUM:
                found |= {technique for verdict, technique, _ in of_events if verdict == "positive"}
    wanted = {technique for verdict, technique, _ in labels().values() if verdict == "positive"}
    assert wanted - found == set()


def test_the_table_of_evidence_is_what_the_rules_find_in_the_recordings() -> None:
    found: dict[str, set[str]] = {}
    for name, told in zip(recordings(), everything(), strict=True):
        source = name.partition("/")[0]
        said = [(match.rule, [label]) for match, label in told.matches]
        said += [(firing.correlation.info, of_events) for firing, of_events in told.firings]
        for info, of_events in said:
            if info.alerting and info.severity >= Severity.MEDIUM and info.origin.startswith("rulepack/"):
                attacks = {f"{source}/{label[1]}" for label in of_events if label[0] == "positive"}
                for technique in info.techniques if attacks else ():
                    found.setdefault(technique, set()).update(attacks)
    assert shipped_evidence() == {technique: tuple(sorted(names)) for technique, names in found.items()}


def test_recorded_everyday_calls_give_at_most_five_alerts() -> None:
    single = group(match for told in negatives() for match, _ in told.matches)
    over_time = [firing.correlation.info.slug for told in negatives() for firing, _ in told.firings]
    assert len(single) + len(over_time) <= 5, [*(alert.rule.slug for alert in single), *over_time]


def test_recorded_everyday_calls_of_people_give_no_alert() -> None:
    quiet = [match for told in negatives() for match, (_, _, caller) in told.matches if "service" not in caller]
    assert [alert.rule.slug for alert in group(quiet)] == []
