"""Links lead from what a record says back to who it began with."""

import itertools

import pytest

from trailwatch.detect.lineage import HOLDS_FOR, Tracer, told
from trailwatch.detect.link_maker import LinkMaker
from trailwatch.detect.links import identity_of, links_of, own_links
from trailwatch.detect.record import Record
from trailwatch.model.principal import principal_of

NOW = 1_760_000_000
HOME, AWAY = "111122223333", "222233334444"
_numbers = itertools.count(1)


def user(name, key="", account=HOME, **more):
    identity = {"type": "IAMUser", "arn": f"arn:aws:iam::{account}:user/{name}", "accountId": account}
    return {**identity, "userName": name.rpartition("/")[2], **({"accessKeyId": key} if key else {}), **more}


def session(role, name, key="", account=HOME, **context):
    issuer = {"type": "Role", "arn": f"arn:aws:iam::{account}:role/{role}", "accountId": account, "userName": role}
    return {
        "type": "AssumedRole",
        "principalId": f"AROA:{name}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name}",
        "accountId": account,
        "sessionContext": {"sessionIssuer": issuer, **context},
        **({"accessKeyId": key} if key else {}),
    }


def event(name, identity, *, account=HOME, request=None, answer=None, **more):
    return {
        "eventName": name,
        "eventID": f"e{next(_numbers)}",
        "recipientAccountId": account,
        "userIdentity": identity,
        "requestParameters": request,
        "responseElements": answer,
        **more,
    }


def assume(identity, role, name, key, account=HOME, **more):
    arn = f"arn:aws:sts::{account}:assumed-role/{role}/{name}"
    answer = {"credentials": {"accessKeyId": key}, "assumedRoleUser": {"arn": arn}}
    request = {"roleArn": f"arn:aws:iam::{account}:role/{role}", "roleSessionName": name}
    return event(more.pop("call", "AssumeRole"), identity, request=request, answer=answer, **more)


def trace(identity, *records, at=NOW, times=None):
    """The actor behind the caller after these events, one second apart unless `times` says when they were."""
    found = {}
    for number, record in enumerate(records):
        time = times[number] if times else NOW - len(records) + number
        for link in links_of(record, time, record["eventID"]):
            found.setdefault(link.child, []).append(link)
    last = event("ListBuckets", identity)
    for link in own_links(last):
        found.setdefault(link.child, []).append(link)
    principal = principal_of(last)
    actor = Tracer(lambda child: found.get(child, ())).trace(identity_of(principal), at)
    return actor, told(actor, str(principal))


def key(number, prefix="ASIA"):
    return f"{prefix}{number:016d}"


ALICE = user("alice", key(1, "AKIA"))


def test_a_chain_of_roles_over_accounts_leads_to_the_user():
    actor, text = trace(
        session("Deploy", "d", key(3), AWAY),
        assume(ALICE, "Admin", "a", key(2)),
        assume(session("Admin", "a", key(2)), "Deploy", "d", key(3), AWAY),
    )

    assert actor.key == f"arn:aws:iam::{HOME}:user/alice"
    assert text == f"alice (IAM user) in {HOME} -> role Admin -> role Deploy in account {AWAY}"


def test_a_user_of_a_path_is_the_same_as_without_it():
    assert trace(user("staff/eu/alice", key(1, "AKIA")))[0].key == f"arn:aws:iam::{HOME}:user/alice"


def test_without_the_issuing_call_the_role_stands_and_says_why():
    actor, text = trace(session("Admin", "a", key(2)))

    assert actor.key == f"arn:aws:iam::{HOME}:role/Admin"
    assert text == f"role Admin as a in {HOME} (origin not seen: nobody was seen to get {key(2)} issued)"


@pytest.mark.parametrize("call", ["GetSessionToken", "GetFederationToken"])
def test_temporary_credentials_of_a_user_are_the_users(call):
    answer = {"credentials": {"accessKeyId": key(2)}}
    caller = user("alice", key(2))
    if call == "GetFederationToken":
        answer["federatedUser"] = {"arn": f"arn:aws:sts::{HOME}:federated-user/build"}
        caller = {"type": "FederatedUser", "arn": answer["federatedUser"]["arn"], "accessKeyId": key(2)}
    actor, _ = trace(caller, event(call, ALICE, answer=answer))

    assert actor.key == f"arn:aws:iam::{HOME}:user/alice"


def test_a_federated_user_names_its_issuer_itself():
    issuer = {"type": "IAMUser", "arn": f"arn:aws:iam::{HOME}:user/alice", "userName": "alice"}
    arn = f"arn:aws:sts::{HOME}:federated-user/build"
    actor, _ = trace(
        {"type": "FederatedUser", "arn": arn, "accessKeyId": key(9), "sessionContext": {"sessionIssuer": issuer}}
    )

    assert actor.key == f"arn:aws:iam::{HOME}:user/alice"


@pytest.mark.parametrize(
    ("kind", "call", "expected"),
    [
        ("WebIdentityUser", "AssumeRoleWithWebIdentity", "web:repo:org/app|token.example"),
        ("SAMLUser", "AssumeRoleWithSAML", "saml:repo:org/app|token.example"),
    ],
)
def test_somebody_from_outside_is_the_actor(kind, call, expected):
    outsider = {"type": kind, "principalId": "x:y", "userName": "repo:org/app", "identityProvider": "token.example"}
    actor, text = trace(session("ci", "run", key(2)), assume(outsider, "ci", "run", key(2), call=call))

    assert actor.key == expected
    assert text.endswith(f"-> role ci in {HOME}")


def test_a_person_of_identity_center_is_known_by_name_whichever_way_the_session_is_seen():
    role = "AWSReservedSSO_Admin_0123456789abcdef"
    outsider = {"type": "SAMLUser", "principalId": "x:alice@example.com", "userName": "alice@example.com"}
    seen, _ = trace(
        session(role, "alice@example.com", key(2)),
        assume(outsider, role, "alice@example.com", key(2), call="AssumeRoleWithSAML"),
    )
    unseen, text = trace(session(role, "alice@example.com", key(2)))

    assert seen.key == unseen.key == "sso:alice@example.com"
    assert text == f"alice@example.com (Identity Center) -> role {role} in {HOME}"


def test_who_an_application_acts_for_is_the_actor():
    identity = session("app", "s", key(2))
    identity["onBehalfOf"] = {"userId": "u-1", "identityStoreArn": "arn:aws:identitystore::1:identitystore/d-1"}

    assert trace(identity)[0].key == "sso-id:u-1"


def test_console_sessions_after_get_signin_token_belong_to_who_asked_for_it():
    federated = session("Admin", "a", key(2))
    console = {k: v for k, v in federated.items() if k != "accessKeyId"}
    actor, _ = trace(
        console, assume(ALICE, "Admin", "a", key(2)), event("GetSigninToken", federated, answer={"credentials": {}})
    )

    assert actor.key == f"arn:aws:iam::{HOME}:user/alice"


def test_a_switched_role_belongs_to_who_switched():
    came_from = {"SwitchFrom": f"arn:aws:iam::{HOME}:user/alice"}
    switch = event("SwitchRole", session("Ops", "alice", account=AWAY), additionalEventData=came_from)

    assert trace(session("Ops", "alice", key(7), AWAY), switch)[0].key == f"arn:aws:iam::{HOME}:user/alice"


def test_a_cross_account_pair_is_joined_by_its_shared_event():
    stranger = {"type": "AWSAccount", "principalId": "AIDA1:alice", "accountId": HOME}
    here = event("AssumeRole", ALICE, sharedEventID="s-1", answer={"assumedRoleUser": {"arn": ""}})
    there = assume(stranger, "Deploy", "d", key(3), AWAY, sharedEventID="s-1")
    joined, _ = trace(session("Deploy", "d", key(3), AWAY), here, there)
    alone, text = trace(session("Deploy", "d", key(3), AWAY), there)

    assert joined.key == f"arn:aws:iam::{HOME}:user/alice"
    assert alone.key == f"id:AIDA1:alice@{HOME}"
    assert "were not read" in text


def test_a_source_identity_tells_who_where_nothing_better_does():
    identity = session("Admin", "x", key(2), sourceIdentity="alice")

    assert trace(identity)[0].key == "source:alice"
    assert trace(identity, assume(ALICE, "Admin", "x", key(2)))[0].key == f"arn:aws:iam::{HOME}:user/alice"


def test_a_machine_is_the_actor_of_its_profile_and_a_session_name_alone_proves_none():
    name = "i-0123456789abcdef0"
    assert trace(session("web", name, key(2), ec2RoleDelivery="2.0"))[0].key == f"machine:{name}@{HOME}"
    assert trace(session("web", name, key(2)))[0].key == f"arn:aws:iam::{HOME}:role/web"
    assert trace(session("web", name, key(2)), assume(ALICE, "web", name, key(2)))[0].key.endswith("user/alice")


def test_a_function_is_the_actor_where_the_record_names_it():
    identity = session("fn", "sync", key(2))
    identity["inScopeOf"] = {"sourceArn": f"arn:aws:lambda:us-east-1:{HOME}:function:sync"}

    assert trace(identity)[0].key == f"arn:aws:lambda:us-east-1:{HOME}:function:sync"


def test_services_join_nobody():
    service = {"type": "AWSService", "invokedBy": "lambda.amazonaws.com"}
    records = [assume(service, role, "s", key(n), sharedEventID=f"s{n}") for n, role in enumerate(("a", "b"), 5)]
    assert [links_of(record, NOW, "e") for record in records] == [[], []]
    assert trace(session("a", "s", key(5)), *records)[0].key != trace(session("b", "s", key(6)), *records)[0].key


def make_key(maker, name, made):
    answer = {"accessKey": {"accessKeyId": made, "userName": name}}
    return event("CreateAccessKey", maker, request={"userName": name}, answer=answer)


def test_a_key_made_for_another_belongs_to_the_maker_and_names_its_user():
    actor, text = trace(user("bob", key(5, "AKIA")), make_key(ALICE, "bob", key(5, "AKIA")))

    assert actor.key == f"arn:aws:iam::{HOME}:user/alice"
    assert text == f"alice (IAM user) in {HOME} -> bob (IAM user)"


def test_a_key_made_for_oneself_stays_with_its_user():
    assert trace(user("bob", key(5, "AKIA")), make_key(user("bob", key(4, "AKIA")), "bob", key(5, "AKIA")))[
        0
    ].key.endswith("user/bob")


def test_the_other_keys_of_a_user_stay_with_the_user():
    assert trace(user("bob", key(6, "AKIA")), make_key(ALICE, "bob", key(5, "AKIA")))[0].key.endswith("user/bob")


@pytest.mark.parametrize("call", ["CreateLoginProfile", "UpdateLoginProfile"])
def test_who_sets_a_password_is_behind_the_console_and_not_behind_the_keys(call):
    made = event(call, ALICE, request={"userName": "bob"})

    assert trace(user("bob"), made)[0].key.endswith("user/alice")
    assert trace(user("bob", key(9)), made)[0].key.endswith("user/alice")
    assert trace(user("bob", key(9, "AKIA")), made)[0].key.endswith("user/bob")


def test_what_was_made_stands_for_itself_before_and_after_a_while():
    made = event("CreateUser", ALICE, answer={"user": {"arn": f"arn:aws:iam::{HOME}:user/app/bob"}})
    bob = user("app/bob", key(9, "AKIA"))
    after = HOLDS_FOR["created-user"]

    assert trace(bob, made, times=[NOW])[0].key.endswith("user/alice")
    assert trace(bob, made, times=[NOW - after + 1])[0].key.endswith("user/alice")
    assert trace(bob, made, times=[NOW - after - 1])[0].key.endswith("user/bob")
    assert trace(bob, made, times=[NOW + 3600])[0].key.endswith("user/bob")


def test_a_call_that_failed_links_nobody():
    denied = assume(ALICE, "Admin", "a", key(2), errorCode="AccessDenied")

    assert links_of(denied, NOW, "e") == []


def test_roles_that_take_one_another_in_a_circle_end_and_say_so():
    one, two = session("A", "a", key(1)), session("B", "b", key(2))
    circle = [assume(one, "B", "b", key(2)), assume(two, "A", "a", key(1))]
    actors = [trace(one, *circle), trace(two, *circle)]

    assert actors[0][0].key == actors[1][0].key
    assert all("circle" in text for _, text in actors)


def test_a_chain_without_end_is_cut_and_says_so():
    chain = [assume(session("R", "r", key(n)), "R", "r", key(n + 1)) for n in range(1, 200)]

    assert "steps back" in trace(session("R", "r", key(200)), *chain)[1]


def test_a_session_name_that_two_callers_took_proves_neither():
    nameless = session("Admin", "ops")
    bob = user("bob", key(8, "AKIA"))
    one = assume(ALICE, "Admin", "ops", key(2))
    alone, _ = trace(nameless, one)
    both, text = trace(nameless, one, assume(bob, "Admin", "ops", key(3)))

    assert alone.key.endswith("user/alice")
    assert both.key.endswith("role/Admin")
    assert "several callers" in text


def test_hostile_values_are_no_links_and_raise_nothing():
    for bad in (None, 7, [], {}, "", "\ud800", "x" * 100_000, {"accessKeyId": []}):
        record = event("AssumeRole", bad, request=bad, answer={"credentials": bad, "assumedRoleUser": bad})
        links_of(record, NOW, "e")
        own_links(record)
        links_of({**record, "eventName": "CreateAccessKey", "responseElements": {"accessKey": bad}}, NOW, "e")


def test_what_a_delivery_repeats_is_linked_once():
    maker = LinkMaker()
    record = Record(
        b'{"eventName":"X","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/a",'
        b'"accessKeyId":"AKIA0000000000000001"}}'
    )
    maker.caller(own_links(record))
    maker.caller(own_links(record))

    assert [(link.child, link.parent) for link in maker.links()] == [
        ("key:AKIA0000000000000001", "arn:aws:iam::1:user/a")
    ]
