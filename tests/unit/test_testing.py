"""The tools that rule authors get do what they promise."""

import pytest

from trailwatch.errors import NotifyError, RuleError
from trailwatch.model.event import Event
from trailwatch.model.message import Message
from trailwatch.testing import START, FixedClock, ListSource, RecordingNotifier, delivery, event, matches

RULE = (
    "title: T\nlogsource: {product: aws, service: cloudtrail}\n"
    "detection:\n  s: {eventName: DeleteTrail}\n  condition: s\n"
)


def test_an_event_is_a_record_that_a_scan_would_read():
    made = Event(event("ConsoleLogin", errorCode="x", requestParameters={"a": 1}))
    assert (made.name, made.source, made.error_code) == ("ConsoleLogin", "signin.amazonaws.com", "x")
    assert made.path("requestParameters.a") == 1
    assert made.principal.name == "dora"
    assert made["eventType"] == "AwsConsoleSignIn"


def test_the_same_arguments_give_the_same_event_and_others_another_id():
    assert event("A") == event("A")
    assert event("A")["eventID"] != event("A", awsRegion="eu-west-1")["eventID"]


def test_change_sets_and_removes_deep_values():
    made = event(
        "A", change={"userIdentity.userName": None, "userIdentity.sessionContext.attributes.mfaAuthenticated": "true"}
    )
    assert "userName" not in made["userIdentity"]
    assert made["userIdentity"]["sessionContext"] == {"attributes": {"mfaAuthenticated": "true"}}
    assert "errorCode" not in event("A", errorCode=None)


def test_matches_runs_a_rule_file(tmp_path):
    path = tmp_path / "r.yml"
    path.write_text(RULE)
    assert matches(path, event("DeleteTrail"))
    assert not matches(str(path), event("StopLogging"))


def test_matches_says_why_it_cannot_run(tmp_path):
    path = tmp_path / "r.yml"
    path.write_text(RULE.replace("eventName", "eventName|contians"))
    with pytest.raises(RuleError, match='did you mean "contains"'):
        matches(path, event("DeleteTrail"))
    path.write_text("a: 1\n")
    with pytest.raises(RuleError, match="no rule for CloudTrail"):
        matches(path, event("DeleteTrail"))
    script = tmp_path / "r.py"
    script.write_text('TITLE = "T"\ndef rule(event):\n    return event["gone"]\n')
    with pytest.raises(RuleError, match="KeyError"):
        matches(script, event("DeleteTrail"))
    with pytest.raises(RuleError, match="eventTime"):
        matches(script, {"eventName": "A"})


def test_the_clock_moves_only_when_told():
    clock = FixedClock()
    assert (clock.now(), clock.monotonic()) == (START, 0.0)
    clock.sleep(2.5)
    clock.advance(60)
    assert ((clock.now() - START).total_seconds(), clock.monotonic(), clock.slept) == (62.5, 62.5, [2.5])


def test_the_clock_can_be_set_to_a_time_and_what_is_measured_with_it_never_goes_back():
    clock = FixedClock.at(1000)
    clock.seconds += 2.5
    assert (clock.now().timestamp(), clock.monotonic()) == (1002.5, 2.5)
    clock.seconds = 7
    assert (clock.seconds, clock.monotonic()) == (7.0, 2.5)


def test_the_source_gives_its_deliveries_in_order():
    deliveries = [delivery([event("A")], "one"), delivery([], "two")]
    assert list(ListSource(deliveries).poll()) == deliveries


def test_the_notifier_refuses_as_told_and_then_keeps():
    notifier = RecordingNotifier(refusals=[NotifyError("x", "down")])
    message = Message("id", 0, "p", (), "h")
    with pytest.raises(NotifyError):
        notifier.send(message)
    assert notifier.send(message) == "kept"
    assert (notifier.sent, notifier.attempts) == ([message], 2)
