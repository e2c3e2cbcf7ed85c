"""What people are told about regions that cannot be read: each reason once, with all the places it is about."""

from trailwatch.service.trouble import reasons
from trailwatch.store.regions import Trouble


def trouble(region, what, since=1_000, account="111122223333"):
    return Trouble(account, region, "denied", what, since, 0)


def test_a_reason_that_many_regions_share_is_said_once():
    names = ("ap-1", "ap-2", "ap-3", "eu-1")
    troubles = [trouble(name, f"111122223333/{name}: AccessDenied: no; allow it") for name in names]

    assert reasons(troubles, now=1_010) == [
        "4 regions of 111122223333 (ap-1, ap-2, ap-3 and 1 more): AccessDenied: no; allow it"
    ]


def test_other_reasons_and_other_accounts_have_lines_of_their_own():
    troubles = [
        trouble("ap-1", "111122223333/ap-1: denied"),
        trouble("ap-2", "111122223333/ap-2: throttled"),
        trouble("ap-1", "444455556666/ap-1: denied", account="444455556666"),
    ]

    assert reasons(troubles, now=1_010) == [
        "111122223333/ap-1: denied",
        "111122223333/ap-2: throttled",
        "444455556666/ap-1: denied",
    ]


def test_how_long_it_lasts_is_said_from_a_minute_on():
    assert reasons([trouble("ap-1", "no")], now=1_000 + 11_520) == ["111122223333/ap-1, for 3h12m: no"]


def test_an_account_that_cannot_be_read_at_all_is_called_by_its_name():
    (line,) = reasons([trouble("*", "production: no credentials; set them", account="production")], now=1_000)

    assert line == "all of production: no credentials; set them"


def test_what_aws_says_cannot_act_on_a_terminal():
    assert "\x1b" not in reasons([trouble("ap-1", "a\x1b[2J")], now=1_000)[0]
