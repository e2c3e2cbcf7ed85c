"""What a message says, and how it is laid out."""

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from trailwatch.model.severity import Severity
from trailwatch.notify.compose import ALERTS_IN_FULL, moment
from trailwatch.notify.wording import SUBJECT_LIMIT, TEXT_WIDTH, as_html, as_text, subject

MADRID = ZoneInfo("Europe/Madrid")


def test_the_subject_names_severity_what_who_and_how_many_more(samples):
    alerts = [samples.alert(id=f"{n:016x}") for n in range(4)]

    assert subject(samples.message(*alerts)) == (
        "[trailwatch] CRITICAL Trail logging stopped - role deploy as mallory in 123456789012 (+3)"
    )


def test_several_alerts_are_listed_by_time_before_the_details(samples):
    text = as_text(samples.attack(), MADRID)

    assert text.count("IN ORDER\n") == 1
    assert (
        "  2026-09-21 14:12:30 UTC  HIGH      Access key made for another user\n"
        "  2026-09-21 14:13:20 UTC  CRITICAL  Trail logging stopped\n"
    ) in text
    assert "IN ORDER" not in as_text(samples.message(samples.alert()), MADRID)


def test_a_long_subject_is_cut_but_keeps_its_count(samples):
    long = samples.alert(title="Something " * 20)

    line = subject(samples.message(long, samples.alert(id="b")))

    assert len(line) <= SUBJECT_LIMIT
    assert line.startswith("[trailwatch] CRITICAL Something")
    assert line.endswith("(+1)")


def test_the_most_severe_alert_comes_first(samples):
    low = samples.alert(rule=samples.rule(severity=Severity.LOW, title="Small thing"), id="a")

    text = as_text(samples.message(low, samples.alert()), UTC)

    assert text.startswith("CRITICAL  Trail logging stopped\n")
    assert text.index("Trail logging stopped") < text.index("Small thing")


@pytest.mark.parametrize("render", [as_text, as_html])
@pytest.mark.parametrize(
    "said",
    [
        "arn:aws:iam::123456789012:role/deploy",
        "AssumedRole",
        "mallory@example.org",
        "ASIAEXAMPLEKEY000000",
        "StopLogging",
        "cloudtrail.amazonaws.com",
        "2026-09-21 14:13:20 UTC",
        "16:13:20 CEST",
        "203.0.113.7",
        "aws-cli/2.30.1",
        "123456789012",
        "eu-west-1",
        "eventName is StopLogging",
        "Request name",
        "management-events",
        "A trail no longer records.",
        "Ask the owner of the role whether the change was planned.",
        "lock-role-sessions",
        "trailwatch alerts show 5f0c2d7e9b3a1c48",
        "trailwatch alerts ack 5f0c2d7e9b3a1c48",
        "trail_logging_stopped",
        "0a1b2c3d-0000-4000-8000-000000000001",
        "defense-evasion, T1562.008",
        "A trail that is replaced on purpose.",
        "https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_StopLogging.html",
    ],
)
def test_a_message_says_who_what_when_where_why_and_what_next(samples, render, said):
    assert said in render(samples.message(samples.alert()), MADRID)


@pytest.mark.parametrize(("recorded", "said"), [("true", "yes"), ("false", "no"), (None, "the record does not say")])
def test_mfa_is_told_as_the_record_says(samples, recorded, said):
    record = samples.record()
    if recorded is None:
        del record["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"]
    else:
        record["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"] = recorded

    assert f"MFA              {said}\n" in as_text(samples.message(samples.alert(samples.evidence(record))), UTC)


def test_sessions_of_one_role_are_told_apart(samples):
    other = samples.record(eventID="2")
    other["userIdentity"]["arn"] = "arn:aws:sts::123456789012:assumed-role/deploy/nightly"
    evidence = samples.evidence(), samples.evidence(other)

    text = as_text(samples.message(samples.alert(*evidence)), UTC)

    assert "Session name     mallory, nightly\n" in text
    assert "Who role deploy as mallory in 123456789012, role deploy as nightly in 123456789012 What" in " ".join(
        text.split()
    )


@pytest.mark.parametrize(
    ("actor", "told"),
    [("role deploy as mallory in 123456789012", False), ("user mallory in 123456789012", True)],
)
def test_who_it_began_with_is_told_where_that_is_somebody_else(samples, actor, told):
    assert (f"Began with       {actor}\n" in as_text(samples.message(samples.alert(actor=actor)), UTC)) is told


def test_many_values_are_counted_instead_of_listed(samples):
    evidence = [samples.evidence(source_ip=f"203.0.113.{n}") for n in range(8)]

    text = as_text(samples.message(samples.alert(*evidence)), UTC)

    assert "203.0.113.0, 203.0.113.1, 203.0.113.2, 203.0.113.3, 203.0.113.4 and 3 more" in text


def test_user_agents_that_differ_only_at_the_end_are_one_and_do_not_fill_the_page(samples):
    program = "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux#6.18.44 md/arch#x86_64 lang/python#3.11.7 m/"
    agents = [f"{program}{letter}" for letter in "abc"] + ["aws-cli/2.17"]

    text = as_text(samples.message(samples.alert(*(samples.evidence(user_agent=one) for one in agents))), UTC)

    assert text.count("User agent") == 1
    assert text.count("Boto3/1.44.5") == 1
    assert "aws-cli/2.17" in text


def test_events_that_are_not_listed_are_counted(samples):
    assert "and 480 more\n" in as_text(samples.message(samples.alert(event_count=481)), UTC)


def test_a_failed_sign_in_is_told_as_failed_though_it_has_no_error_code(samples):
    record = samples.record(eventName="ConsoleLogin", responseElements={"ConsoleLogin": "Failure"})

    assert "ConsoleLogin  eu-west-1  203.0.113.7  Failure\n" in as_text(
        samples.message(samples.alert(samples.evidence(record))), UTC
    )


def test_a_flood_is_told_in_full_for_the_worst_and_in_one_line_for_the_rest(samples):
    evidence = [samples.evidence(event_id=str(n)) for n in range(20)]
    alerts = [samples.alert(*evidence, id=f"{n:016x}") for n in range(ALERTS_IN_FULL + 40)]

    text, page = as_text(samples.message(*alerts), UTC), as_html(samples.message(*alerts), UTC)

    assert text.count("WHY IT MATTERS") == ALERTS_IN_FULL
    assert "AND 40 MORE\n" in text
    for alert in alerts:
        assert alert.id in text
        assert alert.id in page
    assert len(page) < 102_400  # one widely used web mail cuts longer mails off


def test_lines_of_text_stay_short_where_words_allow(samples):
    rule = samples.rule(description="word " * 500, triage=("step " * 100,))

    text = as_text(samples.message(samples.alert(rule=rule)), UTC)

    assert (
        max(len(line) for line in text.splitlines()) <= TEXT_WIDTH + 20
    )  # the rule's line with its id is not wrapped


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        (UTC, "2026-09-21 14:13:20 UTC"),
        (ZoneInfo("Europe/London"), "2026-09-21 14:13:20 UTC (15:13:20 BST)"),
        (ZoneInfo("Asia/Tokyo"), "2026-09-21 14:13:20 UTC (23:13:20 JST)"),
        (ZoneInfo("Pacific/Auckland"), "2026-09-21 14:13:20 UTC (2026-09-22 02:13:20 NZST)"),
    ],
)
def test_times_are_told_in_utc_and_in_the_readers_zone(samples, zone, said):
    assert str(moment(samples.start, zone)) == said


def test_a_time_beyond_the_calendar_is_told_as_a_number():
    assert str(moment(10**15, UTC)) == "1000000000000000 s since 1970"


def test_the_page_loads_nothing_and_fits_phone_desktop_and_dark(samples):
    page = as_html(samples.attack(), UTC)

    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "<img" not in page
    assert "url(" not in page
    assert "max-width: 560px" in page
    assert "prefers-color-scheme: dark" in page
