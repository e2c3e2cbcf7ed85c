from __future__ import annotations

import http.client
import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from trailwatch.lab.limits import Limits
from trailwatch.lab.server import Lab


def test_describe_regions_answers_the_enabled_ones_and_all_only_when_asked(client):
    ec2 = client("ec2")
    enabled = ec2.describe_regions()["Regions"]
    everything = {
        region["RegionName"]: region["OptInStatus"] for region in ec2.describe_regions(AllRegions=True)["Regions"]
    }
    filtered = ec2.describe_regions(AllRegions=True, Filters=[{"Name": "opt-in-status", "Values": ["not-opted-in"]}])[
        "Regions"
    ]

    assert len(enabled) == 17
    assert {region["OptInStatus"] for region in enabled} == {"opt-in-not-required"}
    assert everything["me-south-1"] == "not-opted-in"
    assert set(everything) - {region["RegionName"] for region in enabled} == {r["RegionName"] for r in filtered}
    assert [r["RegionName"] for r in ec2.describe_regions(RegionNames=["eu-west-1"])["Regions"]] == ["eu-west-1"]
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        ec2.describe_regions(RegionNames=["mars-north-1"])


def test_a_region_that_is_not_opted_in_knows_no_key(client):
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        client("cloudtrail", region="me-south-1").lookup_events()


def test_a_second_lab_in_a_process_begins_clean():
    before = dict(os.environ)
    for _ in range(2):
        with Lab() as lab:
            connection = http.client.HTTPConnection(urlsplit(lab.url).netloc)
            connection.request("POST", "/lab/console-login", body="{}")
            assert connection.getresponse().status == 200
            connection.close()
            assert len(lab.recorder.records()) == 1

    assert dict(os.environ) == before


def test_state_of_an_earlier_lab_is_gone(client, lab):
    client("iam").create_user(UserName="alice")
    first_key = lab.admin
    lab.stop()
    with Lab(limits=Limits(lookup_rate=None)) as second:
        from moto.iam.models import iam_backends

        assert set(iam_backends[second.account]["aws"].users) == {"lab-admin"}
        assert second.admin != first_key


def test_only_one_lab_runs_in_a_process(lab):
    with pytest.raises(RuntimeError, match="another lab"), Lab():
        pass
    assert lab.url


def test_the_environment_holds_all_that_a_client_needs(lab):
    environment = lab.environment(region="eu-west-1")

    assert environment["AWS_ENDPOINT_URL"] == lab.url
    assert environment["AWS_ACCESS_KEY_ID"] == lab.admin.access_key_id
    assert environment["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert environment["AWS_EC2_METADATA_DISABLED"] == "true"


def test_one_connection_serves_many_calls(client, lab):
    trail = client("cloudtrail", max_pool_connections=1)
    for _ in range(5):
        trail.lookup_events()

    assert len(lab._connections._open) == 1


def test_stopping_closes_the_connections(client, lab):
    client("cloudtrail").lookup_events()
    port = urlsplit(lab.url).port
    lab.stop()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_the_door_for_sign_ins_records_a_console_login(client, lab, last_record):
    client("iam").create_user(UserName="alice")
    connection = http.client.HTTPConnection(urlsplit(lab.url).netloc)
    wish = {"user": "alice", "success": False, "region": "eu-north-1"}
    connection.request("POST", "/lab/console-login", json.dumps(wish), {"X-Forwarded-For": "203.0.113.5"})
    answer = json.loads(connection.getresponse().read())
    connection.request("POST", "/lab/console-login", '{"usr": "alice"}')
    refused = connection.getresponse()
    refused.read()
    connection.close()

    record = last_record("ConsoleLogin")
    assert record["eventID"] == answer["eventID"]
    assert record["sourceIPAddress"] == "203.0.113.5"
    assert record["awsRegion"] == "eu-north-1"
    assert record["responseElements"] == {"ConsoleLogin": "Failure"}
    assert record["errorMessage"] == "Failed authentication"
    assert record["additionalEventData"]["MFAUsed"] == "No"
    assert refused.status == 400


def test_a_login_of_root_is_recorded_in_us_east_1(lab, last_record):
    lab.console_login(mfa=True, region="eu-west-1", source_address="203.0.113.5")

    record = last_record("ConsoleLogin")
    assert record["userIdentity"]["type"] == "Root"
    assert record["awsRegion"] == "us-east-1"
    assert record["responseElements"] == {"ConsoleLogin": "Success"}
    assert record["additionalEventData"]["MFAUsed"] == "Yes"


def test_an_unknown_user_name_is_hidden_at_sign_in(lab, last_record):
    lab.console_login("my-password-by-mistake", success=False)

    assert "my-password" not in json.dumps(last_record("ConsoleLogin"))


def test_managed_policies_can_be_attached(client):
    iam = client("iam")
    iam.create_user(UserName="alice")
    iam.attach_user_policy(UserName="alice", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")

    attached = iam.list_attached_user_policies(UserName="alice")["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == ["AdministratorAccess"]


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("cloudtrail", "list_public_keys", {}),
        ("iam", "list_organizations_features", {}),
        ("guardduty", "list_coverage", {"DetectorId": "x"}),
        ("accessanalyzer", "list_analyzers", {}),
    ],
)
def test_what_the_lab_cannot_do_is_said_at_once_and_not_recorded(client, lab, capfd, service, operation, parameters):
    with pytest.raises(ClientError, match="the lab does not simulate") as caught:
        getattr(client(service, retries={"total_max_attempts": 5}), operation)(**parameters)

    assert caught.value.response["Error"]["Code"] == "NotSimulated"
    assert lab.recorder.records() == []
    assert len(lab.calls) == 1
    assert capfd.readouterr() == ("", "")


def test_many_clients_at_once_lose_nothing(client, lab):
    users = [client("iam") for _ in range(4)]
    trails = [client("cloudtrail") for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        made = [pool.submit(users[n % 4].create_user, UserName=f"user-{n}") for n in range(40)]
        asked = [pool.submit(trails[n % 4].lookup_events) for n in range(40)]
        assert all(one.result() for one in made + asked)

    names = [record["eventName"] for record in lab.recorder.records()]
    assert (names.count("CreateUser"), names.count("LookupEvents")) == (40, 40)
    assert len({record["eventID"] for record in lab.recorder.records()}) == 80
