"""Derived fields that a rule shows stand in its matches, with what stands around the record."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from trailwatch.detect.engine import Engine
from trailwatch.detect.facts import with_facts
from trailwatch.detect.surroundings import Surroundings
from trailwatch.detect.triage import group
from trailwatch.model.message import Message
from trailwatch.notify.wording import as_text
from trailwatch.ports import Delivery
from trailwatch.rules.catalog import load_rules
from trailwatch.rules.rule import RuleSet
from trailwatch.testing import event

RULE = """
title: A key was opened
id: 7a3f0e55-3a4c-4be0-8d0c-2f5a0f0a1b11
status: test
level: high
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: PutKeyPolicy}
  condition: selection
trailwatch: {fields: [derived.policy.external_accounts, derived.policy.public, derived.city]}
"""
TWO = {"AWS": ["444455556666", "777788889999"]}


@pytest.fixture
def rules(tmp_path: Path) -> RuleSet:
    (tmp_path / "opened.yml").write_text(RULE)
    return load_rules([tmp_path], shipped=False)


def opened() -> dict[str, object]:
    document = {"Statement": [{"Effect": "Allow", "Principal": TWO, "Action": "*", "Resource": "*"}]}
    return event("PutKeyPolicy", eventSource="kms.amazonaws.com", requestParameters={"policy": json.dumps(document)})


def delivery() -> Delivery:
    return Delivery("test", [msgspec.Raw(json.dumps(opened()).encode())], range(1))


def test_a_message_knows_ones_own_accounts(rules: RuleSet) -> None:
    found = Engine(rules, tables=Surroundings(accounts=["444455556666"])).evaluate(delivery())
    (alert,) = group(found.matches)
    assert alert.context == {"derived.policy.external_accounts": "777788889999", "derived.policy.public": "false"}

    text = as_text(Message("1", 0, alert.principal, (alert,), "headline"), None)
    assert [line.split() for line in text.splitlines() if "external_accounts" in line] == [
        ["derived.policy.external_accounts", "777788889999"]
    ]


def test_what_a_rule_with_a_memory_says_is_shown_the_same_way(rules: RuleSet) -> None:
    (match,) = Engine(rules).evaluate(delivery()).matches
    bare = msgspec.structs.replace(match, context={"derived.policy.public": "as it was told"})
    (told,) = with_facts([bare], lambda: Surroundings(accounts=["777788889999"]))
    assert told.context == {
        "derived.policy.external_accounts": "444455556666",
        "derived.policy.public": "as it was told",
    }


def test_what_has_no_record_is_left_as_it_is(rules: RuleSet) -> None:
    (match,) = Engine(rules).evaluate(delivery()).matches
    bare = msgspec.structs.replace(match, record=b"", context={})
    assert with_facts([bare], Surroundings) == [bare]
