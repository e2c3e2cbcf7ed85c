"""Rules written in Python: their WHEN decides where they run, and one that raises harms only itself."""

import pytest

from trailwatch.detect.engine import Engine
from trailwatch.model.rule import Dedup
from trailwatch.model.severity import Severity
from trailwatch.rules.catalog import load_rules
from trailwatch.rules.predicate import And, Const
from trailwatch.testing import delivery, event, matches

FULL = '''
"""Users with names

    that are numbers.
"""
from datetime import timedelta

ID = "numeric-user"
TITLE = "A user with a number for a name"
SEVERITY = "low"
TAGS = ("attack.persistence", "attack.t1136.003")
DEDUP = {"by": ("awsRegion",), "period": "2h"}
PROFILES = ("core", "standard")
WHEN = [{"eventName": "CreateUser", "errorCode": None}, {"eventName|startswith": "Update", "readOnly": True}]
RECORD = {"eventName": "CreateUser", "requestParameters": {"userName": "42"}}
EXAMPLES = [{"name": "number", "matches": True, "event": RECORD}]


def rule(event):
    assert event.time.year == 2026
    return event.path("requestParameters.userName", "").isdigit() and event.derived["policy.public"] is False


def title(event):
    return "User " + event["requestParameters"]["userName"]


def severity(event):
    return "HIGH"


def dedup(event):
    return event.path("requestParameters.userName")


def context(event):
    return {"by": event.principal, "length": len(event.path("requestParameters.userName"))}
'''


YES = "def rule(event):\n    return True\n"
CREATES = 'TITLE = "T"\nSEVERITY = "low"\nWHEN = {"eventName": "CreateUser"}\n'


def load(tmp_path, text, **options):
    (tmp_path / "numbers.py").write_text(text)
    return load_rules([tmp_path], shipped=False, **options)


def users(*names):
    return [event("CreateUser", requestParameters={"userName": name}) for name in names]


def test_every_function_and_constant_counts(tmp_path):
    ruleset = load(tmp_path, FULL)
    assert not ruleset.problems
    (rule,) = ruleset.rules
    info = rule.info
    assert (info.id, info.slug, info.severity) == ("numeric-user", "numbers", Severity.LOW)
    assert (info.description, info.techniques) == ("Users with names that are numbers.", ("T1136.003",))
    assert (info.dedup, info.profiles) == (Dedup(("awsRegion",), 7200), ("core", "standard"))
    assert [example.name for example in rule.examples] == ["number"]
    found = Engine(ruleset).evaluate(delivery([*users("42", "dora", "43"), event("DeleteUser")]))
    first, second = found.matches
    assert (first.title, first.rule.severity) == ("User 42", Severity.HIGH)
    assert first.context == {"by": "user dora in 111122223333", "length": "2"}
    assert first.alert_id != second.alert_id
    assert found.tally.unmatched == 2


def test_a_rule_runs_only_where_its_when_holds(tmp_path):
    text = CREATES + 'def rule(event):\n    assert event["eventName"] == "CreateUser"\n    return True\n'
    found = Engine(load(tmp_path, text)).evaluate(delivery([*users("a"), event("DeleteUser"), event("ListUsers")]))
    assert (len(found.matches), found.failures) == (1, [])


def test_without_when_it_sees_every_event_and_the_author_is_told(tmp_path):
    ruleset = load(tmp_path, 'TITLE = "T"\ndef rule(event):\n    return True\n')
    assert ruleset.rules[0].condition == Const(value=True)
    assert [(problem.error, problem.origin) for problem in ruleset.problems] == [
        (False, f"{tmp_path}/numbers.py:2:1")
    ]


def test_a_rule_that_raises_is_counted_and_the_others_go_on(tmp_path):
    (tmp_path / "good.py").write_text(
        'TITLE = "G"\nWHEN = {"eventName": "CreateUser"}\ndef rule(event):\n    return True\n'
    )
    ruleset = load(
        tmp_path,
        'TITLE = "B"\nWHEN = {"eventName": "CreateUser"}\ndef rule(event):\n    return event["nothing"] > 1\n',
    )
    found = Engine(ruleset).evaluate(delivery(users("a", "b")))
    assert {match.rule.slug for match in found.matches} == {"good"}
    assert [(failure.rule_id, failure.error) for failure in found.failures] == [
        ("numbers", "rule() raised KeyError: 'nothing'")
    ] * 2
    assert found.tally.failures == 2
    assert found.tally.reconciles()


def test_a_rule_that_leaves_the_process_is_stopped_and_the_others_go_on(tmp_path):
    (tmp_path / "good.py").write_text(CREATES + YES)
    leaves = "import sys\n" + CREATES + "def rule(event):\n    sys.exit(3)\n"
    found = Engine(load(tmp_path, leaves)).evaluate(delivery(users("a")))
    assert [match.rule.slug for match in found.matches] == ["good"]
    assert "exit(3)" in found.failures[0].error


def test_a_rule_may_be_any_function_of_one_event(tmp_path):
    found = Engine(load(tmp_path, CREATES + "rule = lambda event: True\n")).evaluate(delivery(users("a")))
    assert len(found.matches) == 1


@pytest.mark.parametrize("function", ["title", "severity", "dedup", "context"])
def test_a_decoration_that_raises_keeps_the_match(tmp_path, function):
    text = CREATES + YES + f"def {function}(event):\n    return 1 / 0\n"
    found = Engine(load(tmp_path, text)).evaluate(delivery(users("a")))
    assert len(found.matches) == 1
    assert [failure.error for failure in found.failures] == [
        f"{function}() raised ZeroDivisionError: division by zero"
    ]


def test_a_severity_that_is_none_is_a_failure_and_the_rules_own_stands(tmp_path):
    text = CREATES + YES + 'def severity(event):\n    return "urgent"\n'
    found = Engine(load(tmp_path, text)).evaluate(delivery(users("a")))
    assert found.matches[0].rule.severity is Severity.LOW
    assert "urgent" in found.failures[0].error


BROKEN = {
    "no Python": ("def rule(event:\n", ":1:", "no Python"),
    "raises when loaded": ('TITLE = "T"\nimport nonesuch_module\n' + YES, ":2:1", "nonesuch_module"),
    "no title": (YES, ":1:1", "TITLE"),
    "a function that is none": ('TITLE = "T"\ntitle = "x"\n' + YES, ":1:1", "title(event)"),
    "a modifier in WHEN": (
        'TITLE = "T"\nWHEN = {"a|contians": 1}\n' + YES, ":2:9", 'did you mean "contains"?',
    ),
    "a regex in WHEN": ('TITLE = "T"\nWHEN = {"a|re": "(?=x)"}\n' + YES, ":2:9", "RE2 refuses"),
    "a WHEN that is none": ('TITLE = "T"\nWHEN = {1, 2}\n' + YES, ":2:1", "WHEN"),
    "a severity that is none": ('TITLE = "T"\nSEVERITY = "urgent"\n' + YES, ":2:1", "urgent"),
    "a value in WHEN": ('TITLE = "T"\nWHEN = {"a|contains": ["b", 5]}\n' + YES, ":2:29", "does not take 5"),
    "a wrong DEDUP": ('TITLE = "T"\nDEDUP = {"by": ["a"], "span": 1}\n' + YES, ":2:23", 'unknown key "span"'),
    "one that leaves": ('TITLE = "T"\nimport sys\nsys.exit(3)\n' + YES, ":3:1", "SystemExit"),
    "a generator": ('TITLE = "T"\ndef rule(event):\n    yield False\n', ":2:1", "is a generator"),
    "a coroutine": ('TITLE = "T"\nasync def rule(event):\n    return False\n', ":2:1", "is a coroutine"),
    "no argument": ('TITLE = "T"\ndef rule():\n    return False\n', ":2:1", "the event alone"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told_with_its_place(tmp_path, name):
    text, place, words = BROKEN[name]
    ruleset = load(tmp_path, text)
    assert ruleset.rules == ()
    (problem,) = ruleset.problems
    assert problem.error
    assert problem.origin.startswith(f"{tmp_path}/numbers.py{place}")
    assert words in problem.text


def test_a_python_file_without_a_rule_is_no_rule_and_is_not_run(tmp_path):
    ruleset = load(tmp_path, "raise SystemExit\n")
    assert (ruleset.rules, ruleset.skipped) == ((), {"Python file without rule(event)": 1})


def test_from_the_cache_it_is_the_same_rule(tmp_path):
    rules, cache = tmp_path / "rules", tmp_path / "cache"
    rules.mkdir()
    first, second = (load(rules, FULL, cache_dir=cache) for _ in range(2))
    assert first.rules[0].condition == second.rules[0].condition
    assert not isinstance(first.rules[0].condition, And)
    assert first.rules[0].info == second.rules[0].info
    for ruleset in (first, second):
        assert matches(ruleset.rules[0], users("42")[0])
        assert not matches(ruleset.rules[0], users("x")[0])
