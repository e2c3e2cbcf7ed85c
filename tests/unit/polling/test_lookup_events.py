"""Look-ups: fixed parameters, tokens, restarts, and errors with a kind."""

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from trailwatch.errors import SourceError
from trailwatch.model.coverage import Interval
from trailwatch.sources.lookup_events import as_source_error, look_up
from trailwatch.testing import FixedClock

from .parts import ScriptedCloudTrail, refusal, rows

START = 1_000_000


def client(count):
    clock = FixedClock()
    return ScriptedCloudTrail(clock, rows(START, START + count))


def read(one, window=None, **options):
    window = window or Interval(START, START + 1000)
    return list(look_up(one, "a/r", ("ReadOnly", "false"), window, **options))


def test_every_page_is_read_newest_first():
    pages = read(client(120))

    assert [len(page.records) for page in pages] == [50, 50, 20]
    assert [page.more for page in pages] == [True, True, False]
    assert [page.oldest for page in pages] == [START + 70, START + 20, START]


def test_all_pages_are_asked_for_with_the_same_start_end_and_attribute():
    one = client(120)
    read(one)

    asked = [{name: value for name, value in request.items() if name != "NextToken"} for request in one.asked]
    assert asked == [asked[0]] * 3
    assert asked[0]["LookupAttributes"] == [{"AttributeKey": "ReadOnly", "AttributeValue": "false"}]


def test_a_look_up_without_an_attribute_names_none():
    one = client(1)
    list(look_up(one, "a/r", None, Interval(START, START + 5)))

    assert "LookupAttributes" not in one.asked[0]


def test_a_refused_token_begins_the_window_again():
    one = client(120)
    one.failures = [None, None, refusal("InvalidNextTokenException")]

    pages = read(one)

    assert [(len(page.records), page.restarted) for page in pages] == [
        (50, False),
        (50, False),
        (50, True),
        (50, False),
        (20, False),
    ]


def test_a_token_that_is_refused_again_and_again_is_an_error():
    one = client(120)
    one.failures = [None, refusal("InvalidNextTokenException")] * 10

    with pytest.raises(SourceError) as raised:
        read(one)
    assert raised.value.kind == "invalid"


def test_a_throttle_is_tried_again_while_there_is_time():
    one = client(1)
    one.failures = [refusal("ThrottlingException", message="Rate exceeded")] * 3

    assert len(read(one)) == 1


def test_a_throttle_without_time_left_is_an_error_of_that_kind():
    one = client(1)
    one.failures = [refusal("ThrottlingException", message="Rate exceeded")]

    with pytest.raises(SourceError) as raised:
        read(one, may_go_on=lambda: False)
    assert (raised.value.kind, len(one.asked)) == ("throttled", 1)
    assert str(raised.value).startswith("a/r: ThrottlingException: Rate exceeded; ")


def test_a_denied_region_is_not_tried_again():
    one = client(1)
    one.failures = [refusal("AccessDeniedException")] * 9

    with pytest.raises(SourceError) as raised:
        read(one)
    assert (raised.value.kind, len(one.asked)) == ("denied", 1)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refusal("ThrottlingException", 400), "throttled"),
        (refusal("SomethingNew", 429), "throttled"),
        (refusal("InternalFailure", 500), "unreachable"),
        (refusal("AccessDeniedException", 400), "denied"),
        (refusal("UnrecognizedClientException", 400), "denied"),
        (refusal("InvalidTimeRangeException", 400), "invalid"),
        (EndpointConnectionError(endpoint_url="http://x"), "unreachable"),
        (NoCredentialsError(), "denied"),
    ],
)
def test_errors_have_a_kind_that_says_what_to_do(error, kind):
    found = as_source_error("a/r", error)

    assert found is not None
    assert found.kind == kind
    assert found.remedy


def test_what_people_should_do_differs_between_missing_rights_and_credentials_that_do_not_work():
    missing = as_source_error("a/r", refusal("AccessDeniedException", 400, message="No."))
    expired = as_source_error("a/r", refusal("ExpiredTokenException", 400, message="Too old."))

    assert str(missing).startswith("a/r: AccessDeniedException: No; allow cloudtrail:LookupEvents")
    assert str(expired).startswith("a/r: ExpiredTokenException: Too old; renew the AWS credentials")


def test_what_is_not_about_aws_is_not_dressed_up():
    assert as_source_error("a/r", KeyError("x")) is None


def test_an_event_without_its_record_becomes_something_that_says_so():
    class Bare:
        def lookup_events(self, **_):
            return {"Events": [{"EventId": "x", "EventTime": FixedClock().now()}]}

    (page,) = look_up(Bare(), "a/r", None, Interval(0, 1))

    assert page.records == (b'{"CloudTrailEvent":null,"EventId":"x"}',)
