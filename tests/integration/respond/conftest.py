"""A lab with its authoriser, a responder who has only the declared permissions, and a journal in a real file."""

import json
from datetime import UTC, datetime

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.loaders import Loader

from trailwatch.errors import ActionError
from trailwatch.lab.accounts import Key
from trailwatch.lab.limits import Limits
from trailwatch.lab.server import FIRST_ACCOUNT, Lab
from trailwatch.respond.actions.catalog import ACTIONS
from trailwatch.respond.apply import Equipment
from trailwatch.respond.choose import Chosen, Order
from trailwatch.respond.cloud import AwsCloud
from trailwatch.respond.grants import policy
from trailwatch.respond.plan import Drafting, make_plan
from trailwatch.testing import FixedClock

ACCOUNT = FIRST_ACCOUNT
LOADER = Loader()
RESPONDER = "trailwatch-responder"


class Known:
    """Events of the lab's own recorder, the newest first; `trailwatch.ports.Past`."""

    def __init__(self, lab):
        self._lab = lab

    def events(self, account, names):
        found = [one for one in self._lab.recorder.records(account) if one["eventName"] in names]
        return sorted(
            (one for one in found if "errorCode" not in one), key=lambda one: one["eventTime"], reverse=True
        )


class LabAccess:
    """Clients of the lab, as `trailwatch.aws.Access` makes them."""

    default_region = "us-east-1"

    def __init__(self, make, key):
        self._make = make
        self._key = key

    def client(self, service, region):
        return self._make(service, self._key, region)


class Account:
    """What a test does with the lab: calls as anybody, plans, applies, undoes, and takes pictures."""

    def __init__(self, lab, make, store, clock):
        self.lab, self.make, self.store, self.clock = lab, make, store, clock
        self.admin = make("iam")
        self.responder = self._responder()
        self.cloud = AwsCloud({}, LabAccess(make, self.responder), clock)
        self.past = Known(lab)

    def _responder(self):
        self.admin.create_user(UserName=RESPONDER)
        needed = {one for action in ACTIONS.values() for one in action.permissions}
        document = json.dumps(policy(needed), separators=(",", ":"))
        arn = self.admin.create_policy(PolicyName="respond", PolicyDocument=document)["Policy"]["Arn"]
        self.admin.attach_user_policy(UserName=RESPONDER, PolicyArn=arn)
        return key_of(self.admin.create_access_key(UserName=RESPONDER)["AccessKey"])

    def user(self, name, *policies, path="/"):
        """A user with administrator rights; its key."""
        self.admin.create_user(UserName=name, Path=path)
        for arn in policies or ("arn:aws:iam::aws:policy/AdministratorAccess",):
            self.admin.attach_user_policy(UserName=name, PolicyArn=arn)
        return key_of(self.admin.create_access_key(UserName=name)["AccessKey"])

    def plan(self, *orders, cause="a test"):
        """A plan for (action, target) pairs."""
        chosen = Chosen(tuple(Order(action, target) for action, target in orders))
        return make_plan(cause, chosen, Drafting(ACTIONS, self.cloud, self.past), int(self.clock.now().timestamp()))

    def tools(self, **more):
        more = {"margin_seconds": 60.0, "cloud": self.cloud, "journal": self.store.responses, **more}
        return Equipment(actions=ACTIONS, clock=self.clock, **more)

    def picture(self):
        """Everything that IAM and the trails show, in an order that never changes."""
        details = self.admin.get_account_authorization_details()
        shown = {name: details[name] for name in ("UserDetailList", "GroupDetailList", "RoleDetailList")}
        for user in shown["UserDetailList"]:
            name = user["UserName"]
            listed = self.admin.list_access_keys(UserName=name)["AccessKeyMetadata"]
            user["keys"] = sorted((one["AccessKeyId"], one["Status"]) for one in listed)
            listed = self.admin.list_ssh_public_keys(UserName=name)["SSHPublicKeys"]
            user["ssh"] = sorted((one["SSHPublicKeyId"], one["Status"]) for one in listed)
            listed = self.admin.list_signing_certificates(UserName=name)["Certificates"]
            user["certificates"] = sorted((one["CertificateId"], one["Status"]) for one in listed)
            listed = self.admin.list_service_specific_credentials(UserName=name)["ServiceSpecificCredentials"]
            user["services"] = sorted((one["ServiceSpecificCredentialId"], one["Status"]) for one in listed)
        for role in shown["RoleDetailList"]:
            role.pop("RoleLastUsed", None)
        trails = self.make("cloudtrail")
        shown["trails"] = [self._trail(trails, one) for one in trails.describe_trails()["trailList"]]
        return json.loads(json.dumps(shown, default=str, sort_keys=True))

    def _trail(self, trails, trail):
        name = trail["Name"]
        selected = trails.get_event_selectors(TrailName=name)
        selected.pop("ResponseMetadata")
        try:
            insights = trails.get_insight_selectors(TrailName=name)["InsightSelectors"]
        except trails.exceptions.InsightNotEnabledException:
            insights = []
        return {**trail, **selected, "insights": insights, "logs": trails.get_trail_status(Name=name)["IsLogging"]}


def key_of(answer):
    return Key(answer["AccessKeyId"], answer["SecretAccessKey"], answer.get("SessionToken", ""))


class Dying:
    """A cloud that dies at its n-th change: before the call goes out, or when the answer is on its way."""

    def __init__(self, cloud, at, *, arrives):
        self._cloud, self._left, self._arrives = cloud, at, arrives

    def identity(self, account):
        return self._cloud.identity(account)

    def call(self, call):
        if not call.operation.startswith(("Get", "List")):
            self._left -= 1
            if self._left == 0:
                if self._arrives:
                    self._cloud.call(call)
                raise KeyboardInterrupt
        return self._cloud.call(call)


class Refusing:
    """A cloud that refuses some operations."""

    def __init__(self, cloud, *operations):
        self._cloud, self._operations = cloud, operations

    def identity(self, account):
        return self._cloud.identity(account)

    def call(self, call):
        if call.operation in self._operations:
            raise ActionError(call.title, "AccessDenied: no", code="AccessDenied")
        return self._cloud.call(call)


@pytest.fixture
def clock():
    """Begins at the machine's time, so that nobody sleeps."""
    return FixedClock(datetime.now(UTC))


@pytest.fixture
def lab(clock):
    with Lab(limits=Limits(lookup_rate=None), seed=7, clock=clock) as running:
        yield running


@pytest.fixture
def make(lab):
    """Makes clients of the running lab, without retries; each key's clients once."""
    made = {}

    def client(service, key=None, region="us-east-1"):
        key = key or lab.admin
        if (service, key, region) not in made:
            core = botocore.session.Session()
            core.register_component("data_loader", LOADER)
            session = boto3.Session(
                key.access_key_id,
                key.secret_access_key,
                key.session_token or None,
                region_name=region,
                botocore_session=core,
            )
            config = Config(retries={"total_max_attempts": 1}, inject_host_prefix=False)
            made[service, key, region] = session.client(service, endpoint_url=lab.url, config=config)
        return made[service, key, region]

    yield client
    for one in made.values():
        one.close()


@pytest.fixture
def account(lab, make, store, clock):
    return Account(lab, make, store, clock)
