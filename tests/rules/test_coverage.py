"""The table from what the field detects to the shipped rules is true."""

from __future__ import annotations

import csv
import functools
from pathlib import Path

import pytest

import trailwatch.rulepack
from trailwatch.rules.catalog import load_rules
from trailwatch.rules.own_lists import example_lists
from trailwatch.rules.rule import RuleSet

TABLE = Path(trailwatch.rulepack.__path__[0]) / "coverage.csv"
CATALOGUE = Path(__file__).resolve().parents[3] / "shared" / "catalogue"
HOW = {"rule", "event", "signal", "none"}


@functools.cache
def shipped_rules() -> RuleSet:
    return load_rules(placeholders=example_lists())


def rows() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_rule_that_the_table_names_is_shipped() -> None:
    shipped = shipped_rules()
    known = {rule.info.slug for rule in (*shipped.rules, *shipped.first_seen)}
    known |= {correlation.info.slug for correlation in shipped.correlations}
    assert {slug for row in rows() for slug in row["rules"].split()} - known == set()


def test_every_row_has_a_rule_or_the_reason_why_not() -> None:
    assert {row["how"] for row in rows()} <= HOW
    assert [row["row"] for row in rows() if bool(row["rules"]) == (row["how"] == "none")] == []
    assert [row["row"] for row in rows() if row["how"] != "rule" and not row["reason"]] == []


def test_every_shipped_rule_stands_for_something_in_the_table() -> None:
    shipped = shipped_rules()
    named = {slug for row in rows() for slug in row["rules"].split()}
    assert {rule.info.slug for rule in (*shipped.rules, *shipped.first_seen)} - named == set()


def test_the_table_lists_the_whole_catalogue() -> None:
    if not CATALOGUE.is_dir():
        pytest.skip(f"the catalogue is not at {CATALOGUE}")
    wanted = []
    for name in ("detections.csv", "gaps.csv"):
        with (CATALOGUE / name).open(encoding="utf-8", newline="") as file:
            wanted += [row["id"] for row in csv.DictReader(file)]
    assert [row["row"] for row in rows() if row["list"] != "own"] == wanted
