"""What is declared is what is called: nothing less, nothing more."""

import datetime as dt
import io
import json
import zipfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from trailwatch.cli.iam import actions_of, named_of
from trailwatch.config.automatic import AutomaticPlaybook, AutomaticSettings
from trailwatch.config.schema import Config, Responder, RespondSettings
from trailwatch.model.response import Target, TargetKind
from trailwatch.respond.actions.catalog import ACTIONS
from trailwatch.respond.apply import apply
from trailwatch.respond.grants import policy
from trailwatch.respond.held import PERMISSIONS, held_of
from trailwatch.respond.records import event_name
from trailwatch.respond.undo import undo

from .conftest import ACCOUNT, RESPONDER

LONGEST_POLICY = 6144
"""Characters of a managed policy, as AWS counts them."""
ASKED_BY_AWS = {"iam:PassRole"}
"""UpdateTrail with a role for CloudWatch Logs asks AWS for it; it is no call."""
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
SOMETHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
LONG = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{'x' * 50}{n}" for n in range(28)]}
    ],
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}


def test_every_call_is_declared_and_every_declared_permission_is_used(account):
    orders = [*users(account), *policies(account), *functions(account), *trails(account), *final(account)]
    account.lab.recorder.add_many([])
    plan = account.plan(*orders)
    held_of(Target(TargetKind.USER, ACCOUNT, "ulla"), account.cloud)
    held_of(Target(TargetKind.ROLE, ACCOUNT, "ops"), account.cloud)

    outcome = apply(plan, account.tools(), "tester")
    undone = undo(plan.id, account.tools(), "tester")

    assert (plan.problems, outcome.failed, undone.failed, undone.conflicts) == ((), (), (), ())
    declared = {*PERMISSIONS, *(one for action in ACTIONS.values() for one in action.permissions)}
    assert seen(account) == declared - ASKED_BY_AWS
    assert actions_of("respond", Config()) == declared


def seen(account):
    """Every call by the responder, as IAM names it."""
    records = [one for one in account.lab.recorder.records() if one["userIdentity"].get("userName") == RESPONDER]
    assert not [one for one in records if "AccessDenied" in one.get("errorCode", "")]
    calls = {f"{one['eventSource'].partition('.')[0]}:{event_name(one)}" for one in records}
    return calls - {"sts:GetCallerIdentity"}


def users(account):
    """One with everything that signs, one without room for a policy, one whose key leaked, and a role."""
    iam = account.admin
    account.user("ulla")
    iam.put_user_policy(UserName="ulla", PolicyName="own", PolicyDocument=json.dumps(SOMETHING))
    iam.create_login_profile(UserName="ulla", Password="Invented-1234567")
    iam.upload_ssh_public_key(UserName="ulla", SSHPublicKeyBody="ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCq ulla")
    iam.upload_signing_certificate(UserName="ulla", CertificateBody=certificate())
    iam.create_service_specific_credential(UserName="ulla", ServiceName="codecommit.amazonaws.com")
    account.user("full")
    iam.put_user_policy(UserName="full", PolicyName="long", PolicyDocument=json.dumps(LONG))
    leaked = account.user("lena").access_key_id
    iam.create_role(RoleName="ops", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName="ops", PolicyName="own", PolicyDocument=json.dumps(SOMETHING))
    yield "lock-user", Target(TargetKind.USER, ACCOUNT, "ulla")
    yield "disable-user", Target(TargetKind.USER, ACCOUNT, "full")
    yield "deactivate-key", Target(TargetKind.KEY, ACCOUNT, leaked)
    yield "revoke-sessions", Target(TargetKind.ROLE, ACCOUNT, "ops")


def policies(account):
    for owner in ("user", "role", "group"):
        kind, name = owner.capitalize(), f"{owner}-of-policies"
        more = {"AssumeRolePolicyDocument": json.dumps(TRUST)} if owner == "role" else {}
        getattr(account.admin, f"create_{owner}")(**{f"{kind}Name": name}, **more)
        getattr(account.admin, f"attach_{owner}_policy")(**{f"{kind}Name": name}, PolicyArn=ADMIN)
        document = json.dumps(SOMETHING)
        getattr(account.admin, f"put_{owner}_policy")(
            **{f"{kind}Name": name}, PolicyName="sync", PolicyDocument=document
        )
        for given in (ADMIN, "sync"):
            yield "disable-policy", Target(TargetKind.POLICY, ACCOUNT, given, of=(("owner", owner), (owner, name)))


def functions(account):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("f.py", "def handler(event, context): return 1")
    client = account.make("lambda")
    code = {"ZipFile": packed.getvalue()}
    arn = account.admin.get_role(RoleName="ops")["Role"]["Arn"]
    client.create_function(FunctionName="f", Runtime="python3.13", Role=arn, Handler="f.handler", Code=code)
    client.add_permission(FunctionName="f", StatementId="sync", Action="lambda:InvokeFunction", Principal="*")
    client.create_function_url_config(FunctionName="f", AuthType="NONE")
    yield "disable-function", Target(TargetKind.FUNCTION, ACCOUNT, "f", "us-east-1", (("statement", "sync"),))
    yield "disable-function", Target(TargetKind.FUNCTION, ACCOUNT, "f", "us-east-1")


def trails(account):
    account.make("s3").create_bucket(Bucket="logs-bucket")
    account.make("s3").create_bucket(Bucket="other-bucket")
    client = account.make("cloudtrail")
    client.create_trail(Name="main", S3BucketName="logs-bucket")
    account.clock.sleep(1)
    intruder = account.make("cloudtrail", account.user("eve"))
    intruder.update_trail(Name="main", S3BucketName="other-bucket")
    intruder.put_event_selectors(TrailName="main", EventSelectors=[{"ReadWriteType": "ReadOnly"}])
    intruder.put_insight_selectors(TrailName="main", InsightSelectors=[{"InsightType": "ApiCallRateInsight"}])
    for record in account.lab.recorder.records():
        if record["userIdentity"].get("userName") == "eve":
            for one in ACTIONS["restore-logging"].targets(record):
                evidence = json.dumps(record).encode()
                yield "restore-logging", Target(one.kind, one.account, one.name, one.region, one.of, evidence)


def final(account):
    iam = account.admin
    serial = iam.create_virtual_mfa_device(VirtualMFADeviceName="foreign")["VirtualMFADevice"]["SerialNumber"]
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "234567"}
    iam.enable_mfa_device(UserName="ulla", SerialNumber=serial, **codes)
    yield "reset-password", Target(TargetKind.USER, ACCOUNT, "ulla")
    yield "remove-mfa", Target(TargetKind.USER, ACCOUNT, "ulla", of=(("device", serial),))


def certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ulla")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def test_who_acts_by_itself_needs_the_rights_unless_a_responder_has_them():
    automatic = AutomaticSettings(playbooks={"lock-user": AutomaticPlaybook()})
    responder = Responder(id=ACCOUNT, role_arn=f"arn:aws:iam::{ACCOUNT}:role/responder")
    alone = Config(respond=RespondSettings(automatic=automatic))
    shared = Config(respond=RespondSettings(automatic=automatic, account=(responder,)))

    assert actions_of("respond", alone) < actions_of("watch", alone)
    assert actions_of("watch", shared) == {"cloudtrail:LookupEvents", "ec2:DescribeRegions"}
    assert named_of("watch", shared)["sts:AssumeRole"] == [responder.role_arn]
    assert named_of("watch", Config(respond=RespondSettings(account=(responder,))))["sts:AssumeRole"] == []


def test_no_statement_of_the_responders_policy_has_room_for_more_than_it_says():
    printed = policy(actions_of("respond", Config()), "aws-us-gov")

    assert {one["Effect"] for one in printed["Statement"]} == {"Allow"}
    assert [one["Action"] for one in printed["Statement"] if one["Resource"] == "*"] == [["iam:GetAccessKeyLastUsed"]]
    assert not [action for one in printed["Statement"] for action in one["Action"] if "*" in action]
    assert all(
        one["Resource"].startswith("arn:aws-us-gov:") for one in printed["Statement"] if one["Resource"] != "*"
    )
    assert len(json.dumps(printed, separators=(",", ":"))) < LONGEST_POLICY
