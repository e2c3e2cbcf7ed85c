"""Which ATT&CK techniques the loaded rules name, and what each rests on: rules, examples, recordings, log types."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from trailwatch.rules.attack import TACTICS, TECHNIQUES, VERSION
from trailwatch.rules.rule import Correlation, Rule, RuleSet

MANAGEMENT, READ_ONLY, DATA = "management events", "read-only look-ups", "data events"
INSIGHT, NETWORK = "insight events", "network activity"
LOG_TYPES = (MANAGEMENT, READ_ONLY, DATA, NETWORK, INSIGHT)
_FAMILIES = {"data": DATA, "insight": INSIGHT, "networkactivity": NETWORK}


class Covered(msgspec.Struct, frozen=True):
    """One technique."""

    technique: str
    name: str
    tactics: tuple[str, ...]
    alerting: tuple[str, ...]
    """Slugs of the rules that alert."""
    feeding: tuple[str, ...]
    """Slugs of the rules that only feed others."""
    examples: int
    """Events and stories that these rules must match."""
    recordings: tuple[str, ...]
    """Recorded attacks in which one of these rules found something; from `rulepack/evidence.csv`."""
    log_types: tuple[str, ...]
    """What a trail must hold for its alerting rules, or for all where none alerts."""


def coverage(ruleset: RuleSet, evidence: Mapping[str, Sequence[str]]) -> list[Covered]:
    """Every cloud technique of ATT&CK by id, also those without a rule.

    Args:
        ruleset: what is loaded.
        evidence: technique to the recordings in which it was found.
    """
    types = log_types(ruleset)
    by_technique: dict[str, list[Rule | Correlation]] = {technique: [] for technique in TECHNIQUES}
    every: list[Rule | Correlation] = [*ruleset.rules, *ruleset.first_seen, *ruleset.correlations]
    for rule in every:
        for technique in rule.info.techniques:
            by_technique.setdefault(technique, []).append(rule)
    return [_covered(name, rules, types, evidence.get(name, ())) for name, rules in sorted(by_technique.items())]


def forgetful(ruleset: RuleSet) -> list[str]:
    """Slugs of the alerting rules that need memory from one event to the next: they do not run in a function."""
    infos = [*(one.info for one in ruleset.correlations), *(one.info for one in ruleset.first_seen)]
    return sorted(info.slug for info in infos if info.alerting)


def shipped_evidence() -> dict[str, tuple[str, ...]]:
    """Technique to recordings, as the table that ships says."""
    spec = importlib.util.find_spec("trailwatch.rulepack")
    for place in (spec.submodule_search_locations if spec else None) or ():
        with (Path(place) / "evidence.csv").open(encoding="utf-8", newline="") as file:
            return {row["technique"]: tuple(row["recordings"].split()) for row in csv.DictReader(file)}
    return {}


def log_types(ruleset: RuleSet) -> dict[str, frozenset[str]]:
    """For each rule by id, the log types of its matching examples; of a correlation, of what it reads."""
    types = {
        rule.info.id: frozenset(log_type(example.record) for example in rule.examples if example.matches)
        for rule in (*ruleset.rules, *ruleset.first_seen)
    }
    for one in ruleset.correlations:  # those that others read come first
        types[one.info.id] = frozenset().union(*(types.get(name, frozenset()) for name in one.rules))
    return types


def log_type(record: Mapping[str, Any]) -> str:
    """What a trail must hold to have this record."""
    family = _FAMILIES.get(str(record.get("eventCategory", "")).lower())
    if family is None and record.get("managementEvent") is False:
        family = DATA
    return family or (READ_ONLY if record.get("readOnly") in (True, "true") else MANAGEMENT)


def navigator_layer(rows: Iterable[Covered]) -> dict[str, Any]:
    """The rows as a layer of the ATT&CK Navigator: the score is how many rules alert, plus one for recordings."""
    techniques = [
        {
            "techniqueID": row.technique,
            "score": len(row.alerting) + bool(row.recordings),
            "comment": _comment(row),
            "enabled": True,
            "metadata": [{"name": "log types", "value": ", ".join(row.log_types)}],
        }
        for row in rows
        if row.alerting or row.feeding
    ]
    return {
        "name": "trailwatch",
        "versions": {"attack": VERSION.split(".", 1)[0], "layer": "4.5"},
        "domain": "enterprise-attack",
        "description": "What the loaded rules find in AWS CloudTrail.",
        "filters": {"platforms": ["IaaS", "Identity Provider"]},
        "gradient": {"colors": ["#ffffff", "#66b1ff"], "minValue": 0, "maxValue": 10},
        "techniques": techniques,
    }


def _covered(
    technique: str,
    rules: Sequence[Rule | Correlation],
    types: Mapping[str, frozenset[str]],
    recordings: Sequence[str],
) -> Covered:
    known = TECHNIQUES.get(technique)
    alerting = [rule for rule in rules if rule.info.alerting]
    needed = frozenset().union(*(types[rule.info.id] for rule in alerting or rules))
    return Covered(
        technique=technique,
        name=known.name if known else "",
        tactics=tuple(tactic for tactic in TACTICS if known and tactic in known.tactics),
        alerting=tuple(sorted(rule.info.slug for rule in alerting)),
        feeding=tuple(sorted(rule.info.slug for rule in rules if not rule.info.alerting)),
        examples=sum(_examples(rule) for rule in rules),
        recordings=tuple(recordings),
        log_types=tuple(kind for kind in LOG_TYPES if kind in needed),
    )


def _examples(rule: Rule | Correlation) -> int:
    given = rule.stories if isinstance(rule, Correlation) else rule.examples
    return sum(one.matches for one in given)


def _comment(row: Covered) -> str:
    lines = [f"alerts: {', '.join(row.alerting)}"] if row.alerting else []
    lines += [f"feeds: {', '.join(row.feeding)}"] if row.feeding else []
    lines += [f"recorded: {', '.join(row.recordings)}"] if row.recordings else []
    return "\n".join(lines)
