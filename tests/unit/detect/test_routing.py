from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailwatch.config.notifiers import Console, Route
from trailwatch.config.routes import TACTICS
from trailwatch.detect.routing import AT_ONCE, Routing, digest_due, fits
from trailwatch.model.alert import Alert
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.rules import attack

MADRID = ZoneInfo("Europe/Madrid")


def alert(
    severity=Severity.HIGH, *, account="111122223333", principal="arn:aws:iam::1:user/ann", actor_key="", **rule
):
    info = RuleInfo(
        id="0a", slug="trail_stopped", title="t", severity=severity, origin="x.yml:1",
        **{"tactics": ("defense-evasion",), "tags": ("team-a", "attack.t1562")} | rule,
    )  # fmt: skip
    return Alert("a1", info, "t", principal, "Ann", account, "eu-west-1", 1, 1, 1, (), actor_key=actor_key)


@pytest.mark.parametrize(
    "route",
    [
        Route(to=("x",)),
        Route(to=("x",), severity=Severity.HIGH),
        Route(to=("x",), accounts=("999988887777", "111122223333")),
        Route(to=("x",), tactics=("impact", "defense-evasion")),
        Route(to=("x",), rules=("0a",)),
        Route(to=("x",), rules=("trail_*",)),
        Route(to=("x",), tags=("team-?",)),
        Route(to=("x",), actor=("*:user/ann",)),
        Route(to=("x",), actor=("arn:aws:iam::1:role/deploy",)),
        Route(
            to=("x",), severity=Severity.LOW, rules=("trail_stopped",), tags=("team-a",), accounts=("111122223333",)
        ),
    ],
)
def test_a_route_fits_when_everything_that_it_names_holds(route):
    assert fits(route, alert(actor_key="arn:aws:iam::1:role/deploy"))


@pytest.mark.parametrize(
    "route",
    [
        Route(to=("x",), severity=Severity.CRITICAL),
        Route(to=("x",), accounts=("999988887777",)),
        Route(to=("x",), tactics=("impact",)),
        Route(to=("x",), rules=("0", "trail")),
        Route(to=("x",), tags=("team-b",)),
        Route(to=("x",), actor=("Ann",)),
        Route(to=("x",), rules=("trail_*",), accounts=("999988887777",)),
    ],
)
def test_a_route_does_not_fit_when_one_thing_does_not_hold_and_never_by_text_that_a_caller_chose(route):
    assert not fits(route, alert(actor_key="arn:aws:iam::1:role/deploy"))


def test_tactics_fit_as_rules_and_as_sigma_spell_them():
    route = Route(to=("x",), tactics=("defense-evasion",))

    assert fits(route, alert(tactics=("attack.defense_evasion",)))
    assert fits(route, alert(tactics=("Defense Evasion",)))


def test_the_tactics_of_the_settings_are_those_of_attack():
    assert set(TACTICS) == set(attack.TACTICS)


def test_without_routes_everybody_gets_everything_from_their_least_severity_on_at_once():
    routing = Routing.of([Console(name="a"), Console(name="b", min_severity=Severity.CRITICAL)])

    assert routing.places(alert(Severity.MEDIUM)) == {"a": AT_ONCE}
    assert routing.places(alert(Severity.CRITICAL)) == {"a": AT_ONCE, "b": AT_ONCE}
    assert routing.places(alert(Severity.LOW)) == {}


def test_an_alert_between_all_routes_is_not_swallowed_when_it_is_severe():
    routing = Routing.of(
        [Console(name="a"), Console(name="b")],
        [Route(to=("a",), accounts=("1",)), Route(to=("b",), accounts=("2",))],
    )

    assert routing.places(alert(Severity.HIGH, account="3")) == {"a": AT_ONCE, "b": AT_ONCE}
    assert routing.places(alert(Severity.MEDIUM, account="3")) == {}
    assert routing.places(alert(Severity.MEDIUM, account="2")) == {"b": AT_ONCE}


def test_the_quickest_of_several_ways_wins():
    routing = Routing.of(
        [Console(name="a", digest="daily")],
        [Route(to=("a",)), Route(to=("a",), tags=("team-a",), digest="hourly"), Route(to=("a",), rules=("no",))],
    )

    assert routing.places(alert(Severity.MEDIUM)) == {"a": "hourly"}
    assert routing.places(alert(Severity.MEDIUM, tags=())) == {"a": "daily"}
    assert routing.places(alert(Severity.HIGH, tags=())) == {"a": AT_ONCE}


def test_a_route_can_send_at_once_what_its_notifier_gathers():
    routing = Routing.of([Console(name="a", digest="daily")], [Route(to=("a",), digest="off")])

    assert routing.places(alert(Severity.MEDIUM)) == {"a": AT_ONCE}


def test_immediate_decides_what_can_wait():
    routing = Routing.of([Console(name="a", digest="hourly", immediate=Severity.MEDIUM, min_severity=Severity.LOW)])

    assert routing.places(alert(Severity.MEDIUM)) == {"a": AT_ONCE}
    assert routing.places(alert(Severity.LOW)) == {"a": "hourly"}


def test_messages_about_trailwatch_itself_go_to_all_that_high_alerts_reach():
    routing = Routing.of([Console(name="a"), Console(name="b", min_severity=Severity.CRITICAL)])

    assert routing.notices() == ["a"]


def at(*moment, zone=UTC):
    return int(datetime(*moment, tzinfo=zone).timestamp())


@pytest.mark.parametrize(
    ("digest", "now", "zone", "due"),
    [
        ("hourly", at(2026, 3, 2, 9, 30), UTC, at(2026, 3, 2, 10)),
        ("hourly", at(2026, 3, 2, 9, 0), UTC, at(2026, 3, 2, 10)),
        ("daily", at(2026, 3, 2, 7, 59), UTC, at(2026, 3, 2, 8)),
        ("daily", at(2026, 3, 2, 8, 0), UTC, at(2026, 3, 3, 8)),
        ("daily", at(2026, 3, 2, 7, 30), MADRID, at(2026, 3, 3, 8, zone=MADRID)),
        ("daily", at(2026, 3, 28, 12), MADRID, at(2026, 3, 29, 8, zone=MADRID)),
    ],
)
def test_a_digest_is_due_at_the_next_hour_or_at_its_time_of_day(digest, now, zone, due):
    assert digest_due(digest, now, "08:00", zone) == due


@given(st.integers(0, 2_000_000_000), st.sampled_from(["00:00", "02:30", "08:00", "23:59"]))
def test_the_next_daily_digest_is_later_and_at_most_a_day_and_an_hour_away(now, time):
    for zone in (UTC, MADRID, None):
        assert now < digest_due("daily", now, time, zone) <= now + 25 * 3600
