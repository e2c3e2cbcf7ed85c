"""Every shipped rule keeps what its examples promise, and each of its conditions is needed for that."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trailwatch.detect.derived import ScriptEvent
from trailwatch.detect.engine import Engine
from trailwatch.enrich.documentation import ExampleAddresses
from trailwatch.model.fieldpath import find_values
from trailwatch.model.severity import Severity
from trailwatch.ports import Delivery
from trailwatch.rules.catalog import load_rules
from trailwatch.rules.own_lists import example_lists
from trailwatch.rules.predicate import And, Field, Not, Or, Predicate
from trailwatch.rules.rule import Rule, RuleSet

from .. import oracle  # noqa: TID252 test folders are no packages that could be named from the top

SHIPPED = load_rules(placeholders=example_lists())
ADDRESSES = ExampleAddresses()
RULES = (*SHIPPED.rules, *SHIPPED.first_seen)
LOUD_FOR_ANYBODY = {
    "aws_quarantined_key",  # AWS itself attaches its quarantine policy
    "shared_snapshot_used",  # AWS reports what another account did
    "s3_batch_job_created",  # the record is an event of the service
    "organization_leave",  # nobody should ever do it
    "primary_email_update",  # nobody should ever do it
    "root_password_recovery",  # the caller has not signed in
    "tool_secret_scanner",  # told by the user agent alone
    "tool_attack_distribution",  # told by the user agent alone
    "endpoint_refused_call",  # a refused call has no identity of its own
}
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.info.slug)


def found_by_engine(rule: Rule, record: Mapping[str, Any]) -> bool:
    alone = RuleSet(rules=(msgspec.structs.replace(rule, first_seen=None, travel=None),))
    found = Engine(alone, tables=ADDRESSES).evaluate(
        Delivery("example", [msgspec.Raw(json.dumps(record).encode())], range(1))
    )
    assert not found.failures
    assert not found.rejects
    return bool(found.matches)


def holds(condition: Predicate, rule: Rule, record: dict[str, Any]) -> bool:
    """The plain evaluator's verdict, with a condition in place of the rule's own."""
    if not oracle.holds(condition, oracle.Located(record, ADDRESSES)):
        return False
    return rule.script is None or bool(rule.script.rule(ScriptEvent(record)))


def negations(tree: Predicate) -> Iterator[tuple[str, Predicate]]:
    """The tree once for each of its conditions, with that one negated; values of one field are one condition."""
    if isinstance(tree, Field):
        yield f"{tree.path} {tree.op.value} {', '.join(map(str, tree.values))[:60]}", Not(tree)
    elif isinstance(tree, Not):
        for what, item in negations(tree.item):
            yield what, Not(item)
    elif isinstance(tree, Or) and _is_one_condition(tree):
        first = tree.items[0]
        yield f"{first.path if isinstance(first, Field) else ''} any of {len(tree.items)}", Not(tree)
    elif isinstance(tree, And | Or):
        for at, one in enumerate(tree.items):
            for what, item in negations(one):
                yield what, type(tree)((*tree.items[:at], item, *tree.items[at + 1 :]))


def _is_one_condition(tree: Or) -> bool:
    return len({item.path if isinstance(item, Field) else id(item) for item in tree.items}) == 1


def test_the_whole_pack_loads_without_a_problem() -> None:
    assert [f"{problem.origin}: {problem.text}" for problem in SHIPPED.problems] == []
    assert SHIPPED.skipped == {}


@each_rule
def test_a_rule_has_both_kinds_of_examples_and_keeps_them(rule: Rule) -> None:
    verdicts = {
        example.name: (
            example.matches,
            found_by_engine(rule, example.record),
            holds(rule.condition, rule, example.record),
        )
        for example in rule.examples
    }
    assert {expected for expected, _, _ in verdicts.values()} == {True, False}
    assert len(verdicts) == len(rule.examples), "two examples have the same name"
    assert {name: verdict for name, verdict in verdicts.items() if len(set(verdict)) > 1} == {}


@each_rule
def test_the_examples_of_a_rule_notice_each_negated_condition(rule: Rule) -> None:
    unnoticed = [
        what
        for what, mutant in negations(rule.condition)
        if all(holds(mutant, rule, example.record) == example.matches for example in rule.examples)
    ]
    assert unnoticed == []


@each_rule
def test_a_rule_has_a_near_miss_that_one_negated_condition_would_let_through(rule: Rule) -> None:
    misses = [example for example in rule.examples if not example.matches]
    mutants = [mutant for _, mutant in negations(rule.condition)]
    assert any(holds(mutant, rule, miss.record) for mutant in mutants for miss in misses)


@each_rule
def test_a_rule_tells_a_person_what_happened_and_what_to_do(rule: Rule) -> None:
    info = rule.info
    empty = [
        name
        for name in ("title", "description", "tactics", "techniques", "references", "false_positives", "triage")
        if not getattr(info, name)
    ]
    assert empty == []
    assert len(info.title) <= 90
    assert Path(info.origin.rpartition(":")[0]).stem == info.slug


@each_rule
def test_examples_are_records_as_cloudtrail_writes_them(rule: Rule) -> None:
    needed = {
        "eventVersion",
        "userIdentity",
        "eventTime",
        "eventSource",
        "eventName",
        "awsRegion",
        "eventID",
        "eventType",
    }
    for example in rule.examples:
        assert needed <= example.record.keys(), example.name
        version = tuple(int(part) for part in example.record["eventVersion"].split("."))
        assert version >= (1, 8), example.name


def test_no_two_rules_share_an_id_or_a_title() -> None:
    for of in ("id", "title", "slug"):
        values = [getattr(rule.info, of) for rule in RULES]
        assert sorted(values) == sorted(set(values))


def test_every_critical_rule_is_in_the_core_profile() -> None:
    critical = [rule.info for rule in RULES if rule.info.severity is Severity.CRITICAL]
    assert [info.slug for info in critical if "core" not in info.profiles] == []


@pytest.mark.parametrize(
    "identity",
    [
        {"type": "AWSService", "invokedBy": "config.amazonaws.com"},
        {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLEROLE:scan",
            "arn": "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForConfig/scan",
            "accountId": "111122223333",
        },
    ],
    ids=["a service", "a service-linked role"],
)
def test_work_of_aws_itself_sets_off_no_alert(identity: dict[str, str]) -> None:
    loud = {
        rule.info.slug
        for rule in RULES
        if rule.info.alerting
        for example in rule.examples
        if example.matches and holds(rule.condition, rule, {**example.record, "userIdentity": identity})
    }
    assert loud <= LOUD_FOR_ANYBODY


def test_two_matches_of_one_thing_are_one_alert() -> None:
    """Some value that tells alerts apart stands in an example: deduplication never leans on missing fields alone."""
    empty = [
        rule.info.slug
        for rule in RULES
        if not any(find_values(example.record, path) for example in rule.examples for path in rule.info.dedup.by)
    ]
    assert empty == []
