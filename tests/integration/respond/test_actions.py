"""Each action in the lab: what it cuts off, what it leaves alone, and that undo puts everything back."""

import io
import json
import zipfile

import pytest
from botocore.exceptions import ClientError

from trailwatch.model.response import Target, TargetKind
from trailwatch.respond.actions.catalog import ACTIONS
from trailwatch.respond.apply import apply
from trailwatch.respond.policies import DENY_EVERYTHING
from trailwatch.respond.undo import undo

from .conftest import ACCOUNT, RESPONDER, key_of

ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
SOMETHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


def trust(*names):
    arns = [f"arn:aws:iam::{ACCOUNT}:{name}" for name in names]
    allow = {"Effect": "Allow", "Principal": {"AWS": arns}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [allow]})


def role(account, name, path="/"):
    made = account.admin.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=trust("root"))
    account.admin.attach_role_policy(RoleName=name, PolicyArn=ADMIN)
    return made["Role"]["Arn"]


def take(account, key, arn):
    return key_of(account.make("sts", key).assume_role(RoleArn=arn, RoleSessionName="shift")["Credentials"])


def refused(account, key, service="iam", operation="list_users"):
    try:
        getattr(account.make(service, key), operation)()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""


def tampering(account, name):
    """The newest record of a call, and what an action makes of it."""
    found = [one for one in account.lab.recorder.records() if one["eventName"].startswith(name)]
    return found[-1]


def applied_and_undone(account, *orders):
    """The plan; what it changed is put back exactly, and applying it twice changes nothing."""
    before = account.picture()
    plan = account.plan(*orders)
    outcome = apply(plan, account.tools(), "tester", "a test")
    assert (plan.problems, outcome.failed) == ((), ())
    yield plan
    picture = account.picture()
    assert picture != before
    assert apply(plan, account.tools(), "tester").calls == 0
    assert account.picture() == picture
    undone = undo(plan.id, account.tools(), "tester")
    assert (undone.conflicts, undone.failed) == ((), ())
    assert account.picture() == before


def test_revoking_cuts_sessions_that_were_issued_before_and_lets_new_ones_pass(account):
    arn = role(account, "ops", "/team/")
    held = take(account, account.lab.admin, arn)

    for _ in applied_and_undone(account, ("revoke-sessions", Target(TargetKind.ROLE, ACCOUNT, "ops"))):
        assert refused(account, held) == "AccessDenied"
        account.clock.sleep(61)
        assert refused(account, take(account, account.lab.admin, arn)) == ""

    assert refused(account, held) == ""


def test_sessions_that_are_issued_while_the_revocation_spreads_are_cut_too(account):
    arn = role(account, "ops")
    key = account.user("bob").access_key_id
    orders = (
        ("revoke-sessions", Target(TargetKind.ROLE, ACCOUNT, "ops")),
        ("deactivate-key", Target(TargetKind.KEY, ACCOUNT, key, of=(("user", "bob"),))),
    )
    other = key_of(account.admin.create_access_key(UserName="bob")["AccessKey"])

    for _ in applied_and_undone(account, *orders):
        account.clock.sleep(30)
        late = take(account, account.lab.admin, arn)
        token = key_of(account.make("sts", other).get_session_token()["Credentials"])
        account.clock.sleep(600)
        assert (refused(account, late), refused(account, token)) == ("AccessDenied", "AccessDenied")
        assert (refused(account, other), refused(account, take(account, account.lab.admin, arn))) == ("", "")


def test_a_policy_with_which_aws_revoked_sessions_before_stays(account):
    role(account, "ops")
    account.admin.put_role_policy(
        RoleName="ops", PolicyName="AWSRevokeOlderSessions", PolicyDocument=json.dumps(SOMETHING)
    )

    for plan in applied_and_undone(account, ("revoke-sessions", Target(TargetKind.ROLE, ACCOUNT, "ops"))):
        names = account.admin.list_role_policies(RoleName="ops")["PolicyNames"]
        assert sorted(names) == sorted(["AWSRevokeOlderSessions", f"trailwatch-revoke-{plan.id}"])


@pytest.mark.parametrize(
    ("name", "path", "words"),
    [
        ("AWSReservedSSO_Admin_0123456789abcdef", "/aws-reserved/sso.amazonaws.com/", "Identity Center"),
        ("AWSServiceRoleForSupport", "/aws-service-role/support.amazonaws.com/", "service control policy"),
    ],
)
def test_roles_that_aws_alone_can_change_are_left_alone_and_the_plan_says_what_to_do(account, name, path, words):
    role(account, name, path)
    of = (("path", path),)

    plan = account.plan(("revoke-sessions", Target(TargetKind.ROLE, ACCOUNT, name, of=of)))

    assert plan.steps == ()
    assert any(words in one for one in plan.cannot)
    assert account.plan(("revoke-sessions", Target(TargetKind.ROLE, ACCOUNT, name))).steps == ()


def test_a_key_is_deactivated_with_the_sessions_that_it_took_and_the_other_key_works_on(account):
    leaked = account.user("bob")
    other = key_of(account.admin.create_access_key(UserName="bob")["AccessKey"])
    session = key_of(account.make("sts", leaked).get_session_token()["Credentials"])
    target = Target(TargetKind.KEY, ACCOUNT, leaked.access_key_id, of=(("user", "bob"),))

    for _ in applied_and_undone(account, ("deactivate-key", target)):
        assert refused(account, leaked) == "InvalidClientTokenId"
        assert refused(account, session) == "AccessDenied"
        assert refused(account, other) == ""

    assert refused(account, leaked) == ""


def test_a_made_user_is_locked_with_its_key_and_its_password_stays(account):
    intruder = account.user("eve")
    iam = account.make("iam", intruder)
    iam.create_user(UserName="sync")
    created = tampering(account, "CreateUser")
    key = key_of(iam.create_access_key(UserName="sync")["AccessKey"])
    iam.create_login_profile(UserName="sync", Password="Invented-1234567")
    (target,) = ACTIONS["disable-user"].targets(created)
    (made_key,) = ACTIONS["disable-key"].targets(tampering(account, "CreateAccessKey"))

    assert target == Target(TargetKind.USER, ACCOUNT, "sync")
    for plan in applied_and_undone(account, ("disable-user", target), ("disable-key", made_key)):
        assert refused(account, key) == "InvalidClientTokenId"
        assert account.admin.get_login_profile(UserName="sync")
        assert [one.calls[0].operation for one in plan.steps if one.calls] == ["PutUserPolicy", "UpdateAccessKey"]


def test_credentials_that_were_made_are_switched_off_and_on_again(account):
    account.user("sync")
    account.admin.upload_ssh_public_key(UserName="sync", SSHPublicKeyBody="ssh-rsa AAAAB3NzaC1yc2E sync")
    (ssh,) = ACTIONS["disable-credential"].targets(tampering(account, "UploadSSHPublicKey"))
    account.admin.create_service_specific_credential(UserName="sync", ServiceName="codecommit.amazonaws.com")
    (service,) = ACTIONS["disable-credential"].targets(tampering(account, "CreateServiceSpecificCredential"))

    for _ in applied_and_undone(account, ("disable-credential", ssh), ("disable-credential", service)):
        (listed,) = account.admin.list_ssh_public_keys(UserName="sync")["SSHPublicKeys"]
        assert listed["Status"] == "Inactive"


@pytest.mark.parametrize("owner", ["user", "role", "group"])
def test_a_policy_that_was_attached_is_detached_and_an_inline_one_removed(account, owner):
    iam, name = account.admin, {f"{owner.capitalize()}Name": "owner"}
    more = {"AssumeRolePolicyDocument": trust("root")} if owner == "role" else {}
    getattr(iam, f"create_{owner}")(**name, **more)
    getattr(iam, f"attach_{owner}_policy")(**name, PolicyArn=ADMIN)
    (attached,) = ACTIONS["disable-policy"].targets(tampering(account, f"Attach{owner.capitalize()}Policy"))
    getattr(iam, f"put_{owner}_policy")(**name, PolicyName="sync", PolicyDocument=json.dumps(SOMETHING))
    (inline,) = ACTIONS["disable-policy"].targets(tampering(account, f"Put{owner.capitalize()}Policy"))

    for _ in applied_and_undone(account, ("disable-policy", attached), ("disable-policy", inline)):
        assert getattr(iam, f"list_attached_{owner}_policies")(**name)["AttachedPolicies"] == []
        assert getattr(iam, f"list_{owner}_policies")(**name)["PolicyNames"] == []


def test_what_holds_somebody_back_is_never_taken_away(account):
    account.user("bob")
    iam = account.admin
    iam.put_user_policy(UserName="bob", PolicyName="trailwatch-lock-1", PolicyDocument=json.dumps(DENY_EVERYTHING))
    mine = ACTIONS["disable-policy"].targets(tampering(account, "PutUserPolicy"))
    iam.attach_user_policy(UserName="bob", PolicyArn="arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3")
    of_aws = ACTIONS["disable-policy"].targets(tampering(account, "AttachUserPolicy"))

    assert (mine, of_aws) == ([], [])


def test_what_only_denies_by_now_stays(account):
    account.user("bob")
    iam = account.admin
    iam.put_user_policy(UserName="bob", PolicyName="more", PolicyDocument=json.dumps(SOMETHING))
    (target,) = ACTIONS["disable-policy"].targets(tampering(account, "PutUserPolicy"))
    iam.put_user_policy(UserName="bob", PolicyName="more", PolicyDocument=json.dumps(DENY_EVERYTHING))

    plan = account.plan(("disable-policy", target))

    assert (plan.steps, plan.cannot) == ((), ("policy more of user bob stays: it only denies",))


def test_a_back_door_under_the_name_of_what_holds_somebody_back_is_taken_away(account):
    account.user("bob")
    iam = account.admin
    iam.put_user_policy(UserName="bob", PolicyName="trailwatch-lock-1", PolicyDocument=json.dumps(SOMETHING))
    (inline,) = ACTIONS["disable-policy"].targets(tampering(account, "PutUserPolicy"))
    arn = iam.create_policy(PolicyName="AWSDenyAll", PolicyDocument=json.dumps(SOMETHING))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="bob", PolicyArn=arn)
    (attached,) = ACTIONS["disable-policy"].targets(tampering(account, "AttachUserPolicy"))

    apply(account.plan(("disable-policy", inline), ("disable-policy", attached)), account.tools(), "tester")

    left = iam.list_attached_user_policies(UserName="bob")["AttachedPolicies"]
    assert iam.list_user_policies(UserName="bob")["PolicyNames"] == []
    assert arn not in {one["PolicyArn"] for one in left}


@pytest.fixture
def function(account):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("f.py", "def handler(event, context): return 1")
    client = account.make("lambda")
    role = account.admin.create_role(RoleName="f", AssumeRolePolicyDocument=trust("root"))["Role"]["Arn"]
    client.create_function(
        FunctionName="orders",
        Runtime="python3.13",
        Role=role,
        Handler="f.handler",
        Code={"ZipFile": packed.getvalue()},
    )
    return client


@pytest.mark.parametrize(
    "more",
    [
        {"Principal": "*"},
        {"Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::b", "SourceAccount": ACCOUNT},
        {"Principal": "arn:aws:iam::999988887777:root"},
        {"Principal": "*", "PrincipalOrgID": "o-1234567890"},
    ],
    ids=["everybody", "a service", "an account", "an organisation"],
)
def test_a_permission_of_a_function_is_taken_away_and_made_again_word_for_word(account, function, more):
    asked = {"FunctionName": "orders", "StatementId": "sync", "Action": "lambda:InvokeFunction", **more}
    function.add_permission(**asked)
    before = json.loads(function.get_policy(FunctionName="orders")["Policy"])
    (target,) = ACTIONS["disable-function"].targets(tampering(account, "AddPermission"))
    plan = account.plan(("disable-function", target))

    apply(plan, account.tools(), "tester")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        function.get_policy(FunctionName="orders")
    undo(plan.id, account.tools(), "tester")

    assert json.loads(function.get_policy(FunctionName="orders")["Policy"]) == before


def test_an_open_function_url_asks_for_a_signature_and_keeps_its_name(account, function):
    made = function.create_function_url_config(FunctionName="orders", AuthType="NONE")
    (target,) = ACTIONS["disable-function"].targets(tampering(account, "CreateFunctionUrlConfig"))
    plan = account.plan(("disable-function", target))

    apply(plan, account.tools(), "tester")
    closed = function.get_function_url_config(FunctionName="orders")
    undo(plan.id, account.tools(), "tester")
    opened = function.get_function_url_config(FunctionName="orders")

    assert (closed["AuthType"], opened["AuthType"]) == ("AWS_IAM", "NONE")
    assert closed["FunctionUrl"] == opened["FunctionUrl"] == made["FunctionUrl"]


@pytest.fixture
def trail(account):
    account.make("s3").create_bucket(Bucket="logs-bucket")
    account.make("s3").create_bucket(Bucket="other-bucket")
    trails = account.make("cloudtrail")
    trails.create_trail(Name="main", S3BucketName="logs-bucket", IsMultiRegionTrail=True, S3KeyPrefix="a")
    trails.start_logging(Name="main")
    data = [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}]
    trails.put_event_selectors(TrailName="main", EventSelectors=[{"ReadWriteType": "All", "DataResources": data}])
    trails.put_insight_selectors(TrailName="main", InsightSelectors=[{"InsightType": "ApiCallRateInsight"}])
    return account.picture()["trails"]


def blind(account, name, **parameters):
    """An intruder's call on the trail, a second later; its target."""
    account.clock.sleep(1)
    if not hasattr(account, "eve"):
        account.eve = account.user("eve")
    operation = {"StopLogging": "stop_logging", "UpdateTrail": "update_trail"}.get(name)
    operation = operation or {"PutEventSelectors": "put_event_selectors"}.get(name, "put_insight_selectors")
    getattr(account.make("cloudtrail", account.eve), operation)(**parameters)
    record = tampering(account, name)
    (target,) = ACTIONS["restore-logging"].targets(record)
    return Target(target.kind, target.account, target.name, target.region, target.of, json.dumps(record).encode())


def test_a_blinded_trail_logs_again_with_the_settings_that_somebody_else_gave_it(account, trail):
    orders = [
        blind(account, "UpdateTrail", Name="main", S3BucketName="other-bucket", IsMultiRegionTrail=False),
        blind(account, "PutEventSelectors", TrailName="main", EventSelectors=[{"ReadWriteType": "ReadOnly"}]),
        blind(account, "PutInsightSelectors", TrailName="main", InsightSelectors=[]),
        blind(account, "StopLogging", Name="main"),
    ]
    assert account.picture()["trails"] != trail

    for plan in applied_and_undone(account, *(("restore-logging", target) for target in orders)):
        assert account.picture()["trails"] == trail
        assert sum("CreateTrail by user lab-admin" in step.does for step in plan.steps) == 1
        assert sum("PutEventSelectors by user lab-admin" in step.does for step in plan.steps) == 1


@pytest.mark.usefixtures("trail")
def test_settings_of_a_trail_that_nobody_knows_stay_and_the_plan_says_so(account):
    target = blind(account, "UpdateTrail", Name="main", S3BucketName="other-bucket")
    account.lab.recorder.clear()

    plan = account.plan(("restore-logging", target))

    assert [step.lever for step in plan.steps] == ["trail-logging"]
    assert any("no earlier call that set them is known" in one for one in plan.cannot)


def test_what_cannot_be_taken_back_is_marked_done_once_and_left_by_undo(account):
    account.user("bob")
    iam = account.admin
    iam.create_login_profile(UserName="bob", Password="Invented-1234567")
    serial = iam.create_virtual_mfa_device(VirtualMFADeviceName="foreign")["VirtualMFADevice"]["SerialNumber"]
    iam.enable_mfa_device(
        UserName="bob", SerialNumber=serial, AuthenticationCode1="123456", AuthenticationCode2="234567"
    )
    bob = Target(TargetKind.USER, ACCOUNT, "bob")
    device = Target(TargetKind.USER, ACCOUNT, "bob", of=(("device", serial),))

    plan = account.plan(("reset-password", bob), ("remove-mfa", device))
    first, again = (apply(plan, account.tools(), "tester") for _ in range(2))
    undone = undo(plan.id, account.tools(), "tester")

    assert [step.reversible for step in plan.steps] == [False, False]
    assert (first.calls, again.calls, undone.calls) == (2, 0, 0)
    assert len(undone.stays) == 2
    assert iam.list_mfa_devices(UserName="bob")["MFADevices"] == []
    assert "Password" in str(account.store.responses.entries(plan.id))
    assert all(
        entry.content["call"]["parameters"].get("Password", "").startswith("<a random")
        for entry in account.store.responses.entries(plan.id)
        if entry.content.get("call", {}).get("operation") == "UpdateLoginProfile"
    )


def test_the_responder_never_locks_itself_out(account):
    plan = account.plan(("lock-user", Target(TargetKind.USER, ACCOUNT, RESPONDER)))

    assert plan.steps == ()
    assert any("would lock itself out" in one for one in plan.cannot)


def test_an_account_that_the_credentials_do_not_belong_to_is_never_touched(account):
    plan = account.plan(("lock-user", Target(TargetKind.USER, "999988887777", "bob")))

    assert plan.steps == ()
    assert any("[[respond.account]]" in one for one in plan.problems)
