from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trailwatch.detect.correlator import Firing, Member
from trailwatch.detect.engine import Engine
from trailwatch.detect.suppress import Suppressor
from trailwatch.model.alert import Head
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.model.signal import Brief
from trailwatch.rules.predicate import Field, Op
from trailwatch.rules.rule import Correlation, Rule, RuleSet
from trailwatch.rules.suppression import Suppression
from trailwatch.testing import delivery, event

DORA = "arn:aws:iam::111122223333:user/dora"
LATER = 2**40
INFO = RuleInfo("id-1", "trail_stopped", "A trail was stopped", Severity.HIGH, "x.yml:1")
ENGINE = Engine(RuleSet(rules=(Rule(INFO, Field("eventName", Op.EQ, ("StopLogging",))),)))


def matches(*records):
    return ENGINE.evaluate(delivery(records)).matches


def suppression(name="quiet", **parts):
    parts = {"expires": LATER, "rules": ("trail_stopped",), **parts}
    return Suppression(name=name, owner="dora", reason="known", origin="a.yml:1", **parts)


def hides(one, record):
    return bool(Suppressor([one]).sift(matches(record)).hidden)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({}, True),
        ({"rules": ("id-1",)}, True),
        ({"rules": ("*",)}, True),
        ({"rules": ("another",)}, False),
        ({"accounts": ("111122223333",)}, True),
        ({"accounts": ("999999999999",)}, False),
        ({"actor": (DORA,)}, True),
        ({"actor": (DORA.upper(),)}, True),
        ({"actor": ("arn:aws:iam::*:user/d?ra",)}, True),
        ({"actor": ("dora",)}, False),
        ({"actor": ("user dora in 111122223333",)}, False),
        ({"networks": ("198.51.100.0/24",)}, True),
        ({"networks": ("2001:db8::/32", "10.0.0.0/8")}, False),
        ({"condition": Field("requestParameters.name", Op.EQ, ("main",))}, True),
        ({"condition": Field("requestParameters.name", Op.EQ, ("other",))}, False),
        ({"condition": Field("derived.principal", Op.EQ, (DORA,))}, True),
        ({"accounts": ("111122223333",), "networks": ("10.0.0.0/8",)}, False),
    ],
)
def test_everything_that_it_names_must_hold(parts, expected):
    record = event("StopLogging", requestParameters={"name": "main"})

    assert hides(suppression(**parts), record) is expected


def test_an_actor_is_whoever_it_began_with_too_but_never_a_text_that_callers_choose():
    found = matches(event("StopLogging", change={"userIdentity.arn": "arn:aws:iam::1:user/alice"}))
    one = Suppressor([suppression(actor=("arn:aws:iam::1:user/boss",))])

    assert one.sift(found).kept == found
    assert one.sift(found, lambda _identity, _time: "arn:aws:iam::1:user/boss").kept == []
    session = {
        "type": "AssumedRole",
        "arn": "arn:aws:sts::111122223333:assumed-role/Intruder/ci-runner",
        "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/Intruder"}},
    }
    assert not hides(suppression(actor=("*ci-runner*",)), event("StopLogging", userIdentity=session))


def test_it_is_judged_at_event_time_and_one_that_expired_says_so():
    last = int(datetime(2026, 3, 3, tzinfo=UTC).timestamp())
    one = suppression("old", expires=last)

    before = Suppressor([one]).sift(matches(event("StopLogging", eventTime="2026-03-02T23:59:59Z")))
    after = Suppressor([one]).sift(matches(event("StopLogging", eventTime="2026-03-03T00:00:00Z")))

    assert (len(before.hidden), before.lapsed) == (1, 0)
    assert (len(after.hidden), after.lapsed) == (0, 1)
    assert after.kept[0].context == {"suppression": "old would have hidden this; it ended with 2026-03-02"}


def test_one_that_holds_hides_even_where_another_expired_and_the_first_name_counts():
    found = Suppressor([suppression("c"), suppression("b"), suppression("a", expires=0)]).sift(
        matches(event("StopLogging"))
    )

    assert [one.suppression for one in found.hidden] == ["b"]
    assert found.lapsed == 0


def test_a_record_that_cannot_be_read_is_not_hidden_by_a_selection():
    found = [msgspec.structs.replace(one, record=b"{torn") for one in matches(event("StopLogging"))]
    selective = suppression(condition=Field("eventName", Op.EQ, ("StopLogging",)))

    assert Suppressor([selective]).sift(found).kept == found
    assert Suppressor([suppression()]).sift(found).kept == []


def test_a_value_that_does_not_fit_hides_nothing_and_is_told():
    one = Suppressor([suppression(condition=Field("a", Op.RE, ("(",))), suppression("fine")])

    assert [problem.origin for problem in one.problems] == ["a.yml:1"]
    assert [hidden.suppression for hidden in one.sift(matches(event("StopLogging"))).hidden] == ["fine"]


def firing(*addresses, account="111122223333"):
    correlation = Correlation(INFO, "event_count", ("base",), 60)
    members = tuple(
        Member(n, f"e{n}", account, "base", "", brief(n, address, account)) for n, address in enumerate(addresses)
    )
    return Firing("alert-1", correlation, (), (1,), members, members[0], Head(1, 0, "", ""))


def brief(number, address, account):
    return Brief(f"e{number}", number, account, "us-east-1", "s", "n", DORA, "dora", "", address, "curl", "")


def test_a_correlation_is_hidden_only_when_all_its_events_are():
    office = suppression(networks=("192.0.2.0/24",))
    inside = firing("192.0.2.1", "192.0.2.2")
    mixed = firing("192.0.2.1", "203.0.113.9")

    assert Suppressor([office]).sift_firings([inside]).kept == []
    assert [one.event_id for one in Suppressor([office]).sift_firings([inside]).hidden] == ["e0", "e1"]
    assert Suppressor([office]).sift_firings([mixed]).kept == [mixed]
    both = [office, suppression("other", networks=("203.0.113.0/24",))]
    assert Suppressor(both).sift_firings([mixed]).kept == []


def test_a_selection_hides_no_correlation_and_an_expired_one_speaks():
    selective = suppression(condition=Field("eventName", Op.EXISTS))
    late = suppression("late", expires=0)

    assert Suppressor([selective]).sift_firings([firing("192.0.2.1")]).hidden == []
    assert list(Suppressor([late]).sift_firings([firing("192.0.2.1")]).lapsed) == ["alert-1"]


networks = st.sampled_from(["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/25"])
addresses = st.sampled_from(["192.0.2.7", "198.51.100.23", "203.0.113.5", "203.0.113.200", "ec2.amazonaws.com", ""])


@settings(deadline=None, max_examples=60)
@given(st.lists(addresses, max_size=8), st.lists(st.tuples(networks, st.booleans()), max_size=4))
def test_every_match_goes_one_way_in_its_order_whatever_the_order_of_suppressions(found, chosen):
    records = [event("StopLogging", sourceIPAddress=address, requestID=str(n)) for n, address in enumerate(found)]
    all_matches = matches(*records)
    ones = [
        suppression(f"s{n}", networks=(network,), expires=LATER if live else 0)
        for n, (network, live) in enumerate(chosen)
    ]

    sifted = Suppressor(ones).sift(all_matches)

    assert sifted == Suppressor(ones[::-1]).sift(all_matches)
    kept = [match.event_id for match in sifted.kept]
    hidden = [one.event_id for one in sifted.hidden]
    assert sorted(kept + hidden) == sorted(match.event_id for match in all_matches)
    assert kept == [match.event_id for match in all_matches if match.event_id in set(kept)]
    if not ones:
        assert sifted.kept == all_matches
