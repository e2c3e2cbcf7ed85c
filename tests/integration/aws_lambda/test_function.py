"""The function over a real table and a real bucket of the lab."""

import gzip
import json
import threading
import time

import msgspec
import pytest

from trailwatch.aws_lambda.assembly import write_line
from trailwatch.aws_lambda.function import Function
from trailwatch.aws_lambda.telling import Telling
from trailwatch.detect.engine import Engine
from trailwatch.detect.routing import Routing
from trailwatch.dynamo.claims import Claims
from trailwatch.dynamo.table import Table
from trailwatch.errors import NotifyError, TrailwatchError
from trailwatch.model.rule import Dedup, RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.rules.predicate import Field, Op
from trailwatch.rules.rule import Rule, RuleSet
from trailwatch.sources.stored_logs import Logs
from trailwatch.testing import RecordingNotifier, event

from .conftest import BUCKET, Context

DEDUP = Dedup()


def rule(name, severity=Severity.HIGH, dedup=DEDUP):
    info = RuleInfo(id=name, slug=name, title=f"{name} was called", severity=severity, origin="test", dedup=dedup)
    return Rule(info=info, condition=Field("eventName", Op.EQ, (name,)))


RULES = RuleSet(
    rules=(
        rule("DeleteTrail", Severity.CRITICAL),
        rule("CreateUser"),
        rule("ConsoleLogin", Severity.MEDIUM),
        rule("StopLogging", dedup=Dedup(by=("awsRegion",))),
    )
)


@pytest.fixture
def mail():
    return RecordingNotifier("mail")


@pytest.fixture
def function(dynamodb, table, session, lab, clock, mail, output):
    """Makes functions over one table, each a process of its own."""

    def make(*notifiers, client=dynamodb, routes=None):
        each = {one.name: one for one in notifiers or (mail,)}
        routes = routes or dict.fromkeys(each, Severity.MEDIUM)
        return Function(
            engine=Engine(RULES, silent=True, links=False),
            sifter=None,
            logs=Logs(lambda: session.client("s3", endpoint_url=lab.url), [BUCKET], limit_bytes=1 << 20),
            telling=lambda owner: Telling(
                Claims(Table(client, table), owner, 3600), each, Routing.by_level(routes), clock
            ),
            responder=None,
            clock=clock,
            log=lambda line: write_line(output, line),
        )

    return make


@pytest.fixture
def bucket(session, lab):
    client = session.client("s3", endpoint_url=lab.url)
    client.create_bucket(Bucket=BUCKET)
    yield client
    for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=found["Key"])
    client.delete_bucket(Bucket=BUCKET)


def bus(record, source="aws.iam", kind="AWS API Call via CloudTrail"):
    return {"id": "e1", "detail-type": kind, "source": source, "account": "1", "detail": record}


def queue(**bodies):
    records = [
        {"messageId": name, "eventSource": "aws:sqs", "body": body if isinstance(body, str) else json.dumps(body)}
        for name, body in bodies.items()
    ]
    return {"Records": records}


def notification(key, bucket=BUCKET):
    return {
        "Records": [
            {
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": bucket}, "object": {"key": key}},
            }
        ]
    }


def trail_file(*records):
    return gzip.compress(msgspec.json.encode({"Records": records}))


def titles(notifier):
    return [alert.title for message in notifier.sent for alert in message.alerts]


def test_an_event_of_the_bus_is_told(function, mail, output):
    answer = function().answer(bus(event("DeleteTrail")), Context())

    assert titles(mail) == ["DeleteTrail was called"]
    assert (answer["records"], answer["matched"], answer["alerts"], answer["sent"]) == (1, 1, 1, 1)
    assert output.of("invocation")[0]["errors"] == []


def test_a_sign_in_and_an_event_without_a_rule(function, mail):
    sign_in = event("ConsoleLogin", responseElements={"ConsoleLogin": "Success"})

    function().answer(bus(sign_in, "aws.signin", "AWS Console Sign In via CloudTrail"), Context())
    quiet = function().answer(bus(event("ListUsers")), Context())

    assert titles(mail) == ["ConsoleLogin was called"]
    assert (quiet["records"], quiet["unmatched"], quiet["alerts"]) == (1, 1, 0)


def test_an_event_that_comes_again_is_told_once_in_whatever_process(function, mail):
    for name in ("first", "again", "once more"):
        function().answer(bus(event("DeleteTrail")), Context(name))

    assert titles(mail) == ["DeleteTrail was called"]


def test_what_was_told_as_one_of_several_regions_is_told_once_in_each(function, mail, clock):
    both = {
        region: bus(event("StopLogging", awsRegion=region), "aws.cloudtrail") for region in ("eu-west-1", "us-east-1")
    }

    function().answer(queue(**both), Context("both"))
    clock.advance(600)  # whoever told is surely gone
    again = [function().answer(queue(**{region: body}), Context(region)) for region, body in both.items()]

    assert [(alert.title, alert.regions) for message in mail.sent for alert in message.alerts] == [
        ("StopLogging was called", ("eu-west-1", "us-east-1"))
    ]
    assert [(one["known"], one["sent"], one["batchItemFailures"]) for one in again] == [(1, 0, [])] * 2


def test_of_invocations_at_the_same_time_one_tells(function, mail, lab, session):
    begin, errors = threading.Barrier(6), []

    def invoke(number):
        mine = function(client=session.client("dynamodb", endpoint_url=lab.url))
        begin.wait()
        try:
            mine.answer(bus(event("DeleteTrail")), Context(f"request {number}"))
        except TrailwatchError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=invoke, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert titles(mail) == ["DeleteTrail was called"]
    assert all("another invocation is sending it just now" in error for error in errors)


class Slow(RecordingNotifier):
    """A receiver that takes its time, while something else happens."""

    def __init__(self, meanwhile):
        super().__init__("mail")
        self._meanwhile = meanwhile

    def send(self, message):
        self._meanwhile()
        return super().send(message)


def test_what_another_invocation_is_sending_is_waited_for_and_then_known(function, clock):
    others, first = [], threading.Event()

    def look_on():
        first.set()
        waiting.join(0.2)

    slow = Slow(look_on)
    waiting = threading.Thread(
        target=lambda: (first.wait(), others.append(function(slow).answer(bus(event("DeleteTrail")), Context("b"))))
    )
    clock.sleep = waiting_for(slow)
    waiting.start()
    function(slow).answer(bus(event("DeleteTrail")), Context("a"))
    waiting.join()

    assert len(slow.sent) == 1
    assert others[0]["known"] == 1


def waiting_for(notifier):
    """A sleep that lasts until the notifier has sent something."""

    def sleep(_seconds):
        while not notifier.sent:
            time.sleep(0.005)

    return sleep


class Dying:
    """A notifier during which the process dies."""

    name = "mail"

    def send(self, message):  # noqa: ARG002 one shape for all notifiers
        raise SystemExit


def test_a_process_that_dies_while_it_sends_loses_nothing(function, mail, clock):
    with pytest.raises(SystemExit):
        function(Dying()).answer(bus(event("DeleteTrail")), Context(left_ms=20_000))

    with pytest.raises(TrailwatchError, match="another invocation is sending it"):
        function().answer(bus(event("DeleteTrail")), Context("retry, too early"))
    clock.advance(60)
    function().answer(bus(event("DeleteTrail")), Context("retry"))

    assert titles(mail) == ["DeleteTrail was called"]


class Accepting(Dying):
    """A receiver that has the message when the process dies."""

    def __init__(self):
        self.seen = []

    def send(self, message):
        self.seen.append(message)
        raise SystemExit


def test_a_message_that_goes_out_once_more_is_the_same_message(function, mail, clock):
    receiver = Accepting()
    with pytest.raises(SystemExit):
        function(receiver).answer(bus(event("DeleteTrail")), Context())
    clock.advance(60)
    function().answer(bus(event("DeleteTrail")), Context("retry"))

    assert mail.sent[0].id == receiver.seen[0].id


def test_a_notifier_that_is_down_fails_the_invocation_and_keeps_no_other_from_telling(function, mail):
    down = RecordingNotifier("chat", [NotifyError("chat", "no answer")])

    with pytest.raises(TrailwatchError, match="chat: no answer; Lambda sends the event again"):
        function(down, mail).answer(bus(event("DeleteTrail")), Context())
    function(down, mail).answer(bus(event("DeleteTrail")), Context("retry"))

    assert (titles(mail), titles(down)) == (["DeleteTrail was called"], ["DeleteTrail was called"])


def test_what_a_notifier_refuses_for_good_is_not_tried_for_ever(function, output):
    refusing = RecordingNotifier("chat", [NotifyError("chat", "no such channel", permanent=True)] * 9)

    for name in ("first", "again"):
        function(refusing).answer(bus(event("DeleteTrail")), Context(name))

    assert refusing.attempts == 1
    assert output.of("invocation")[0]["errors"] == ["chat: no such channel"]


def test_a_notifier_gets_what_reaches_its_severity(function):
    loud, calm = RecordingNotifier("loud"), RecordingNotifier("calm")
    routes = {"loud": Severity.MEDIUM, "calm": Severity.CRITICAL}

    function(loud, calm, routes=routes).answer(
        queue(a=bus(event("CreateUser")), b=bus(event("DeleteTrail"))), Context()
    )

    assert sorted(titles(loud)) == ["CreateUser was called", "DeleteTrail was called"]
    assert titles(calm) == ["DeleteTrail was called"]


def test_a_log_that_a_notification_names_is_read(function, bucket, mail):
    bucket.put_object(
        Bucket=BUCKET, Key="AWSLogs/1/a b.json.gz", Body=trail_file(event("DeleteTrail"), event("ListUsers"))
    )

    answer = function().answer(queue(a=notification("AWSLogs/1/a+b.json.gz")), Context())

    assert titles(mail) == ["DeleteTrail was called"]
    assert (answer["records"], answer["batchItemFailures"]) == (2, [])


def test_only_the_messages_that_failed_come_again(function, bucket, mail):
    bucket.put_object(Bucket=BUCKET, Key="good.json.gz", Body=trail_file(event("DeleteTrail")))

    answer = function().answer(
        queue(
            good=notification("good.json.gz"),
            gone=notification("gone.json.gz"),
            foreign=notification("x.json.gz", "somebody-elses-bucket"),
            poison="not json",
            test={"Event": "s3:TestEvent"},
        ),
        Context(),
    )

    assert titles(mail) == ["DeleteTrail was called"]
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["gone", "foreign", "poison"]


def test_a_message_whose_alert_was_not_told_comes_again_and_its_neighbours_do_not(function, bucket):
    bucket.put_object(Bucket=BUCKET, Key="quiet.json.gz", Body=trail_file(event("ListUsers")))
    down = RecordingNotifier("chat", [NotifyError("chat", "no answer")])

    answer = function(down).answer(
        queue(quiet=notification("quiet.json.gz"), alarming=bus(event("DeleteTrail"))), Context()
    )

    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["alarming"]


@pytest.mark.parametrize("key", ["AWSLogs/1/CloudTrail-Digest/x.json.gz", "AWSLogs/1/CloudTrail-Insight/x.json.gz"])
def test_digests_are_left_out_without_being_fetched(function, key):
    assert function().answer(notification(key), Context())["alerts"] == 0


def test_a_log_that_would_fill_the_memory_is_rejected_and_logged(function, bucket, output):
    bomb = gzip.compress(b'{"Records": [' + b" " * (64 << 20) + b"]}")
    bucket.put_object(Bucket=BUCKET, Key="bomb.json.gz", Body=bomb)

    function().answer(notification("bomb.json.gz"), Context())

    (reject,) = output.of("reject")
    assert reject["origin"] == f"s3://{BUCKET}/bomb.json.gz"
    assert "inflates to more than 1,048,576 bytes" in reject["reason"]


def test_what_cannot_be_understood_fails_so_that_it_lands_where_failures_are_kept(function):
    with pytest.raises(TrailwatchError, match="expected an event or a notification, got 'an object with what'"):
        function().answer({"what": "ever"}, Context())


def test_what_an_attacker_wrote_stays_on_one_line_of_the_log(function, output):
    record = event("DeleteTrail", eventTime='x\n{"trailwatch": "start"}\u2028\x1b[2J')

    function().answer(bus(record), Context())

    assert output.getvalue().isascii()
    assert [line["trailwatch"] for line in output.lines] == ["reject", "invocation"]


def test_a_finding_of_guardduty_is_told_like_any_alert(function, mail):
    detail = {
        "schemaVersion": "2.0",
        "accountId": "111122223333",
        "region": "us-east-1",
        "id": "16afba5c5c43e07c9e3e5e2e544e95df",
        "type": "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS",
        "severity": 8,
        "title": "Credentials of an instance are used from outside",
        "createdAt": "2026-03-02T09:00:00.000Z",
        "updatedAt": "2026-03-02T09:00:00.000Z",
        "resource": {"resourceType": "AccessKey", "accessKeyDetails": {"userName": "web", "userType": "AssumedRole"}},
        "service": {
            "serviceName": "guardduty",
            "count": 1,
            "eventFirstSeen": "2026-03-02T08:50:00Z",
            "eventLastSeen": "2026-03-02T08:55:00Z",
        },
    }

    for name in ("first", "again"):
        function().answer(bus(detail, "aws.guardduty", "GuardDuty Finding"), Context(name))

    (alert,) = [alert for message in mail.sent for alert in message.alerts]
    assert alert.rule.id == f"guardduty:{detail['type']}"
