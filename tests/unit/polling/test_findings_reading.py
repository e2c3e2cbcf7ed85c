"""GuardDuty beside event history: what is kept, what is asked again, and what one region does to the others."""

from datetime import timedelta
from types import SimpleNamespace

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError, EndpointConnectionError

from trailwatch.config.proof import GuardDutySettings
from trailwatch.config.schema import Check
from trailwatch.detect.engine import Engine
from trailwatch.errors import StoreError
from trailwatch.model.coverage import LookupKey
from trailwatch.model.severity import Severity
from trailwatch.pipeline import Pipeline
from trailwatch.rules.rule import RuleSet
from trailwatch.service.findings import FindingsReading
from trailwatch.service.report import CycleReport
from trailwatch.service.tasks import Place
from trailwatch.store.alerts import AlertFilter

ACCOUNT = "111122223333"
MODEL = botocore.session.get_session().get_service_model("guardduty")
CALLS = {xform_name(name): name for name in MODEL.operation_names}
KEY = LookupKey(ACCOUNT, "eu-west-1", "GuardDuty")


class Region:
    """GuardDuty of one region: what it has, or what it raises."""

    def __init__(self, findings=(), error=None):
        self.meta = SimpleNamespace(service_model=MODEL, method_to_api_mapping=CALLS)
        self.findings = findings
        self.error = error
        self.windows = []

    def list_detectors(self):
        if self.error is not None:
            raise self.error
        return {"DetectorIds": ["d"]}

    def get_detector(self, DetectorId):  # noqa: N803, ARG002 boto3's spelling
        return {"Status": "ENABLED"}

    def list_findings(self, **request):
        updated = request["FindingCriteria"]["Criterion"]["updatedAt"]
        self.windows.append((updated["GreaterThanOrEqual"] // 1000, updated["LessThanOrEqual"] // 1000))
        return {"FindingIds": [one["Id"] for one in self.findings]}

    def get_findings(self, DetectorId, FindingIds):  # noqa: N803, ARG002 boto3's spelling
        return {"Findings": list(self.findings)}


class Access:
    def __init__(self, regions, offered=("eu-west-1", "us-east-1")):
        self.regions = regions
        self.offered = offered

    def client(self, service, region):
        assert service == "guardduty"
        return self.regions[region]

    def offers(self, service, region):
        assert service == "guardduty"
        return region in self.offered


def finding(clock, number="a", key="AKIAEXAMPLE000000001", **changes):
    now = clock.now().isoformat()
    return {
        "Id": number,
        "AccountId": ACCOUNT,
        "Region": "eu-west-1",
        "Partition": "aws",
        "Type": "Recon:IAMUser/TorIPCaller",
        "Severity": 5.0,
        "Resource": {"AccessKeyDetails": {"AccessKeyId": key, "UserType": "IAMUser", "UserName": "ann"}},
        "Service": {"ServiceName": "guardduty", "EventFirstSeen": now, "EventLastSeen": now},
        "UpdatedAt": now,
        "Title": "Tor",
        **changes,
    }


def read(store, clock, regions, *, offered=("eu-west-1", "us-east-1"), engine=None, reach_back=0):
    pipeline = Pipeline(engine or Engine(RuleSet()), store, None, clock, {"mail": Severity.LOW})
    reading = FindingsReading(store, pipeline, GuardDutySettings(enabled=True, every=300), Check(), clock)
    report = CycleReport(started=clock.now())
    reading.begin(clock.monotonic() + 50, reach_back)
    reading.beside(Access(regions, offered), [Place(ACCOUNT, name) for name in regions])
    reading.read(report)
    return report


def states(store):
    return {one.region: one.state for one in store.finding_sources.all()}


def test_a_first_look_covers_what_a_first_cycle_covers(store, clock):
    region = Region()
    read(store, clock, {"eu-west-1": region})
    now = int(clock.now().timestamp())
    assert region.windows == [(now - 300 - 900 - 900, now)]
    assert [one.end for one in store.coverage.intervals(KEY)] == [now]


def test_the_next_one_looks_back_over_the_overlap(store, clock):
    region = Region()
    read(store, clock, {"eu-west-1": region})
    before = int(clock.now().timestamp())
    clock.advance(3600)
    read(store, clock, {"eu-west-1": region})
    assert region.windows[1] == (before - 900, before + 3600)
    assert len(store.coverage.intervals(KEY)) == 1


def test_what_was_seen_is_no_new_event_and_an_update_is(store, clock):
    first = read(store, clock, {"eu-west-1": Region([finding(clock)])})
    clock.advance(400)
    again = read(
        store,
        clock,
        {"eu-west-1": Region([finding(clock, UpdatedAt=(clock.now() - timedelta(seconds=400)).isoformat())])},
    )
    later = finding(clock)
    clock.advance(400)
    update = read(store, clock, {"eu-west-1": Region([later])})
    assert [one.findings for one in (first, again, update)] == [1, 0, 1]
    [alert] = store.alerts.search(AlertFilter())
    assert alert.event_count == 2


def test_a_crash_before_the_commit_is_read_again(store, clock):
    class BrokenError(StoreError):
        pass

    class Breaking:
        def evaluate(self, delivery):  # noqa: ARG002 the engine's signature
            raise BrokenError("state", "disk full")

    with pytest.raises(BrokenError):
        read(store, clock, {"eu-west-1": Region([finding(clock)])}, engine=Breaking())
    assert len(store.coverage.intervals(KEY)) == 0
    assert store.seen.count() == 0
    assert read(store, clock, {"eu-west-1": Region([finding(clock)])}).findings == 1


def test_one_region_that_refuses_stops_no_other(store, clock):
    refused = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "ListDetectors")
    report = read(store, clock, {"us-east-1": Region(error=refused), "eu-west-1": Region([finding(clock)])})
    assert report.findings == 1
    assert states(store) == {"eu-west-1": "on", "us-east-1": "failed"}
    assert [one.region for one in report.unread_sources] == ["us-east-1/GuardDuty"]


def test_a_region_where_aws_does_not_offer_it_is_no_error(store, clock):
    nowhere = EndpointConnectionError(endpoint_url="https://guardduty.eu-west-1.amazonaws.com")
    report = read(store, clock, {"eu-west-1": Region(error=nowhere)}, offered=("us-east-1",))
    assert report.unread_sources == []
    assert states(store) == {"eu-west-1": "absent"}


def test_the_same_where_aws_offers_it_is_one(store, clock):
    nowhere = EndpointConnectionError(endpoint_url="https://guardduty.eu-west-1.amazonaws.com")
    report = read(store, clock, {"eu-west-1": Region(error=nowhere)})
    assert [one.error_kind for one in report.unread_sources] == ["unreachable"]


def test_a_fault_of_our_own_is_not_taken_for_one_of_aws(store, clock):
    with pytest.raises(ZeroDivisionError):
        read(store, clock, {"eu-west-1": Region(error=ZeroDivisionError())})


def test_a_region_that_is_not_due_is_not_asked(store, clock):
    region = Region()
    read(store, clock, {"eu-west-1": region})
    clock.advance(299)
    read(store, clock, {"eu-west-1": region})
    assert len(region.windows) == 1
    read(store, clock, {"eu-west-1": region}, reach_back=86400)
    now = int(clock.now().timestamp())
    assert region.windows[1] == (now - 86400, now)


def test_what_a_session_in_a_finding_did_is_looked_up(store, clock):
    session = finding(clock, key="ASIAEXAMPLE000000001")
    session["Resource"]["AccessKeyDetails"] |= {"UserType": "AssumedRole", "PrincipalId": "AROA1:build"}
    read(store, clock, {"eu-west-1": Region([session])})
    assert {one.key.lookup for one in store.coverage.sessions()} == {
        "AccessKeyId=ASIAEXAMPLE000000001",
        "ResourceName=ASIAEXAMPLE000000001",
    }
