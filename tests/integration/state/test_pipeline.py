import json

import msgspec
import pytest

from trailwatch.errors import StoreError
from trailwatch.model.coverage import Interval
from trailwatch.model.match import Found, Match, Reject, RuleFailure
from trailwatch.model.severity import Severity
from trailwatch.pipeline import Pipeline
from trailwatch.store.alerts import AlertFilter
from trailwatch.store.outbox import OutboxState

from .parts import START, ListArchive, NameEngine, delivery, record, rule

HOSTILE = {
    "lone surrogate": "user\ud800name",
    "nul": "user\0name",
    "one megabyte": "x" * 1_000_000,
    "escapes": "\x1b[2J\u202e<script>alert(1)</script>\r\nBcc: all@example.com",
    "quotes": "'; DROP TABLE alerts; --",
}


TEXTS = (
    *("event_id", "account", "region", "event_source", "event_name", "principal", "actor"),
    *("source_ip", "user_agent", "error_code", "reason", "origin", "title"),
)


class OneMatch:
    """An engine that answers with a match whose every text is the given one."""

    def __init__(self, text):
        self.text = text

    def evaluate(self, delivery):
        t = self.text
        info = msgspec.structs.replace(rule(), title=t, description=t)
        raw = t.encode("utf-8", "surrogatepass")
        match = Match(
            rule=info,
            alert_id="0123456789abcdef",
            time=START,
            position=0,
            record=b"\xff" + raw,
            context={t: t},
            **dict.fromkeys(TEXTS, t),
        )
        found = Found(matches=[match], rejects=[Reject(t, 0, t, raw)], failures=[RuleFailure(t, t, t, t)])
        found.tally.records = len(delivery.records) + 1
        found.tally.rejects, found.tally.matched, found.tally.matches = 1, 1, 1
        return found


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_in_every_field_breaks_no_cycle(store, clock, text):
    pipeline = Pipeline(OneMatch(text), store, ListArchive(), clock, {"mail": Severity.LOW})
    pipeline.process(delivery([record(1)]))
    [message] = pipeline.announce(START)

    [item] = store.outbox.due(START)
    assert item.message == message
    [alert] = store.alerts.search(AlertFilter())
    assert alert.title
    assert len(alert.evidence[0].user_agent) <= 8192
    assert store.rejects.count() == 1
    assert message.headline.isprintable()
    assert len(message.headline) < 300


def test_polled_records_go_to_the_archive_before_the_commit_and_only_once(store, clock):
    archive = ListArchive()
    pipeline = Pipeline(NameEngine(), store, archive, clock, {})

    pipeline.process(delivery([record(1), record(2), record(2)]))
    pipeline.process(delivery([record(2), record(3)]))

    assert [json.loads(body)["eventID"][-1] for *_, body in archive.kept] == ["1", "2", "3"]
    assert {(account, region) for account, region, *_ in archive.kept} == {("111122223333", "us-east-1")}


def test_files_are_not_archived(store, clock):
    archive = ListArchive()
    Pipeline(NameEngine(), store, archive, clock, {}).process(delivery([record(1)], polled=False))

    assert archive.kept == []


def test_a_delivery_is_acknowledged_after_its_commit(store, clock):
    seen = []
    one = delivery([record(1)], gain=(START, START + 60), ack=lambda: seen.append(len(store.alerts.untold())))
    Pipeline(NameEngine(), store, None, clock, {}).process(one)

    assert seen == [1]
    assert list(store.coverage.intervals(one.gains[0].key)) == [Interval(START, START + 60)]


def test_what_cannot_be_archived_is_not_committed_nor_acknowledged(store, clock):
    class FullDisk:
        def append(self, *_):
            raise StoreError("archive", "no space left on device")

    acks = []
    one = delivery([record(1)], gain=(START, START + 60), ack=lambda: acks.append(1))
    with pytest.raises(StoreError, match="no space"):
        Pipeline(NameEngine(), store, FullDisk(), clock, {}).process(one)

    assert acks == []
    assert store.alerts.untold() == []
    assert store.seen.count() == 0
    assert list(store.coverage.intervals(one.gains[0].key)) == []


def test_what_is_no_event_is_rejected_and_kept_once(store, clock):
    broken = msgspec.Raw(b'{"eventName": "x", "eventTime": "yesterday"}')
    pipeline = Pipeline(NameEngine(), store, ListArchive(), clock, {})
    tallies = [pipeline.process(delivery([broken, record(1)])).tally for _ in range(2)]

    assert all(tally.reconciles() for tally in tallies)
    assert [tally.rejects for tally in tallies] == [1, 1]
    [kept] = store.rejects.recent()
    assert kept.times == 2
    assert kept.reject.body == bytes(broken)
    assert store.rejects.find(kept.id) == kept


def test_one_message_for_each_principal_most_severe_first(store, clock):
    engine = NameEngine(StopLogging=Severity.HIGH, CreateUser=Severity.LOW, DeleteTrail=Severity.CRITICAL)
    pipeline = Pipeline(engine, store, None, clock, {"mail": Severity.LOW})
    names = ["CreateUser", "StopLogging", "DeleteTrail"]
    pipeline.process(delivery([record(n, name=name) for n, name in enumerate(names)]))
    pipeline.process(delivery([record(9, principal="bob")]))

    messages = pipeline.announce(START)

    assert [(m.principal.rsplit("/")[-1], [a.rule.slug for a in m.alerts]) for m in messages] == [
        ("alice", ["rule_DeleteTrail", "rule_StopLogging", "rule_CreateUser"]),
        ("bob", ["rule_StopLogging"]),
    ]
    assert messages[0].headline == "critical: DeleteTrail was called and 2 more"
    assert [item.message for item in store.outbox.due(START)] == messages
    assert pipeline.announce(START + 60) == []


def test_a_notifier_gets_only_what_reaches_its_least_severity(store, clock):
    engine = NameEngine(StopLogging=Severity.HIGH, CreateUser=Severity.LOW)
    routes = {"pager": Severity.HIGH, "mail": Severity.LOW, "phone": Severity.CRITICAL}
    pipeline = Pipeline(engine, store, None, clock, routes)
    pipeline.process(
        delivery([record(1, name="CreateUser"), record(2), record(3, name="CreateUser", principal="bob")])
    )
    pipeline.announce(START)

    sent = {
        (item.notifier, item.message.principal.rsplit("/")[-1]): [a.severity.value for a in item.message.alerts]
        for item in store.outbox.due(START)
    }
    assert sent == {("mail", "alice"): ["high", "low"], ("mail", "bob"): ["low"], ("pager", "alice"): ["high"]}


def test_an_alert_that_grows_is_not_told_again_but_one_that_becomes_worse_is(store, clock):
    routes = {"mail": Severity.MEDIUM}
    Pipeline(NameEngine(StopLogging=Severity.LOW), store, None, clock, routes).process(delivery([record(1)]))
    Pipeline(NameEngine(StopLogging=Severity.LOW), store, None, clock, routes).announce(START)
    Pipeline(NameEngine(StopLogging=Severity.LOW), store, None, clock, routes).process(delivery([record(2)]))
    worse = Pipeline(NameEngine(StopLogging=Severity.HIGH), store, None, clock, routes)
    assert worse.announce(START) == []
    assert store.outbox.counts()[OutboxState.WAITING] == 0

    worse.process(delivery([record(3)]))

    [message] = worse.announce(START)
    assert (message.severity, message.alerts[0].event_count) == (Severity.HIGH, 3)
    assert store.outbox.counts()[OutboxState.WAITING] == 1


def test_a_flood_is_told_in_bounded_messages(store, clock):
    class Flood(NameEngine):
        def evaluate(self, delivery):
            found = super().evaluate(delivery)
            found.matches = [
                msgspec.structs.replace(match, alert_id=f"{number:016x}", record=b"x" * 100_000)
                for number, match in enumerate(found.matches)
            ]
            return found

    pipeline = Pipeline(Flood(), store, None, clock, {"mail": Severity.LOW})
    pipeline.process(delivery([record(n) for n in range(250)]))
    messages = pipeline.announce(START)

    assert [len(message.alerts) for message in messages] == [100, 100, 50]
    assert all(sum(len(e.record) for a in m.alerts for e in a.evidence) <= 1024 * 1024 for m in messages)
    assert store.alerts.untold() == []
