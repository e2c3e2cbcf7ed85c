"""`trailwatch incidents` over a real state file: what belongs together, escaped and masked."""

import json
import time

import pytest

from trailwatch.detect.attribution import Attribution
from trailwatch.errors import StoreError
from trailwatch.model.severity import Severity
from trailwatch.model.signal import Link
from trailwatch.pipeline import Pipeline
from trailwatch.store.database import Database
from trailwatch.store.store import Store

from .parts import START, NameEngine, delivery, record, rule

HOUR = 3600
SECRET = "wJalrXUtnFEMI-NOT-A-REAL-KEY"
ALICE = "arn:aws:iam::111122223333:user/alice"
BOB = "arn:aws:iam::111122223333:user/bob"


@pytest.fixture
def place(tmp_path, clock):
    """A state file with two incidents, alice's and bob's, and the configuration that names it."""
    path = tmp_path / "trailwatch.toml"
    path.write_text(f'[store]\npath = "{tmp_path / "state.sqlite3"}"\n')
    with Store(Database(tmp_path / "state.sqlite3")) as store:
        engine = NameEngine(StopLogging=Severity.HIGH, CreateAccessKey=Severity.LOW)
        evil = record(
            1, userAgent="\x1b[2Jcurl", requestParameters={"name": "trail\x1b[2J\u202e", "password": SECRET}
        )
        clock.seconds = START
        Pipeline(engine, store, None, clock, {}).process(delivery([evil, record(2)]))
        clock.seconds = START + 60
        made = {"accessKey": {"accessKeyId": "AKIA0000000000000009", "userName": "eve"}}
        Pipeline(engine, store, None, clock, {}).process(
            delivery([record(3, name="CreateAccessKey", principal="bob", responseElements=made)])
        )
    return path


@pytest.fixture
def trailwatch(place, command):
    return lambda *words: command("--config", place, *words).stdout


def listed(trailwatch, *words):
    return [json.loads(line) for line in trailwatch("incidents", "list", "--format", "jsonl", *words).splitlines()]


def test_list_has_the_worst_first(trailwatch):
    found = listed(trailwatch)

    assert [(one["actor_key"], one["severity"], one["alert_count"]) for one in found] == [
        (ALICE, "high", 1),
        (BOB, "low", 1),
    ]
    assert found[0]["score"] > found[1]["score"]
    assert all(one["incident"] in trailwatch("incidents", "list") for one in found)
    assert listed(trailwatch, "--min-score", str(found[0]["score"])) == found[:1]


def test_show_says_what_happened_and_what_to_contain(trailwatch):
    bob = listed(trailwatch)[1]
    page = trailwatch("incidents", "show", bob["incident"][:6])

    assert "access key AKIA0000000000000009 of eve (IAM user) in 111122223333" in page
    assert "bob (IAM user) in 111122223333: deny everything" in page
    assert "access key AKIA0000000000000009: it was made: deactivate it" in page


def test_what_was_made_is_listed_once_however_many_alerts_tell_of_it(trailwatch, place, clock):
    made = {"accessKey": {"accessKeyId": "AKIA0000000000000008", "userName": "eve"}}
    own = {"accessKey": {"accessKeyId": "AKIA0000000000000007", "userName": "bob"}}
    told_again = [
        record(5, at=START + 3 + HOUR, name="CreateAccessKey", principal="bob", responseElements=made),
        record(4, at=START + 4 + HOUR, name="CreateAccessKey", principal="bob", responseElements=own),
    ]
    with Store(Database(place.parent / "state.sqlite3")) as store:
        for severity in (Severity.LOW, Severity.HIGH):
            engine = NameEngine()
            engine.rules = {"CreateAccessKey": rule(severity.value, severity)}
            Pipeline(engine, store, None, clock, {}).process(delivery(told_again, polled=False))
    [bobs] = [one for one in listed(trailwatch) if one["actor_key"] == BOB]

    assert bobs["alert_count"] == 3
    assert bobs["made"] == [
        "access key AKIA0000000000000009 of eve (IAM user) in 111122223333",
        "access key AKIA0000000000000008 of eve (IAM user) in 111122223333",
        "access key AKIA0000000000000007",
    ]


def test_nothing_that_the_log_holds_acts_on_the_terminal_and_no_secret_shows(trailwatch):
    alice = listed(trailwatch)[0]
    shown = trailwatch("incidents", "show", alice["incident"]) + trailwatch("incidents", "list")
    data = trailwatch("incidents", "show", alice["incident"], "--format", "jsonl")

    assert "\x1b" not in shown + data
    assert "\u202e" not in shown + data
    assert SECRET not in shown + data
    assert r"name trail\x1b[2J\u202e" in shown


def test_alerts_name_their_incident(trailwatch):
    alerts = [json.loads(line) for line in trailwatch("alerts", "list", "--format", "jsonl").splitlines()]

    assert {alert["incident"] for alert in alerts} == {one["incident"] for one in listed(trailwatch)}


def test_the_younger_of_two_that_became_one_leads_to_the_older(trailwatch, place):
    older, younger = (one["incident"] for one in listed(trailwatch))
    with Store(Database(place.parent / "state.sqlite3")) as store, store.transaction():
        attribution = Attribution(store.lineage, store.incidents)
        link = Link("created-user", ALICE, BOB, START - 10, "e", "111122223333")
        attribution.settle((), attribution.learn([link], START + 120), START + 120)
    [one] = listed(trailwatch)

    assert one["incident"] == older
    assert one["merged"] == [younger]
    assert one["alert_count"] == 2
    assert older in trailwatch("incidents", "show", younger)


def test_closed_incidents_are_listed_on_request_only(trailwatch):
    alert = listed(trailwatch)[1]["alerts"][0]
    trailwatch("alerts", "close", alert, "--verdict", "false-positive")

    assert len(listed(trailwatch)) == 1
    assert len(listed(trailwatch, "--state", "all")) == 2


def test_an_id_that_is_not_there_is_an_error_with_a_way_out(trailwatch):
    with pytest.raises(StoreError, match="incidents list --state all"):
        trailwatch("incidents", "show", "ffffffffffff")


def later(place, number, clock, **severities):
    """Alice does one more thing that a rule of this severity is about; what would be told of it."""
    with Store(Database(place.parent / "state.sqlite3")) as store:
        pipeline = Pipeline(NameEngine(**severities), store, None, clock, {"mail": Severity.LOW})
        pipeline.process(delivery([record(number, name=next(iter(severities)))]))
        return [alert.title for message in pipeline.announce(int(clock.seconds)) for alert in message.alerts]


@pytest.fixture
def put_off(place, trailwatch, clock):
    """Everything was told, and alice's incident is put off for four hours from now."""
    with Store(Database(place.parent / "state.sqlite3")) as store:
        Pipeline(NameEngine(), store, None, clock, {}).announce(START + 61)
    clock.seconds = int(time.time())
    (alices,) = [one["incident"] for one in listed(trailwatch) if "alice" in one["actor"]]
    trailwatch("incidents", "snooze", alices, "--for", "4h")
    return alices


def test_what_joins_an_incident_that_was_put_off_is_put_off_too(place, clock, put_off):
    assert later(place, 10, clock, PutUserPolicy=Severity.HIGH) == []
    with Store(Database(place.parent / "state.sqlite3")) as store:
        joined = [store.alerts.get(one) for one in store.incidents.alert_ids(put_off)]
        assert len(joined) == 2
        assert {alert.snoozed for alert in joined} == {store.incidents.snoozed(put_off)}
        assert [change.snoozed for change in store.alerts.history(joined[-1].id)] == [joined[-1].snoozed]

    clock.seconds += 4 * 3600 + 60
    assert sorted(later(place, 11, clock, PutUserPolicy=Severity.HIGH)) == [
        "PutUserPolicy was called",
        "StopLogging was called",
    ]


def test_what_is_worse_than_all_that_was_put_off_is_told_at_once(place, clock, put_off):
    assert put_off
    assert later(place, 12, clock, DeleteTrail=Severity.CRITICAL) == ["DeleteTrail was called"]


def test_another_actors_alert_is_told_and_an_ack_ends_the_pause(place, trailwatch, clock, put_off):
    trailwatch("incidents", "ack", put_off)

    assert later(place, 13, clock, PutUserPolicy=Severity.HIGH) == ["PutUserPolicy was called"]


def test_a_note_does_not_end_the_pause(place, trailwatch, clock, put_off):
    trailwatch("incidents", "note", put_off, "asked alice")

    assert later(place, 14, clock, PutUserPolicy=Severity.HIGH) == []


def test_what_a_late_link_brings_into_an_incident_that_was_put_off_is_put_off_too(place, clock, put_off):
    with Store(Database(place.parent / "state.sqlite3")) as store:
        attribution = Attribution(store.lineage, store.incidents)
        link = Link("created-user", ALICE, BOB, START - 10, "e", "111122223333")
        attribution.settle((), attribution.learn([link], int(clock.seconds)), int(clock.seconds))

        alerts = [store.alerts.get(one) for one in store.incidents.alert_ids(put_off)]
        assert {"bob" in alert.principal for alert in alerts} == {True, False}
        assert {alert.snoozed for alert in alerts} == {store.incidents.snoozed(put_off)}
