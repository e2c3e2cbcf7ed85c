"""The summary line says what was read, what was not, and how far behind it is."""

from datetime import UTC, datetime

import pytest

from trailwatch.model.match import Tally
from trailwatch.service.report import BUSY, FAILED, PARTIAL, CycleReport, RegionReport, duration

STARTED = datetime(2026, 11, 23, 4, 15, 2, tzinfo=UTC)


def region(name, **more):
    return RegionReport("111122223333", name, requests=4, **more)


def test_a_quiet_cycle():
    report = CycleReport(STARTED, regions=[region("eu-west-1")], seconds=2.34)

    assert report.line() == (
        "2026-11-23T04:15:02Z good: 1 region, 4 requests, 0 new events, 0 alerts, 0 messages sent; 2.3 s"
    )
    assert report.exit_code == 0


def test_everything_that_went_wrong_is_said():
    report = CycleReport(
        STARTED,
        PARTIAL,
        [
            region("eu-west-1", behind_seconds=11_520, waiting=["GetA", "GetB"], waiting_seconds=900),
            *(region(f"ap-{at}", error_kind="denied", error="no") for at in range(5)),
        ],
        Tally(rejects=2, unmatched=10, records=12, failures=1),
        waiting=1,
        dead=1,
        errors={"mail": "refused"},
        problems=["heartbeat failed: x"],
    )

    assert report.line() == (
        "2026-11-23T04:15:02Z partial: 1 region, 24 requests, 10 new events, 0 alerts, 0 messages sent; "
        "not read: ap-0, ap-1, ap-2 and 2 more denied; behind: eu-west-1 3h12m; "
        "plan: up to 2 names a region left for later, oldest read 15m ago; "
        "2 rejects; 1 rule failure, see `trailwatch rejects failures`; "
        "1 message waiting; 1 message given up; not delivered: mail; heartbeat failed: x; 0.0 s"
    )
    assert report.exit_code == 3


def test_why_nothing_is_told_of_what_was_found_is_said():
    report = CycleReport(STARTED, tally=Tally(suppressed=2, put_off=1))
    several = CycleReport(STARTED, tally=Tally(put_off=1200))

    assert "0 messages sent; 2 suppressed; 1 alert joined a snoozed incident; 0.0 s" in report.line()
    assert "; 1,200 alerts joined a snoozed incident; " in several.line()


def test_a_busy_run_is_one_line_and_no_failure():
    report = CycleReport(STARTED, BUSY, running_since=datetime(2026, 11, 23, 4, 14, 58, tzinfo=UTC).timestamp())

    assert report.line() == "2026-11-23T04:15:02Z busy: another run is active since 04:14:58Z, nothing to do"
    assert report.exit_code == 0


def test_an_account_that_cannot_be_read_at_all_is_named():
    report = CycleReport(STARTED, FAILED, [RegionReport("production", "*", error_kind="denied", error="no")])

    assert "not read: production denied" in report.line()
    assert report.exit_code == 1


def test_with_several_accounts_each_region_says_whose_it_is():
    other = RegionReport("444455556666", "eu-west-1", error_kind="throttled", error="slow")
    report = CycleReport(STARTED, PARTIAL, [region("eu-west-1", behind_seconds=60), other])

    assert "not read: 444455556666/eu-west-1 throttled; behind: 111122223333/eu-west-1 1m" in report.line()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h00m"), (11_520, "3h12m"), (180_000, "2d2h")],
)
def test_spans_are_short(seconds, text):
    assert duration(seconds) == text
