import msgspec
import pytest

from trailwatch.detect.engine import Engine
from trailwatch.detect.noise import allowlist, by_rule
from trailwatch.detect.triage import group
from trailwatch.model.alert import AlertState, Verdict
from trailwatch.model.rule import Dedup, RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.rules.predicate import Field, Op
from trailwatch.rules.rule import Rule, RuleSet
from trailwatch.rules.suppression_text import text_of
from trailwatch.testing import delivery, event

INFO = RuleInfo("id-1", "trail_stopped", "A trail was stopped", Severity.HIGH, "x.yml:1", dedup=Dedup(("eventID",)))
ENGINE = Engine(RuleSet(rules=(Rule(INFO, Field("eventName", Op.EQ, ("StopLogging",))),)))


TOOLS = [f"t{letter}" for letter in "abcdefghij"]
HOSTILE = ["a*b?", "\\", "\x1b[31m", "\u202egnp.exe", "'; DROP TABLE alerts; --", "{{7*7}}", "- x"]


def call(number, who="dora", *, address="198.51.100.1", agent="aws-cli/2.1", **parameters):
    return event(
        "StopLogging",
        change={"userIdentity.arn": f"arn:aws:iam::111122223333:user/{who}", "userIdentity.userName": who},
        sourceIPAddress=address,
        userAgent=agent,
        requestID=str(number),
        requestParameters={"name": f"trail-{number}", **parameters},
    )


def noise_of(records, real=()):
    alerts = group(ENGINE.evaluate(delivery(records)).matches)
    by_event = {alert.evidence[0].event_id: alert for alert in alerts}
    ordered = [by_event[record["eventID"]] for record in records]
    decided = [
        msgspec.structs.replace(
            alert,
            state=AlertState.CLOSED,
            verdict=Verdict.TRUE_POSITIVE if number in real else Verdict.FALSE_POSITIVE,
        )
        for number, alert in enumerate(ordered)
    ]
    return by_rule(decided, 10.0)[0]


def quieted(records, real=(), actors=None):
    return allowlist(noise_of(records, real), "dora", "2027-01-31", actors or {})


def test_a_rule_says_how_much_it_told_and_what_people_said_of_it():
    noise = noise_of([call(n, "ci" if n % 2 else "dora") for n in range(10)], real={0})

    assert (noise.per_day, noise.actors, noise.closed, noise.false, noise.real) == (1.0, 2, 10, 9, 1)
    assert noise.false_share == 0.9


def test_the_one_who_makes_the_noise_is_named_alone():
    records = [call(n, "ci", address=f"198.51.{n}.1") for n in range(9)] + [call(9, "dora", address="192.0.2.1")]

    found = quieted(records)

    assert found.draft.actor == ("arn:aws:iam::111122223333:user/ci",)
    assert (found.removed, found.of, found.real) == (9, 10, ())


def test_a_real_alert_is_kept_where_another_value_tells_it_apart():
    # the intruder uses the runner's key from elsewhere
    records = [*(call(n, "ci") for n in range(9)), call(9, "ci", address="203.0.113.66")]

    found = quieted(records, real={9})

    assert found.draft.networks == ("198.51.100.0/24",)
    assert (found.removed, found.real) == (9, ())


def test_where_nothing_tells_them_apart_what_is_lost_is_named():
    noise = noise_of([call(n, "ci") for n in range(10)], real={4})

    found = allowlist(noise, "dora", "2027-01-31", {})

    assert found.removed == 9
    assert found.real == (noise.alerts[4].id,)


def test_several_values_of_one_kind_are_one_list():
    records = [call(n, "ci" if n % 2 else "deploy", address=f"198.51.{n}.1", agent=f"tool{n}x") for n in range(10)]

    found = quieted(records)

    assert set(found.draft.actor) == {f"arn:aws:iam::111122223333:user/{who}" for who in ("ci", "deploy")}
    assert found.share == 1.0


def test_a_parameter_that_the_noise_shares_is_found():
    records = [
        call(
            n,
            f"user{n}",
            address=f"198.51.{n}.1",
            agent=TOOLS[n],
            bucket="scratch" if n < 9 else "crown",
        )
        for n in range(10)
    ]

    found = quieted(records, real={9})

    assert found.draft.selection == ({"requestParameters.bucket": ["scratch"]},)
    assert (found.removed, found.real) == (9, ())


def test_what_every_alert_of_the_rule_has_in_it_is_no_allowlist():
    records = [
        call(n, f"user{n}", address=f"198.51.{n}.1", agent=TOOLS[n], policy="AdministratorAccess") for n in range(10)
    ]

    assert quieted(records) is None


def test_who_it_began_with_quiets_many_principals_at_once():
    records = [call(n, f"session{n}", address=f"198.51.{n}.1", agent=TOOLS[n]) for n in range(10)]
    noise = noise_of(records)
    pipeline = "arn:aws:iam::111122223333:user/pipeline"

    found = allowlist(noise, "dora", "2027-01-31", dict.fromkeys((alert.id for alert in noise.alerts), pipeline))

    assert found.draft.actor == (pipeline,)
    assert found.removed == 10


def test_secrets_are_never_part_of_an_allowlist():
    records = [
        call(
            n,
            f"u{n}",
            address=f"198.51.{n}.1",
            agent=TOOLS[n],
            masterUserPassword="hunter22" if n else "x",
        )
        for n in range(10)
    ]

    found = quieted(records)

    assert found is None or "hunter22" not in text_of(found.draft)


@pytest.mark.parametrize(
    "text", ["a*b?", "\\", "\x1b[31m", "\u202egnp.exe", "'; DROP TABLE alerts; --", "{{7*7}}", "- x"]
)
def test_hostile_values_become_literal_and_hide_nobody_else(text):
    records = [call(n, "ci", address=f"198.51.{n}.1", bucket=text) for n in range(5)]
    records += [call(n, "ci", address=f"198.51.{n}.1", bucket=text + "x") for n in range(5, 7)]

    noise = noise_of(records, real={5, 6})
    found = allowlist(noise, "dora", "2027-01-31", {})

    assert (found.removed, found.real) == (5, ())
    assert text_of(found.draft).isascii()
