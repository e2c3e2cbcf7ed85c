"""An intruder in the lab: found by `check`, locked out by `respond apply`, and everything undone exactly."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader

from trailwatch.lab.accounts import Key
from trailwatch.lab.faults import Cut
from trailwatch.lab.limits import Limits
from trailwatch.lab.server import FIRST_ACCOUNT, Lab

TRAILWATCH = str(Path(sys.executable).with_name("trailwatch"))
LOADER = Loader()
ADMIN_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{FIRST_ACCOUNT}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
BACK_DOOR = "support-sync"


class Story:
    """A lab, trailwatch's own home, and everybody's clients."""

    def __init__(self, lab, home):
        self.lab, self.home = lab, home
        self._made = {}
        self._keys = {}
        home.joinpath("trailwatch.toml").write_text('[check]\nregions = ["us-east-1"]\n[respond]\nrecheck = "0s"\n')
        self.iam, self.trails = self.client("iam"), self.client("cloudtrail")

    def client(self, service, key=None):
        key = key or self.lab.admin
        if (service, key) not in self._made:
            core = botocore.session.Session()
            core.register_component("data_loader", LOADER)
            session = boto3.Session(
                key.access_key_id,
                key.secret_access_key,
                key.session_token or None,
                region_name="us-east-1",
                botocore_session=core,
            )
            config = Config(retries={"total_max_attempts": 1}, inject_host_prefix=False)
            self._made[service, key] = session.client(service, endpoint_url=self.lab.url, config=config)
        return self._made[service, key]

    def close(self):
        for one in self._made.values():
            one.close()

    def run(self, *words, as_mode="respond", code=0):
        """A command with the rights that `trailwatch iam policy` prints for a mode, and no others."""
        done = self._run(self._key(as_mode), *words)
        assert done.returncode == code, done.stderr + done.stdout
        return done

    def start(self, *words, as_mode="respond"):
        """The same as a process that can be killed."""
        return self._start(self._key(as_mode), *words)

    def _run(self, key, *words):
        process = self._start(key, *words)
        out, told = process.communicate()
        return subprocess.CompletedProcess(words, process.returncode, out, told)

    def _start(self, key, *words):
        known = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TRAILWATCH_"))}
        return subprocess.Popen(
            [TRAILWATCH, "--config", str(self.home / "trailwatch.toml"), *words],
            env={**known, **self.lab.environment(key), "HOME": str(self.home), "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def _key(self, mode):
        if mode not in self._keys:
            name = f"trailwatch-{mode}"
            self.iam.create_user(UserName=name)
            printed = self._run(self.lab.admin, "iam", "policy", mode).stdout
            arn = self.iam.create_policy(PolicyName=name, PolicyDocument=printed)["Policy"]["Arn"]
            self.iam.attach_user_policy(UserName=name, PolicyArn=arn)
            self._keys[mode] = key_of(self.iam.create_access_key(UserName=name)["AccessKey"])
        return self._keys[mode]

    def called(self, mode):
        """Every call that was made with the rights of a mode, as IAM names it; none was denied."""
        name = f"trailwatch-{mode}"
        made = [one for one in self.lab.recorder.records() if one["userIdentity"].get("userName") == name]
        assert not [one for one in made if "errorCode" in one and "Denied" in one["errorCode"]]
        return {f"{one['eventSource'].partition('.')[0]}:{one['eventName']}" for one in made}

    def picture(self):
        """Authorisation details, credentials and trails, without what is no setting."""
        details = self.iam.get_account_authorization_details()
        shown = {name: details[name] for name in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")}
        for user in shown["UserDetailList"]:
            listed = self.iam.list_access_keys(UserName=user["UserName"])["AccessKeyMetadata"]
            user["keys"] = {one["AccessKeyId"]: one["Status"] for one in listed}
        for role in shown["RoleDetailList"]:
            role.pop("RoleLastUsed", None)
        for trail in self.trails.describe_trails()["trailList"]:
            selected = self.trails.get_event_selectors(TrailName=trail["Name"])
            logs = self.trails.get_trail_status(Name=trail["Name"])["IsLogging"]
            shown[trail["Name"]] = {**trail, "selected": selected["EventSelectors"], "logs": logs}
        return json.loads(json.dumps(shown, default=str, sort_keys=True))


class Killing:
    """Kills a process with the very call that it makes, before or after AWS has carried it out."""

    def __init__(self, operation, *, arrives):
        self.operation, self.arrives, self.process = operation, arrives, None

    def strike(self, call, _chance, _clock):
        if call.operation == self.operation and self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            if not self.arrives:
                raise Cut


def key_of(answer):
    return Key(answer["AccessKeyId"], answer["SecretAccessKey"], answer.get("SessionToken", ""))


@pytest.fixture
def story(tmp_path):
    with Lab(limits=Limits(lookup_rate=None), seed=3) as lab:
        told = Story(lab, tmp_path)
        yield told
        told.close()


def move_in(story):
    """The company: a developer with too many rights, two roles, and a trail."""
    story.iam.create_user(UserName="dana", Path="/people/")
    story.iam.attach_user_policy(UserName="dana", PolicyArn=ADMIN_POLICY)
    for role in ("org-admin", "deploy"):
        story.iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
        story.iam.attach_role_policy(RoleName=role, PolicyArn=ADMIN_POLICY)
    story.client("s3").create_bucket(Bucket="harbour-trail")
    story.trails.create_trail(Name="main", S3BucketName="harbour-trail", IsMultiRegionTrail=True)
    story.trails.start_logging(Name="main")
    key = key_of(story.iam.create_access_key(UserName="dana")["AccessKey"])
    # people were there long before: event history has only what was done to the trail
    kept = [one for one in story.lab.recorder.records() if one["eventSource"] == "cloudtrail.amazonaws.com"]
    story.lab.recorder.clear()
    story.lab.recorder.add_many(kept)
    return key


def break_in(story, leaked):
    """A back-door user and key, a role taken with it, another taken from there, and a trail that is blind."""
    iam = story.client("iam", leaked)
    iam.create_user(UserName=BACK_DOOR)
    iam.attach_user_policy(UserName=BACK_DOOR, PolicyArn=ADMIN_POLICY)
    back_door = key_of(iam.create_access_key(UserName=BACK_DOOR)["AccessKey"])
    admin = take(story, back_door, "org-admin")
    deploy = take(story, admin, "deploy")
    trails = story.client("cloudtrail", deploy)
    trails.put_event_selectors(
        TrailName="main", EventSelectors=[{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}]
    )
    trails.stop_logging(Name="main")
    return {"back door": back_door, "admin": admin, "deploy": deploy}


def take(story, key, role):
    arn = f"arn:aws:iam::{FIRST_ACCOUNT}:role/{role}"
    answer = story.client("sts", key).assume_role(RoleArn=arn, RoleSessionName="maintenance")
    return key_of(answer["Credentials"])


def refused(story, key):
    """What AWS says to a call with this key; empty where it lets it pass."""
    try:
        story.client("iam", key).list_users()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""


def incident_of(story, text):
    listed = story.run("incidents", "list", "--format", "jsonl").stdout
    return next(one for one in map(json.loads, listed.splitlines()) if text in one["actor"])


def test_an_intruder_is_found_locked_out_and_everything_is_undone_exactly(story):
    leaked = move_in(story)
    story.run("check", as_mode="check")
    held = break_in(story, leaked)
    story.run("check", "--all-events", as_mode="check")
    incident = incident_of(story, "dana")["incident"]
    before = story.picture()

    planned = json.loads(story.run("respond", "plan", incident, "--format", "json").stdout)
    applied = story.run("respond", "apply", incident, "--yes", "--why", "a break-in")

    assert story.called("check") - {"sts:GetCallerIdentity"} == {"cloudtrail:LookupEvents"}
    assert all(refused(story, key) for key in held.values()), applied.stderr
    assert refused(story, leaked) == "InvalidClientTokenId"
    assert story.trails.get_trail_status(Name="main")["IsLogging"]
    assert story.picture()["main"]["selected"][0]["ReadWriteType"] == "All"
    assert {"iam:PutUserPolicy", "iam:UpdateAccessKey", "iam:PutRolePolicy", "cloudtrail:StartLogging"} <= {
        call["call"] for step in planned["steps"] for call in step["calls"]
    }

    (plan,) = map(json.loads, story.run("respond", "status", "--format", "json").stdout.splitlines())
    after = story.picture()
    again = story.run("respond", "apply", plan["plan"], "--yes")
    assert ("0 calls" in again.stdout, story.picture() == after) == (True, True)

    story.run("respond", "undo", plan["plan"], "--yes")

    assert story.picture() == before
    assert not any(refused(story, key) for key in (leaked, *held.values()))


@pytest.mark.parametrize("arrives", [False, True], ids=["before AWS got the call", "before the answer came"])
def test_a_process_that_is_killed_at_a_call_is_gone_on_with_and_undone(story, arrives):
    leaked = move_in(story)
    story.run("respond", "plan", "user/dana")
    before = story.picture()
    fault = story.lab.faults.add(Killing("UpdateAccessKey", arrives=arrives))
    process = fault.process = story.start("respond", "apply", "user/dana", "--yes")
    process.communicate()

    assert process.returncode == -signal.SIGKILL
    (cut_off,) = map(json.loads, story.run("respond", "status", "--format", "json").stdout.splitlines())
    assert cut_off["standing"] == "cut off"
    story.run("respond", "apply", cut_off["plan"], "--yes")
    assert refused(story, leaked)
    assert json.loads(story.run("respond", "status", "--format", "json").stdout)["standing"] == "applied"
    story.run("respond", "undo", cut_off["plan"], "--yes")
    assert story.picture() == before
