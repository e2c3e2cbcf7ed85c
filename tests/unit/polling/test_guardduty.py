from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import botocore.session
import msgspec
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from trailwatch.errors import SourceError
from trailwatch.model.coverage import Interval
from trailwatch.sources.guardduty import gather, wire

MODEL = botocore.session.get_session().get_service_model("guardduty")
CALLS = {xform_name(name): name for name in MODEL.operation_names}
BEGIN = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())
WINDOW = Interval(BEGIN, BEGIN + 3600)


class Client:
    """GuardDuty of one region, with so many findings a minute apart."""

    def __init__(self, count=0, *, detectors=("d",), errors=None, late=()):
        self.meta = SimpleNamespace(service_model=MODEL, method_to_api_mapping=CALLS)
        self.count = count
        self.detectors = detectors
        self.errors = errors or {}
        self.late = late
        self.asked = []

    def _check(self, operation):
        if operation in self.errors:
            code, message = self.errors[operation]
            raise ClientError({"Error": {"Code": code, "Message": message}}, operation)

    def list_detectors(self):
        self._check("ListDetectors")
        return {"DetectorIds": list(self.detectors)}

    def get_detector(self, DetectorId):  # noqa: N803, ARG002 boto3's spelling
        self._check("GetDetector")
        return {"Status": "ENABLED"}

    def list_findings(self, **request):
        self.asked.append(request)
        start = int(request.get("NextToken") or 0)
        numbers = [str(number) for number in range(start, min(start + 50, self.count))]
        return {"FindingIds": numbers, "NextToken": str(start + 50) if start + 50 < self.count else ""}

    def get_findings(self, DetectorId, FindingIds):  # noqa: N803, ARG002 boto3's spelling
        assert len(FindingIds) <= 50
        return {"Findings": [{"Id": one, "UpdatedAt": self._updated(int(one))} for one in FindingIds]}

    def _updated(self, number):
        seconds = 7200 if number in self.late else number * 10
        return (datetime.fromtimestamp(BEGIN, UTC) + timedelta(seconds=seconds)).isoformat()


def test_every_page_is_read_by_time_of_update():
    client = Client(120)
    found = gather(client, "here", WINDOW)
    assert len(found.findings) == 120
    assert found.read_until == WINDOW.end
    criteria = client.asked[0]["FindingCriteria"]["Criterion"]
    assert criteria["updatedAt"] == {"GreaterThanOrEqual": BEGIN * 1000, "LessThanOrEqual": WINDOW.end * 1000 + 999}
    assert {one["NextToken"] for one in client.asked[1:]} == {"50", "100"}


def test_what_was_read_before_time_was_up_counts_as_read():
    found = gather(Client(120), "here", WINDOW, lambda: False)
    assert len(found.findings) == 50
    assert found.read_until == BEGIN + 490


def test_a_finding_that_changes_while_it_is_read_says_nothing_of_the_others():
    found = gather(Client(120, late=(49,)), "here", WINDOW, lambda: False)
    assert found.read_until == BEGIN + 480


def test_no_detector_is_no_error():
    assert gather(Client(detectors=()), "here", WINDOW).state == "off"


@pytest.mark.parametrize(
    "error", [("BadRequestException", "The account is not subscribed to the service"), ("OptInRequired", "sign up")]
)
def test_an_account_that_does_not_have_guardduty_is_no_error(error):
    assert gather(Client(errors={"ListDetectors": error}), "here", WINDOW).state == "off"


def test_what_may_not_be_asked_is_an_error_that_names_the_permission():
    client = Client(errors={"ListDetectors": ("AccessDeniedException", "no")})
    with pytest.raises(SourceError, match="allow guardduty:ListDetectors there") as raised:
        gather(client, "here", WINDOW)
    assert raised.value.kind == "denied"


def test_whether_it_looks_need_not_be_known():
    client = Client(errors={"GetDetector": ("AccessDeniedException", "no")})
    assert gather(client, "here", WINDOW).state == "on"


def test_an_answer_is_written_with_the_names_of_the_service():
    finding = {
        "Id": "a",
        "Severity": 5.0,
        "Resource": {
            "InstanceDetails": {"ProductCodes": [{"Code": "c", "ProductType": "t"}]},
            "S3BucketDetails": [{"CreatedAt": datetime(2026, 3, 1, tzinfo=UTC)}],
        },
        "Service": {"Action": {"KubernetesApiCallAction": {"SourceIps": ["198.51.100.7"]}}},
    }
    assert wire(finding, MODEL.shape_for("Finding")) == {
        "id": "a",
        "severity": 5.0,
        "resource": {
            "instanceDetails": {"productCodes": [{"productCodeId": "c", "productCodeType": "t"}]},
            "s3BucketDetails": [{"createdAt": "2026-03-01T00:00:00+00:00"}],
        },
        "service": {"action": {"kubernetesApiCallAction": {"sourceIPs": ["198.51.100.7"]}}},
    }


def test_findings_come_as_json_those_updated_first_in_front():
    found = gather(Client(3), "here", WINDOW).findings
    assert [msgspec.json.decode(one)["id"] for one in found] == ["0", "1", "2"]
