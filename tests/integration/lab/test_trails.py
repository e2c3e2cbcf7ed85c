"""What the lab does itself because moto does it otherwise than AWS: selectors of trails, credentials for services."""

import pytest
from botocore.exceptions import ClientError

BASIC = {
    "ReadWriteType": "All",
    "IncludeManagementEvents": True,
    "DataResources": [],
    "ExcludeManagementEventSources": [],
}
ADVANCED = [{"Name": "reads", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}]


@pytest.fixture
def trails(client):
    client("s3").create_bucket(Bucket="logs-bucket")
    made = client("cloudtrail")
    made.create_trail(Name="main", S3BucketName="logs-bucket")
    return made


def test_a_new_trail_keeps_every_management_event(trails):
    assert trails.get_event_selectors(TrailName="main")["EventSelectors"] == [BASIC]


def test_the_two_kinds_of_selectors_take_the_place_of_each_other(trails):
    trails.put_event_selectors(TrailName="main", AdvancedEventSelectors=ADVANCED)
    first = trails.get_event_selectors(TrailName="main")
    trails.put_event_selectors(TrailName="main", EventSelectors=[{"ReadWriteType": "ReadOnly"}])
    second = trails.get_event_selectors(TrailName="main")

    assert (first.get("EventSelectors"), first["AdvancedEventSelectors"]) == (None, ADVANCED)
    assert (second["EventSelectors"], second.get("AdvancedEventSelectors")) == (
        [BASIC | {"ReadWriteType": "ReadOnly"}],
        None,
    )


def test_both_kinds_of_selectors_at_once_are_refused(trails):
    with pytest.raises(ClientError, match="InvalidEventSelectors"):
        trails.put_event_selectors(TrailName="main")


def test_insights_are_replaced_and_can_be_turned_off(trails):
    with pytest.raises(ClientError, match="InsightNotEnabled"):
        trails.get_insight_selectors(TrailName="main")
    for kind in ("ApiCallRateInsight", "ApiErrorRateInsight"):
        trails.put_insight_selectors(TrailName="main", InsightSelectors=[{"InsightType": kind}])
    listed = trails.get_insight_selectors(TrailName="main")["InsightSelectors"]
    trails.put_insight_selectors(TrailName="main", InsightSelectors=[])

    assert listed == [{"InsightType": "ApiErrorRateInsight"}]
    with pytest.raises(ClientError, match="InsightNotEnabled"):
        trails.get_insight_selectors(TrailName="main")


def test_a_trail_that_is_not_there_is_said(trails):
    with pytest.raises(ClientError, match="TrailNotFound"):
        trails.get_event_selectors(TrailName="other")


def test_credentials_for_a_service_are_made_listed_and_switched(client):
    iam = client("iam")
    iam.create_user(UserName="alice")
    made = iam.create_service_specific_credential(UserName="alice", ServiceName="codecommit.amazonaws.com")
    one = made["ServiceSpecificCredential"]["ServiceSpecificCredentialId"]
    iam.update_service_specific_credential(UserName="alice", ServiceSpecificCredentialId=one, Status="Inactive")

    (listed,) = iam.list_service_specific_credentials(UserName="alice")["ServiceSpecificCredentials"]
    assert (listed["ServiceSpecificCredentialId"], listed["Status"]) == (one, "Inactive")
    assert "ServicePassword" not in listed
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.list_service_specific_credentials(UserName="nobody")
