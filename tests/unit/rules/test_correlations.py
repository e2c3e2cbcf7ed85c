"""Correlation rules of every type are read, checked and kept as data."""

import pytest

from trailwatch.rules.catalog import load_rules
from trailwatch.rules.rule import AndTerm, CorrelationLimit, NotTerm, OrTerm, RuleTerm

BASE = """title: {name}
name: {name}
id: 0f7b3b0e-0d2e-4b7a-9a57-6f2a0c0a000{number}
logsource: {{product: aws, service: cloudtrail}}
detection:
  s: {{eventName: {name}}}
  condition: s
---
"""
RULES = "".join(
    BASE.format(name=name, number=number) for number, name in enumerate(("CreateUser", "DeleteUser", "GetUser"))
)
CREATE, DELETE, GET = (f"0f7b3b0e-0d2e-4b7a-9a57-6f2a0c0a000{number}" for number in range(3))


def load(tmp_path, correlation):
    (tmp_path / "rules.yml").write_text(RULES + "title: Together\nlevel: high\ncorrelation:\n" + correlation)
    return load_rules([tmp_path], shipped=False)


COUNT = (
    "  type: {type}\n  rules: [CreateUser]\n  group-by: [userIdentity.arn]\n  timespan: 15m\n"
    "  condition: {{gte: 5{extra}}}\n"
)
TYPES = {
    "event_count": "",
    "value_count": ", field: awsRegion",
    "value_sum": ", field: additionalEventData.bytesTransferredOut",
    "value_avg": ", field: additionalEventData.bytesTransferredOut",
    "value_percentile": ", field: additionalEventData.bytesTransferredOut, percentile: 90",
    "value_median": ", field: additionalEventData.bytesTransferredOut",
}


@pytest.mark.parametrize("kind", TYPES)
def test_counts_and_sums(tmp_path, kind):
    ruleset = load(tmp_path, COUNT.format(type=kind, extra=TYPES[kind]))
    assert not ruleset.problems
    (correlation,) = ruleset.correlations
    assert (correlation.type, correlation.rules, correlation.timespan_seconds) == (kind, (CREATE,), 900)
    assert correlation.group_by == ("userIdentity.arn",)
    fields = () if kind == "event_count" else (TYPES[kind].split(": ")[1].split(",")[0],)
    assert correlation.limit == CorrelationLimit("gte", 5, fields, 90 if kind == "value_percentile" else 50)


@pytest.mark.parametrize("kind", ["temporal", "temporal_ordered"])
def test_rules_that_come_together(tmp_path, kind):
    text = (
        f"  type: {kind}\n  rules: [CreateUser, DeleteUser]\n  timespan: 1h\n  generate: true\n  group-by: [who]\n"
        "  aliases:\n    who: {CreateUser: userIdentity.arn, DeleteUser: requestParameters.userName}\n"
    )
    (correlation,) = load(tmp_path, text).correlations
    assert (correlation.rules, correlation.generate) == ((CREATE, DELETE), True)
    assert correlation.aliases == {"who": {CREATE: "userIdentity.arn", DELETE: "requestParameters.userName"}}


def test_a_boolean_condition_is_a_tree_over_rule_ids(tmp_path):
    condition = "CreateUser and not (DeleteUser or GetUser)"
    (correlation,) = load(tmp_path, f"  type: temporal\n  timespan: 5m\n  condition: {condition}\n").correlations
    inner = NotTerm(OrTerm((RuleTerm(DELETE), RuleTerm(GET))))
    assert correlation.expression == AndTerm((RuleTerm(CREATE), inner))
    assert correlation.rules == (CREATE, DELETE, GET)


BROKEN = {
    "an unknown key": ("  type: event_count\n  rule: [CreateUser]\n", 'did you mean "rules"?'),
    "an unknown type": (COUNT.format(type="event_cout", extra=""), "event_cout"),
    "an unknown rule": (COUNT.format(type="event_count", extra="").replace("[CreateUser]", "[Nobody]"), "'Nobody'"),
    "no time span": ("  type: event_count\n  rules: [CreateUser]\n  condition: {gte: 1}\n", "timespan"),
    "a count without its field": (COUNT.format(type="value_count", extra=""), "field"),
    "an operator that is none": (COUNT.format(type="event_count", extra=", gtee: 1"), 'did you mean "gte"?'),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_correlation_is_told_and_its_rules_stay(tmp_path, name):
    text, words = BROKEN[name]
    ruleset = load(tmp_path, text)
    assert ruleset.correlations == ()
    assert len(ruleset.rules) == 3
    (problem,) = ruleset.problems
    assert problem.error
    assert words in problem.text
