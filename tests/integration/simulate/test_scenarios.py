from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trailwatch.clock import SystemClock
from trailwatch.errors import SourceError, UsageError
from trailwatch.lab.limits import Limits
from trailwatch.lab.server import Lab
from trailwatch.simulate.company import found
from trailwatch.simulate.intruder import ADDRESS, BACK_DOOR, Loot, break_in
from trailwatch.simulate.ordinary import work
from trailwatch.simulate.stage import Stage, is_loopback, open_stage


def play(lab: Lab, seed: int) -> tuple[Stage, Loot]:
    stage, administrator = open_stage(lab.environment(), clock=SystemClock(), chance=random.Random(seed))
    company = found(stage, administrator)
    work(stage, company, rounds=1)
    loot = break_in(stage, company)
    stage.close()
    return stage, loot


@pytest.fixture(scope="module")
def told() -> tuple[Stage, Loot, list[dict[str, Any]]]:
    with Lab(limits=Limits(lookup_rate=None)) as lab:
        stage, loot = play(lab, 3)
        return stage, loot, [dict(record) for record in lab.recorder.records()]


def test_the_attack_leaves_the_trail_that_rules_look_for(told):
    _, loot, records = told
    by_intruder = {record["eventName"] for record in records if record["sourceIPAddress"] == ADDRESS}

    assert {
        "GetCallerIdentity",
        "GetSecretValue",
        "BatchGetSecretValue",
        "CreateUser",
        "AttachUserPolicy",
        "CreateAccessKey",
        "CreateLoginProfile",
        "ConsoleLogin",
        "AssumeRole",
        "StopLogging",
        "AuthorizeSecurityGroupIngress",
        "ModifySnapshotAttribute",
        "PutBucketPolicy",
        "AddPermission20150331v2",
        "RunInstances",
    } <= by_intruder
    assert loot.secrets == 3


def test_every_step_works_but_the_one_that_is_meant_to_fail(told):
    stage, _, _ = told

    assert {(step.what, step.outcome) for step in stage.script if step.outcome != "ok"} == {
        ("iam:get_role", "NoSuchEntity")
    }


def test_the_back_door_leads_from_the_leaked_key_to_the_administrators_role(told):
    _, _, records = told
    first = next(r for r in records if r["eventName"] == "CreateUser" and BACK_DOOR in str(r["requestParameters"]))
    stop = next(r for r in records if r["eventName"] == "StopLogging")

    assert first["userIdentity"]["userName"] == "dana"
    assert stop["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"] == "org-admin"


def test_nobody_at_work_uses_the_intruders_address(told):
    stage, _, records = told
    workers = {step.who for step in stage.script if "intruder" not in step.who}
    quiet = {r["eventName"] for r in records if r["sourceIPAddress"].startswith("198.51.100.")}

    assert {"omar", "dana", "ci-pipeline", "ci-pipeline as deploy"} <= workers
    assert "StopLogging" not in quiet
    assert "UpdateFunctionCode20150331v2" in quiet


def test_the_same_seed_tells_the_same_story(told):
    stage, _, _ = told
    with Lab(limits=Limits(lookup_rate=None)) as lab:
        again, _ = play(lab, 3)

    assert again.script == stage.script


@pytest.mark.parametrize(
    "endpoint", ["", "https://iam.amazonaws.com", "http://10.0.0.5:5000", "http://127.0.0.1.example.com"]
)
def test_scenarios_refuse_what_is_not_on_this_machine(endpoint):
    environment = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x"}

    with pytest.raises(UsageError, match="not on loopback") as caught:
        open_stage(environment, clock=SystemClock(), chance=random.Random(0))
    assert caught.value.exit_code == 2
    assert open_stage(environment, clock=SystemClock(), chance=random.Random(0), real=True)


def test_nobody_signs_in_to_a_real_console():
    environment = {
        "AWS_ENDPOINT_URL": "https://aws.example.com",
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    stage, administrator = open_stage(environment, clock=SystemClock(), chance=random.Random(0), real=True)
    stage.sign_in(administrator, "alice", mfa=False)

    assert [step.outcome for step in stage.script] == ["left out"]


def test_a_proxy_in_the_environment_is_not_asked_for_loopback(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with Lab() as lab:
        stage, administrator = open_stage(lab.environment(), clock=SystemClock(), chance=random.Random(0))
        stage.do(administrator, "sts", "get_caller_identity")
        stage.sign_in(administrator, "root", mfa=True)
        stage.close()

    assert [step.outcome for step in stage.script] == ["ok", "ok"]


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4000", "http://localhost:4000", "http://[::1]:4000"])
def test_addresses_of_this_machine_are_known(endpoint):
    assert is_loopback(endpoint)


def test_a_lab_that_is_gone_is_said_so():
    environment = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    stage, administrator = open_stage(environment, clock=SystemClock(), chance=random.Random(0))

    with pytest.raises(SourceError, match="is the lab still running"):
        stage.do(administrator, "sts", "get_caller_identity")


def test_requests_are_recorded_with_the_keys_of_recorded_ones(told):
    folder = Path(__file__).parents[4] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the recorded events are not at hand")
    known = keys_of_requests(folder)
    _, _, records = told
    strange = {}
    compared = set()
    for record in records:
        name = record["eventName"]
        if name in known and "errorCode" not in record:
            compared.add(name)
            more = set(record["requestParameters"] or ()) - known[name] - OPTIONAL.get(name, set())
            strange |= {name: more} if more else {}

    assert strange == {}
    assert len(compared) > 25


# Optional parameters that nobody used in the recorded calls.
OPTIONAL = {"CreateVolume": {"volumeType"}, "CreateSnapshot": {"description"}}


def keys_of_requests(folder: Path) -> dict[str, set[str]]:
    known: dict[str, set[str]] = {}
    for path in folder.glob("*/**/*.jsonl.gz"):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            try:
                record = msgspec.json.decode(line)
            except msgspec.DecodeError:
                continue
            if isinstance(record, dict) and isinstance(record.get("requestParameters"), dict):
                known.setdefault(record.get("eventName", ""), set()).update(record["requestParameters"])
    return known
