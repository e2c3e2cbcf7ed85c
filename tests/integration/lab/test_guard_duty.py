from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

REGION = "eu-west-1"


def finding(lab, number, moment, **changes):
    return {
        "accountId": lab.account,
        "region": REGION,
        "id": number,
        "type": "Recon:IAMUser/TorIPCaller",
        "severity": 5.0,
        "service": {"serviceName": "guardduty", "archived": False},
        "updatedAt": moment.isoformat(),
        **changes,
    }


def test_findings_are_listed_by_update_in_pages_and_given_in_batches(lab, client):
    guardduty = client("guardduty", region=REGION)
    detector = guardduty.create_detector(Enable=True)["DetectorId"]
    begun = datetime(2026, 3, 1, tzinfo=UTC)
    for number in range(120):
        lab.guard_duty.put(finding(lab, f"{number:03}", begun + timedelta(minutes=number)))
    lab.guard_duty.put(finding(lab, "old", begun, service={"serviceName": "guardduty", "archived": True}))
    since = int((begun + timedelta(minutes=10)).timestamp() * 1000)
    criteria = {"updatedAt": {"GreaterThanOrEqual": since}, "service.archived": {"Equals": ["false"]}}
    pages = guardduty.get_paginator("list_findings").paginate(
        DetectorId=detector,
        FindingCriteria={"Criterion": criteria},
        SortCriteria={"AttributeName": "updatedAt", "OrderBy": "ASC"},
    )
    found = [one for page in pages for one in page["FindingIds"]]
    assert found == [f"{number:03}" for number in range(10, 120)]
    [one] = guardduty.get_findings(DetectorId=detector, FindingIds=["011"])["Findings"]
    assert (one["Id"], one["Severity"]) == ("011", 5.0)


def test_samples_are_made_where_a_detector_is(lab, client):
    guardduty = client("guardduty", region=REGION)
    detector = lab.guard_duty.enable(lab.account, REGION)
    assert guardduty.list_detectors()["DetectorIds"] == [detector]
    guardduty.create_sample_findings(DetectorId=detector)
    found = guardduty.list_findings(DetectorId=detector)["FindingIds"]
    whole = guardduty.get_findings(DetectorId=detector, FindingIds=found)["Findings"]
    assert all(one["Title"].startswith("[SAMPLE] ") for one in whole)
    assert len(whole) > 3


def test_a_detector_of_nobody_is_refused(client):
    with pytest.raises(ClientError, match="BadRequestException"):
        client("guardduty", region=REGION).list_findings(DetectorId="12abc34d567e8fa901bc2d34e56789f0")


def test_more_than_fifty_at_once_are_refused(lab, client):
    detector = lab.guard_duty.enable(lab.account, REGION)
    with pytest.raises(ClientError):
        client("guardduty", region=REGION).get_findings(DetectorId=detector, FindingIds=[str(n) for n in range(51)])
