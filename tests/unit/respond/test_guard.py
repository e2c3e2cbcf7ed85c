"""Nobody who can only make calls that fail, or choose names, gets anybody locked out."""

import msgspec
import pytest

from trailwatch.config.automatic import AutomaticPlaybook, AutomaticSettings
from trailwatch.detect.findings import match_of
from trailwatch.detect.incidents import incident_of
from trailwatch.model.provenance import Provenance
from trailwatch.model.response import Target, TargetKind
from trailwatch.model.severity import Severity
from trailwatch.respond.guard import HIDDEN, Held, distrust, protection, subject_of, ungrounded
from trailwatch.respond.sieve import Candidate
from trailwatch.store.database import Database
from trailwatch.store.store import Store
from trailwatch.testing import ACCOUNT, FixedClock, event

from .automatic_parts import NOW, Account, alert_of, automatic, by_role, by_user, candidate

SETTINGS = AutomaticSettings(
    playbooks={"all": AutomaticPlaybook(min_severity=Severity.LOW, min_score=0)}, per_hour=99
)
HISTORY = Provenance.EVENT_HISTORY
ELSEWHERE = "999988887777"


@pytest.fixture
def store():
    with Store(Database(":memory:")) as opened:
        yield opened


@pytest.fixture
def account():
    return Account(users=["dora", "victim", "admin"], roles=["admin", "deploy", "victim"])


@pytest.fixture
def locked_by(store, account):
    """Who is locked when these records are the events of a critical alert."""

    def run(*records, way=HISTORY, settings=SETTINGS):
        automatic(store, account, settings, FixedClock()).consider(candidate(alert_of(*records), way=way))
        return account.locked

    return run


def sign_in(user="victim", answer="Failure", **more):
    record = by_user("ConsoleLogin", user, responseElements={"ConsoleLogin": answer}, **more)
    record["userIdentity"].pop("accessKeyId")
    return record


def foreign(record):
    """The same call by somebody of another account."""
    text = msgspec.json.encode({**record, "recipientAccountId": None}).decode().replace(ACCOUNT, ELSEWHERE)
    return {**msgspec.json.decode(text), "recipientAccountId": ACCOUNT}


def changed(record, **identity):
    return {**record, "userIdentity": {**record["userIdentity"], **identity}}


DENIED = {"errorCode": "AccessDenied", "errorMessage": "User is not authorized"}
FINDING = {
    "id": "16afba5c5c43e07c9e3e5e2e544e95df",
    "accountId": ACCOUNT,
    "region": "us-east-1",
    "type": "CredentialAccess:IAMUser/CompromisedCredentials",
    "severity": 9.5,
    "createdAt": "2026-03-02T09:00:00.000Z",
    "updatedAt": "2026-03-02T09:00:00.000Z",
    "resource": {
        "resourceType": "AccessKey",
        "accessKeyDetails": {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "userName": "victim", "userType": "IAMUser"},
    },
    "service": {"serviceName": "guardduty", "eventFirstSeen": "2026-03-02T08:50:00Z"},
}
FORGED = {
    "a failed sign-in with somebody's user name": sign_in(errorMessage="Failed authentication"),
    "a failed sign-in that says nothing of an error": sign_in(),
    "a sign-in without an answer": {**sign_in(), "responseElements": None},
    "a try of a second factor": {**sign_in(answer="Success"), "eventName": "CheckMfa"},
    "a password recovery that anybody may begin": {
        **sign_in(answer="Success"),
        "eventName": "PasswordRecoveryRequested",
    },
    "a switch of roles that failed": {
        **sign_in(),
        "eventName": "SwitchRole",
        "responseElements": {"SwitchRole": "Failure"},
    },
    "AssumeRole denied, naming a role": foreign(
        by_user("AssumeRole", requestParameters={"roleArn": f"arn:aws:iam::{ACCOUNT}:role/victim"}, **DENIED)
    ),
    "CreateAccessKey denied for a user": by_role(
        "CreateAccessKey", "nobody", requestParameters={"userName": "victim"}, **DENIED
    ),
    "CreateUser denied because the user exists": by_role(
        "CreateUser", "nobody", requestParameters={"userName": "victim"}, errorCode="EntityAlreadyExistsException"
    ),
    "CreateLoginProfile denied for a user": by_role(
        "CreateLoginProfile", "nobody", requestParameters={"userName": "victim"}, **DENIED
    ),
    "UpdateLoginProfile denied for a user": by_role(
        "UpdateLoginProfile", "nobody", requestParameters={"userName": "victim"}, **DENIED
    ),
    "AttachUserPolicy denied": by_role(
        "AttachUserPolicy",
        "nobody",
        requestParameters={"userName": "victim", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
        **DENIED,
    ),
    "a dry run": by_user("RunInstances", "victim", errorCode="Client.DryRunOperation"),
    "an error that stands in the answer": by_user("PutObject", "victim", responseElements={"errorCode": "Denied"}),
    "a caller of another account": foreign(by_user("StopLogging", "victim", requestParameters=None)),
    "a role of another account": foreign(by_role("ListBuckets", "victim")),
    "a user whose account is ours and whose ARN is not": changed(
        by_user("ListBuckets", "victim"), arn=f"arn:aws:iam::{ELSEWHERE}:user/victim"
    ),
    "a user name hidden by AWS": changed(
        by_user("ListBuckets", HIDDEN), userName=HIDDEN, arn=f"arn:aws:iam::{ACCOUNT}:user/{HIDDEN}"
    ),
    "a user name that its ARN does not have": changed(by_user("ListBuckets", "dora"), userName="victim"),
    "an account as the caller": changed(by_user("ListBuckets", "victim"), type="AWSAccount", principalId="AIDAOTHER"),
    "a service as the caller": {
        **by_user("ListBuckets", "victim"),
        "userIdentity": {"type": "AWSService", "invokedBy": "victim"},
    },
    "a service that calls for somebody": changed(
        by_user("ListBuckets", "victim"), invokedBy="cloudformation.amazonaws.com"
    ),
    "a user of Identity Center": changed(by_user("ListBuckets", "victim"), type="IdentityCenterUser"),
    "a web identity with somebody's name": changed(by_user("ListBuckets", "victim"), type="WebIdentityUser"),
    "a SAML user with somebody's name": changed(by_user("ListBuckets", "victim"), type="SAMLUser"),
    "a caller without a type": changed(by_user("ListBuckets", "victim"), type=None),
    "root": changed(
        by_user("ListBuckets", "victim"), type="Root", arn=f"arn:aws:iam::{ACCOUNT}:root", userName="victim"
    ),
    "a session that root issued": changed(
        by_role("ListBuckets", "victim"),
        type="FederatedUser",
        sessionContext={
            "sessionIssuer": {"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root", "userName": "victim"}
        },
    ),
    "an event of a service": {**by_user("ListBuckets", "victim"), "eventType": "AwsServiceEvent"},
    "a data event": {**by_user("GetObject", "victim"), "eventCategory": "Data", "managementEvent": False},
    "an event of last week": {**by_user("ListBuckets", "victim"), "eventTime": "2026-02-23T09:00:00Z"},
    "an event of tomorrow": {**by_user("ListBuckets", "victim"), "eventTime": "2026-03-03T09:00:00Z"},
    "an event without a time": {**by_user("ListBuckets", "victim"), "eventTime": "soon"},
    "a finding of GuardDuty": msgspec.json.decode(match_of(FINDING, "test", 0).record),
}


@pytest.mark.parametrize("what", FORGED)
def test_nothing_that_anybody_can_provoke_locks_anybody_out(what, locked_by):
    assert locked_by(FORGED[what]) == []


@pytest.mark.parametrize("way", [Provenance.FILE, Provenance.QUEUE])
def test_an_event_from_where_others_can_write_locks_nobody_out(way, locked_by):
    assert locked_by(by_user(), way=way) == []


def test_a_session_name_equal_to_somebodys_name_never_locks_them(locked_by):
    assert locked_by(by_role("ListBuckets", "deploy", session="admin")) == ["role deploy"]


def test_taking_a_role_under_somebodys_name_never_locks_them(locked_by):
    taken = by_role(
        "AssumeRole",
        "deploy",
        requestParameters={
            "roleArn": f"arn:aws:iam::{ACCOUNT}:role/admin",
            "roleSessionName": "victim",
            "sourceIdentity": "victim",
        },
        responseElements={
            "assumedRoleUser": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/victim"},
            "sourceIdentity": "victim",
        },
    )

    assert locked_by(taken) == ["role deploy", "role admin"]


def test_a_forged_source_identity_is_not_believed(locked_by):
    record = by_role("ListBuckets", "deploy")
    record["userIdentity"]["sessionContext"]["sourceIdentity"] = "victim"

    assert locked_by(record) == ["role deploy"]


def test_who_called_is_locked(locked_by):
    assert locked_by(by_user()) == ["user dora", "key AKIAIOSFODNN7EXAMPLE"]


def test_who_signed_in_is_locked(locked_by):
    assert locked_by(sign_in("dora", "Success")) == ["user dora"]


def test_a_session_of_a_user_locks_the_user(locked_by):
    record = changed(
        by_role("ListBuckets"),
        type="FederatedUser",
        sessionContext={
            "sessionIssuer": {
                "type": "IAMUser",
                "arn": f"arn:aws:iam::{ACCOUNT}:user/dora",
                "userName": "dora",
                "accountId": ACCOUNT,
            }
        },
    )

    assert locked_by(record) == ["user dora"]


def test_a_user_that_was_made_is_locked_together_with_who_made_it(locked_by, account):
    account.arns["user", "backdoor"] = f"arn:aws:iam::{ACCOUNT}:user/backdoor"
    made = by_user(
        "CreateUser", requestParameters={"userName": "backdoor"}, responseElements={"user": {"userName": "backdoor"}}
    )

    assert "user backdoor" in locked_by(made)


def test_failures_of_others_make_an_incident_no_worse():
    settings = AutomaticSettings(playbooks={"all": AutomaticPlaybook(min_severity=Severity.CRITICAL, min_score=1)})
    store_alerts = [alert_of(by_user("ListBuckets", "victim"), severity=Severity.LOW, name="calm")]
    store_alerts.append(alert_of(sign_in(), name="failed sign-ins"))
    assert distrust(sign_in(), HISTORY, NOW, settings)

    with Store(Database(":memory:")) as store:
        account = Account(users=["victim"])
        automatic(store, account, settings, FixedClock()).consider(candidate(*store_alerts, way=HISTORY))

    assert account.locked == []


@pytest.mark.parametrize(
    ("actor", "locked"),
    [("source:victim", ["role stolen"]), (f"arn:aws:iam::{ACCOUNT}:user/dora", ["role deploy", "role stolen"])],
    ids=["joined by a name that the caller chose", "joined by who took the roles"],
)
def test_deeds_under_somebodys_source_identity_make_theirs_no_worse(actor, locked, store):
    settings = AutomaticSettings(playbooks={"all": AutomaticPlaybook(min_severity=Severity.CRITICAL, min_score=1)})
    account = Account(roles=["deploy", "stolen"])
    alerts = (
        alert_of(by_role("ListBuckets", "deploy"), severity=Severity.LOW, name="calm"),
        alert_of(by_role("StopLogging", "stolen"), name="blinded"),
    )
    alerts = tuple(msgspec.structs.replace(one, principal=one.rule.slug) for one in alerts)
    together = Candidate(alerts, "i", incident_of("i", actor, alerts, {}), otherwise=HISTORY)

    automatic(store, account, settings, FixedClock()).consider(together)

    assert account.locked == locked


PROTECTED = [
    (Held((f"arn:aws:iam::{ACCOUNT}:user/ops/break-glass",)), "respond.automatic.protected has"),
    (Held((f"arn:aws:iam::{ACCOUNT}:user/dora",), (("trailwatch:protected", ""),)), "it has the tag"),
    (Held((f"arn:aws:iam::{ACCOUNT}:user/dora",), (("team", "blue"),)), "it has the tag 'team=blue'"),
    (Held((f"arn:aws:iam::{ACCOUNT}:role/service/reader",)), "trailwatch itself acts or reads as it"),
    (Held((f"arn:aws:iam::{ACCOUNT}:role/other/sessions",)), "trailwatch itself acts or reads as it"),
    (Held((f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX",)), "AWS alone"),
    (Held((f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_x",)), "AWS alone"),
]


@pytest.mark.parametrize(("held", "reason"), PROTECTED)
def test_who_is_protected_is_left_alone(held, reason):
    settings = AutomaticSettings(
        protected=("arn:aws:iam::*:user/*break-glass",), protected_tags=("trailwatch:protected", "team=blue")
    )
    own = [f"arn:aws:iam::{ACCOUNT}:role/reader", f"arn:aws:sts::{ACCOUNT}:assumed-role/sessions/trailwatch-1"]

    assert protection(held, settings, own).startswith(reason)


@pytest.mark.parametrize(
    "held",
    [
        Held((f"arn:aws:iam::{ACCOUNT}:user/dora",), (("team", "red"),)),
        Held((f"arn:aws:iam::{ELSEWHERE}:role/reader",)),
        Held((f"arn:aws:iam::{ACCOUNT}:user/reader",)),
    ],
)
def test_others_are_not(held):
    own = [f"arn:aws:iam::{ACCOUNT}:role/reader"]

    assert protection(held, AutomaticSettings(protected_tags=("team=blue",)), own) == ""


@pytest.mark.parametrize(
    ("target", "record"),
    [
        (Target(TargetKind.USER, ACCOUNT, "victim"), by_user("GetUser", requestParameters={"userName": "victim"})),
        (Target(TargetKind.USER, ACCOUNT, "victim"), by_role("ListBuckets", "victim")),
        (Target(TargetKind.ROLE, ACCOUNT, "victim"), by_user("ListBuckets", "victim")),
        (Target(TargetKind.USER, ELSEWHERE, "dora"), by_user()),
        (
            Target(TargetKind.ROLE, ACCOUNT, "victim"),
            changed(
                by_user(
                    "AssumeRoleWithWebIdentity",
                    requestParameters={"roleArn": f"arn:aws:iam::{ACCOUNT}:role/victim"},
                ),
                type="WebIdentityUser",
            ),
        ),
        (Target(TargetKind.KEY, ACCOUNT, "AKIAOTHER", of=(("user", "dora"),)), by_user()),
        (Target(TargetKind.KEY, ACCOUNT, "AKIAIOSFODNN7EXAMPLE", of=(("user", "victim"),)), by_user()),
        (
            Target(TargetKind.POLICY, ACCOUNT, "sync", of=(("owner", "user"), ("user", "victim"))),
            by_user("GetUserPolicy", requestParameters={"userName": "victim", "policyName": "sync"}),
        ),
    ],
)
def test_a_target_that_the_event_does_not_prove_is_not_grounded(target, record):
    assert "the event" in ungrounded(target, record)


def test_nonsense_raises_nothing():
    for record in (
        {},
        {"userIdentity": 7},
        {"userIdentity": {"type": ["x"], "arn": 3}},
        event("X", userIdentity=None),
    ):
        assert isinstance(subject_of(record), str)
        assert distrust({**record, "eventType": 7}, HISTORY, NOW, SETTINGS)
        assert ungrounded(Target(TargetKind.USER, ACCOUNT, "dora"), record)
