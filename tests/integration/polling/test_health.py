import http.client
import json
import signal
import socket
import time
import urllib.parse
from datetime import UTC, datetime

import pytest

from trailwatch.errors import ConfigError, StoreError
from trailwatch.lab.faults import Aim, Deny
from trailwatch.model.message import Message
from trailwatch.service.health import Health, HealthServer
from trailwatch.service.report import CycleReport, RegionReport
from trailwatch.store.canaries import Canary

REGIONS = "pace = '0.01s'\nplan_requests_per_region = 0\nregions = ['us-east-1']"


@pytest.fixture
def health(clock):
    return Health(clock, canary_within=1800)


@pytest.fixture
def server(health):
    with HealthServer("0", health) as running:
        yield running


def ask(url, method="GET", path="", **headers):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=5)
    try:
        connection.request(method, path or parts.path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def said(url):
    status, body = ask(url)
    return status, json.loads(body)


def report(*regions, **more):
    return CycleReport(started=datetime.now(UTC), regions=list(regions), **more)


def test_before_the_first_cycle_it_is_not_healthy(server):
    status, content = said(server.url)
    assert status == 503
    assert content["problems"] == ["no cycle has read anything yet"]


def test_after_a_good_cycle_it_is(server, health, store):
    health.ended(report(RegionReport("1", "us-east-1")), store)
    assert said(server.url) == (
        200,
        {
            "healthy": True,
            "problems": [],
            "last_good_cycle": "2026-03-02T09:00:00Z",
            "last_good_age_seconds": 0,
            "last_outcome": "good",
            "regions_failed": [],
            "regions_late": {},
            "outbox": {"waiting": 0, "dead": 0, "overdue": {}},
            "canary_lost": [],
        },
    )


def test_a_cycle_that_hangs_grows_old(server, health, store, clock):
    health.ended(report(), store)
    clock.advance(601)
    status, content = said(server.url)
    assert status == 503
    assert content["problems"] == ["the last good cycle was 10m ago"]


def test_a_region_that_is_late_is_named(server, health, store):
    health.ended(report(late={"1/eu-west-1": 7200}), store)
    status, content = said(server.url)
    assert (status, content["regions_late"]) == (503, {"1/eu-west-1": 7200})


def test_messages_that_do_not_arrive_are_named(server, health, store):
    store.outbox.add(Message("m", 1, "", (), "x"), ["mail"], 1)
    health.ended(report(overdue={"mail": 900}), store)
    status, content = said(server.url)
    assert status == 503
    assert content["outbox"] == {"waiting": 1, "dead": 0, "overdue": {"mail": 900}}
    assert content["problems"] == ["messages to mail could not be delivered for 15m"]


def test_a_canary_that_is_lost_is_named(server, health, store, clock):
    store.canaries.add([Canary("m", "1", "eu-west-1", "k", int(clock.now().timestamp()) - 1801)])
    health.ended(report(), store)
    assert said(server.url)[1]["problems"] == ["no canary came back from 1/eu-west-1"]


def test_a_cycle_that_could_not_be_run_is_told_and_forgotten_after_a_good_one(server, health, store):
    health.ended(report(), store)
    health.failed(StoreError("state", "disk full"))
    assert said(server.url)[1]["problems"] == ["the last cycle could not be run: state: disk full"]
    health.ended(report(), store)
    assert said(server.url)[0] == 200


def test_whoever_asks_by_another_name_gets_nothing(server, health, store):
    health.ended(report(), store)
    status, body = ask(server.url, Host="attacker.example")
    assert status == 421
    assert b"healthy" not in body


@pytest.mark.parametrize("host", ["localhost:1", "LOCALHOST", "127.0.0.1", "10.0.0.7:8710", "[::1]:8710"])
def test_addresses_and_localhost_are_answered(server, health, store, host):
    health.ended(report(), store)
    assert ask(server.url, Host=host)[0] == 200


def test_there_is_nothing_else(server):
    assert ask(server.url, path="/")[0] == 404
    assert ask(server.url, path="/healthz/../etc/passwd")[0] == 404
    assert ask(server.url, method="POST")[0] == 501


def test_head_has_no_body(server):
    assert ask(server.url, method="HEAD") == (503, b"")


def test_half_a_request_holds_nobody_up(server):
    parts = urllib.parse.urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port)) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: ")
        assert ask(server.url)[0] == 503


def test_it_listens_on_the_loopback_where_no_address_is_given(server):
    assert server.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("listen", ["x", "example.org:80", "1.2.3.4:", "127.0.0.1:99999", ":-1"])
def test_what_is_no_address_is_refused(health, listen):
    with pytest.raises(ConfigError, match=r"watch\.listen"):
        HealthServer(listen, health)


def test_a_port_that_is_taken_is_refused(server, health):
    port = urllib.parse.urlsplit(server.url).port
    with pytest.raises(ConfigError, match="cannot listen on"):
        HealthServer(str(port), health)


def test_watch_answers_while_it_runs(machine):
    machine.configure(REGIONS, "[watch]\nlisten = '127.0.0.1:0'\n")
    process = machine.start("watch")
    try:
        url = process.stdout.readline().removeprefix("health: ").strip()
        process.stdout.readline()  # the first cycle's line
        deadline = time.monotonic() + 10
        while said(url)[0] != 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        status, content = said(url)
        assert (status, content["last_outcome"]) == (200, "good")
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def test_watch_says_who_cannot_be_read(machine):
    machine.configure(REGIONS, "[watch]\nlisten = '127.0.0.1:0'\n")
    machine.lab.faults.add(Deny(Aim(operation="LookupEvents")))
    process = machine.start("watch")
    try:
        url = process.stdout.readline().removeprefix("health: ").strip()
        process.stdout.readline()
        status, content = said(url)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert status == 503
    assert content["regions_failed"] in ([f"{machine.lab.account}/us-east-1"], [])


def test_a_bad_address_ends_watch_at_once(machine):
    machine.configure(REGIONS, "[watch]\nlisten = 'nowhere'\n")
    done = machine.run("watch")
    assert done.returncode == 2
    assert "watch.listen" in done.stderr
