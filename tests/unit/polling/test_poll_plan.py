"""The plan: which read-only calls the rules name, and whose turn it is."""

import msgspec

from trailwatch.model.coverage import LookupKey
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.rules.predicate import Field, Op, all_of, any_of, none_of
from trailwatch.rules.rule import Correlation, Rule
from trailwatch.sources.poll_plan import cycles_between, due, is_read_only, plan_of
from trailwatch.store.coverage import Lookup


def name(*values, op=Op.EQ):
    return Field("eventName", op, values)


def source(*values):
    return Field("eventSource", Op.EQ, values)


def rule(slug, condition, severity=Severity.MEDIUM):
    return Rule(RuleInfo(slug, slug, slug, severity, "test:1"), condition)


def planned(*names, severity=Severity.MEDIUM):
    return plan_of([rule(one, name(one), severity) for one in names]).names


def known(**asked):
    return {
        f"EventName={one}": Lookup(LookupKey("a", "r", f"EventName={one}"), since=0, asked=when)
        for one, when in asked.items()
    }


def test_read_only_names_of_the_rules_are_planned_most_severe_first():
    plan = plan_of(
        [
            rule("secrets", name("GetSecretValue", "PutSecretValue")),
            rule("roles", all_of(source("sts.amazonaws.com"), name("AssumeRole")), Severity.HIGH),
        ]
    )

    assert [(one.name, one.severity) for one in plan.names] == [
        ("AssumeRole", Severity.HIGH),
        ("GetSecretValue", Severity.MEDIUM),
    ]


def test_a_name_that_several_rules_want_has_their_highest_severity_and_all_their_slugs():
    plan = plan_of(
        [rule("low", name("GetSecretValue"), Severity.LOW), rule("high", name("GetSecretValue"), Severity.HIGH)]
    )

    assert [(one.severity, one.rules) for one in plan.names] == [(Severity.HIGH, ("high", "low"))]


def test_what_a_rule_excludes_is_not_planned():
    condition = all_of(name("GetParameters"), none_of(name("GetSecretValue")))

    assert [one.name for one in plan_of([rule("r", condition)]).names] == ["GetParameters"]


def test_names_in_every_branch_of_an_or_are_planned():
    condition = any_of(all_of(name("GetParameter"), source("ssm.amazonaws.com")), name("ListBuckets"))

    assert [one.name for one in plan_of([rule("r", condition)]).names] == ["GetParameter", "ListBuckets"]


def test_data_events_are_not_planned_because_event_history_has_none():
    assert plan_of([rule("r", name("GetObject", "GetSecretValue"))]).names[0].name == "GetSecretValue"
    assert len(plan_of([rule("r", name("GetObject"))]).names) == 0


def test_its_own_look_ups_are_not_planned():
    assert [one.name for one in plan_of([rule("r", name("LookupEvents", "DescribeTrails"))]).names] == [
        "DescribeTrails"
    ]


def test_calls_that_only_sound_like_reading_are_left_to_the_poll():
    assert [is_read_only(one) for one in ("GetFederationToken", "GetSigninToken", "ConsoleLogin", "DeleteTrail")] == [
        False
    ] * 4
    assert all(map(is_read_only, ("AssumeRole", "GetSecretValue", "ListBuckets", "BatchGetSecretValue", "Decrypt")))


def test_names_of_global_services_are_looked_up_in_their_home_region_only():
    plan = plan_of(
        [
            rule("iam", all_of(source("iam.amazonaws.com"), name("ListUsers"))),
            rule("both", all_of(source("iam.amazonaws.com", "ec2.amazonaws.com"), name("ListRoles"))),
            rule("open", name("ListKeys")),
        ]
    )

    assert [one.name for one in plan.in_region("us-east-1")] == ["ListKeys", "ListRoles", "ListUsers"]
    assert [one.name for one in plan.in_region("eu-west-1")] == ["ListKeys", "ListRoles"]
    assert [one.name for one in plan.in_region("us-gov-west-1")] == ["ListKeys", "ListRoles", "ListUsers"]


def test_one_rule_without_a_source_makes_a_name_wanted_everywhere():
    plan = plan_of(
        [rule("iam", all_of(source("iam.amazonaws.com"), name("ListUsers"))), rule("any", name("ListUsers"))]
    )

    assert [one.name for one in plan.in_region("eu-west-1")] == ["ListUsers"]


def turns(names, requests, cycles):
    """How often each name is asked in so many cycles, one a minute."""
    asked, count = {}, dict.fromkeys((one.name for one in names), 0)
    for now in range(60, 60 * cycles + 1, 60):
        chosen = [one.name for one in due(names, known(**asked), requests, now)]
        assert len(chosen) <= requests
        asked.update(dict.fromkeys(chosen, now))
        for one in chosen:
            count[one] += 1
    return count


def test_the_most_severe_is_asked_every_cycle_and_the_rest_by_turns():
    names = (*planned("AssumeRole", severity=Severity.HIGH), *planned("GetA", "GetB", "GetC", "GetD"))

    assert turns(names, 2, 8) == {"AssumeRole": 8, "GetA": 2, "GetB": 2, "GetC": 2, "GetD": 2}
    assert cycles_between(names, 2) == {"AssumeRole": 1, "GetA": 4, "GetB": 4, "GetC": 4, "GetD": 4}


def test_severe_names_come_round_more_often_and_no_name_is_forgotten():
    names = (
        *planned("GetH", severity=Severity.HIGH),
        *planned(*(f"GetM{at}" for at in range(9))),
        *planned(*(f"GetL{at}" for at in range(70)), severity=Severity.LOW),
    )
    count = turns(names, 3, 300)

    assert count["GetH"] == 300
    assert min(count[f"GetM{at}"] for at in range(9)) > 2 * max(count[f"GetL{at}"] for at in range(70))
    assert min(count.values()) >= 1
    for name, every in cycles_between(names, 3).items():
        assert 300 / count[name] < 2 * every + 1


def test_a_rule_that_only_feeds_others_does_not_make_a_name_urgent():
    feeding = rule("feeding", name("GetA"), Severity.HIGH)
    quiet = Rule(msgspec.structs.replace(feeding.info, alerting=False), feeding.condition)

    assert plan_of([quiet]).names == ()
    assert plan_of([quiet, rule("low", name("GetA"), Severity.LOW)]).names[0].severity is Severity.LOW


def test_a_name_that_no_alert_can_come_of_costs_no_request_and_is_kept_to_be_shown():
    plan = plan_of([rule("noise", name("GetA"), Severity.INFORMATIONAL), rule("real", name("GetB"), Severity.LOW)])

    assert [one.name for one in plan.names] == ["GetB"]
    assert [(one.name, one.rules) for one in plan.left_out] == [("GetA", ("noise",))]


def correlation(slug, severity, *rules, alerting=True):
    info = RuleInfo(slug, slug, slug, severity, "test:1", alerting=alerting)
    return Correlation(info, "event_count", rules, 600)


def test_a_name_that_feeds_an_alerting_correlation_is_as_urgent_as_that():
    feeding = rule("feeding", name("GetA"), Severity.INFORMATIONAL)
    chain = [
        correlation("inner", Severity.CRITICAL, "feeding", alerting=False),
        correlation("outer", Severity.HIGH, "inner"),
    ]

    assert plan_of([feeding], chain[:1]).names == ()
    assert [(one.name, one.severity) for one in plan_of([feeding], chain).names] == [("GetA", Severity.HIGH)]


def test_a_correlation_over_many_names_makes_none_of_them_urgent():
    wide = rule("wide", name(*(f"Get{at}" for at in range(40))), Severity.INFORMATIONAL)
    narrow = rule("narrow", name("GetSecretValue"), Severity.INFORMATIONAL)
    alone = rule("alone", name("GetA"), Severity.MEDIUM)
    correlations = [correlation("search", Severity.HIGH, "wide"), correlation("burst", Severity.HIGH, "narrow")]

    plan = plan_of([wide, narrow, alone], correlations)

    assert [one.name for one in plan.names] == ["GetSecretValue", "GetA"]
    assert len(plan.left_out) == 40


def test_with_one_request_all_take_turns():
    names = (*planned("AssumeRole", severity=Severity.HIGH), *planned("GetA"))

    assert turns(names, 1, 20) == {"AssumeRole": 16, "GetA": 4}


def test_a_plan_that_fits_is_asked_in_full_every_cycle():
    names = planned("GetA", "GetB")

    assert [one.name for one in due(names, {}, 3, 60)] == ["GetA", "GetB"]
    assert cycles_between(names, 3) == {"GetA": 1, "GetB": 1}


def test_without_requests_nothing_is_asked_and_that_is_said():
    names = planned("GetA")

    assert due(names, {}, 0, 60) == []
    assert cycles_between(names, 0) == {"GetA": 0}
