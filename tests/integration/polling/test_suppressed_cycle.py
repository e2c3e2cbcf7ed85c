"""What a cron run makes of suppressions, of what it may forget, and of files that are broken."""

import json
import os
import time

import pytest

from trailwatch.archive import Archive

from .test_cycle import happened

ROOT_STOPS = "name: {name}\nowner: dora\nreason: known\nexpires: {expires}\nrules: [trail_stopped]\n"


@pytest.fixture
def small(machine):
    machine.configure("pace = '0.01s'\nregions = ['us-east-1']")
    machine.lab.recorder.add(happened(60, name="StopLogging", eventSource="cloudtrail.amazonaws.com"))
    return machine


def suppress(machine, name="quiet", expires="2099-01-31", more=""):
    folder = machine.folder / "suppressions.d"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yml").write_text(ROOT_STOPS.format(name=name, expires=expires) + more)


def slugs(machine):
    return [
        json.loads(line)["rule"] for line in machine.run("alerts", "list", "--format", "jsonl").stdout.splitlines()
    ]


def test_a_suppression_beside_the_configuration_hides_in_a_cycle_and_the_line_says_so(small):
    suppress(small)

    result = small.run("check")

    assert "1 suppressed" in result.stdout
    assert "trail_stopped" not in slugs(small)
    assert "quiet" in small.run("suppressions", "list").stdout


def test_one_that_expired_hides_nothing_and_the_line_and_the_alert_say_so(small):
    suppress(small, "old", "2026-01-31")

    result = small.run("check")

    assert "1 that an expired suppression names" in result.stdout
    assert "trail_stopped" in slugs(small)
    (alert,) = [
        json.loads(line)
        for line in small.run("alerts", "list", "--rule", "trail_stopped", "--format", "jsonl").stdout.splitlines()
    ]
    assert alert["context"]["suppression"] == "old would have hidden this; it ended with 2026-01-31"


def test_what_joins_a_snoozed_incident_is_counted_in_the_line(small):
    small.run("check")
    (incident,) = json.loads(small.run("incidents", "list", "--format", "json").stdout)
    small.run("incidents", "snooze", incident["incident"], "--for", "4h")
    small.lab.recorder.add(happened(30, 1, name="DeleteTrail", eventSource="cloudtrail.amazonaws.com"))

    joined, quiet = small.run("check").stdout, small.run("check").stdout

    assert "1 new event, 0 alerts, 0 messages sent; " in joined
    assert "; 1 alert joined a snoozed incident; " in joined
    assert "snoozed" not in quiet


def test_a_broken_one_hides_nothing_and_is_told(small):
    suppress(small, "broken", more="networks: [nowhere]\n")

    result = small.run("check")

    assert "1 suppression(s) not used, see `trailwatch suppressions check`" in result.stdout
    assert "trail_stopped" in slugs(small)
    assert "no network" in small.run("suppressions", "check").stderr


def test_a_cycle_removes_archived_hours_that_are_too_old(small):
    now = int(time.time())
    old = [(now - 500 * 86400, b'{"eventID": "a"}')]
    Archive(small.archive).append("111122223333", "eu-west-1", old)

    small.run("check")

    assert not (small.archive / "AWSLogs/111122223333/CloudTrail/eu-west-1").exists()


def test_a_file_that_comes_changes_or_goes_counts_from_the_next_match_on(small, tmp_path):
    from trailwatch.config.load import load
    from trailwatch.detect.engine import Engine
    from trailwatch.rules.catalog import load_rules
    from trailwatch.service.suppressing import FolderSifter
    from trailwatch.testing import delivery, event

    found = Engine(load_rules([], only=["trail_stopped"])).evaluate(delivery([event("StopLogging")])).matches
    sifter = FolderSifter(load(str(small.config), {}).config, {"XDG_CACHE_HOME": str(tmp_path)})

    assert len(sifter.sift(found).kept) == 1
    suppress(small)
    assert len(sifter.sift(found).kept) == 0
    suppress(small, expires="2026-01-01")
    os.utime(small.folder / "suppressions.d/quiet.yml", ns=(1, 1))
    assert sifter.sift(found).lapsed == 1
    (small.folder / "suppressions.d/quiet.yml").unlink()
    assert sifter.sift(found) == ([*found], [], 0)
