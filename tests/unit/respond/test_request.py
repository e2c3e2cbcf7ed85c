"""What a person asks for, and what is to be done then."""

import msgspec
import pytest

from trailwatch.detect import links as kinds
from trailwatch.detect.incidents import incident_of
from trailwatch.errors import ActionError, UsageError
from trailwatch.model.response import Order, Target, TargetKind
from trailwatch.model.signal import Link
from trailwatch.respond.actions.catalog import ACTIONS
from trailwatch.respond.choose import Chooser, Chosen
from trailwatch.respond.makers import Maker
from trailwatch.respond.plan import Drafting, make_plan
from trailwatch.respond.playbook import load_playbooks
from trailwatch.respond.request import Wish, is_name, joined, named, wish_for_alerts, wish_for_target
from trailwatch.testing import ACCOUNT, event

from .test_choose import alert_of, done, set_up

BOB = Target(TargetKind.USER, ACCOUNT, "bob")
OPS = Target(TargetKind.ROLE, ACCOUNT, "ops")
KEY = "AKIA0000000000000001"


class Cloud:
    """Knows whose one key is."""

    def __init__(self, partition="aws"):
        self.partition = partition

    def identity(self, account):
        return f"arn:{self.partition}:iam::{account}:user/responder"

    def call(self, call):
        return {"UserName": "bob"} if call.parameters["AccessKeyId"] == KEY else {}


class Locked(Cloud):
    def identity(self, account):
        raise ActionError(f"account {account}", "no way in")


@pytest.mark.parametrize(
    ("what", "target"),
    [
        ("user/bob", BOB),
        ("user bob", BOB),
        ("role/ops", OPS),
        (f"arn:aws:iam::{ACCOUNT}:user/team/bob", BOB),
        (f"arn:aws-us-gov:sts::{ACCOUNT}:assumed-role/ops/session", OPS),
        (f"arn:aws:iam::{ACCOUNT}:role/ops", OPS),
        (f"arn:aws:iam::{ACCOUNT}:role/team/ops", msgspec.structs.replace(OPS, of=(("path", "/team/"),))),
        (KEY, Target(TargetKind.KEY, ACCOUNT, KEY, of=(("user", "bob"),))),
    ],
)
def test_a_user_role_or_key_is_named_in_many_ways(what, target):
    assert is_name(what)
    assert named(what, lambda: ACCOUNT, Cloud()) == target


@pytest.mark.parametrize(
    ("what", "error", "told"),
    [
        ("ASIA0000000000000001", UsageError, "belongs to a session"),
        ("AKIA0000000000000002", ActionError, "nobody in account"),
        ("bob", UsageError, "no user, role or key"),
        ("arn:aws:s3:::bucket", UsageError, "no user, role or key"),
    ],
)
def test_what_names_nobody_is_refused(what, error, told):
    with pytest.raises(error, match=told):
        named(what, lambda: ACCOUNT, Cloud())


@pytest.mark.parametrize(("cloud", "partition"), [(Cloud(), "aws"), (Cloud("aws-cn"), "aws-cn"), (Locked(), "aws")])
def test_roles_that_a_user_took_are_revoked_with_it_in_every_partition(cloud, partition):
    user = f"arn:{partition}:iam::{ACCOUNT}:user/bob"
    session = f"arn:{partition}:sts::{ACCOUNT}:assumed-role/ops/s1"
    links = [
        Link(kinds.BELONGS, user, f"key:{KEY}", 0, "", ACCOUNT),
        Link(kinds.NAMED, f"key:{KEY}", session, 5, "e", ACCOUNT),
        Link(kinds.CREATED_USER, f"key:{KEY}", f"arn:{partition}:iam::{ACCOUNT}:user/eve", 5, "e", ACCOUNT),
    ]

    wish = wish_for_target(BOB, lambda node: [one for one in links if one.parent == node], cloud)

    assert [(one.action, one.target) for one in wish.chosen.orders] == [("lock-user", BOB), ("revoke-sessions", OPS)]
    assert [note.partition(" came of it")[0] for note in wish.notes] == [f"eve (IAM user) in {ACCOUNT}"]


def test_for_alerts_playbooks_choose_and_links_add_the_roles():
    alert = alert_of(event("RunInstances"), respond="lock-user")
    alert = msgspec.structs.replace(alert, identity=f"key:{KEY}")
    session = Link(kinds.NAMED, f"key:{KEY}", f"arn:aws:sts::{ACCOUNT}:assumed-role/ops/s1", 5, "e", ACCOUNT)
    chooser = Chooser(load_playbooks([], ACTIONS).playbooks, ACTIONS)

    wish = wish_for_alerts("alert a1", [alert], None, chooser, lambda node: [session] if "AKIA" in node else [])

    assert [(one.action, one.target.name) for one in wish.chosen.orders] == [
        ("lock-user", "dora"),
        ("revoke-sessions", "ops"),
    ]


def test_roles_of_who_only_made_the_victim_are_left_alone_and_the_plan_says_so():
    alerts = [msgspec.structs.replace(one, identity="key:OF-BOSS") for one in set_up(0)]
    alerts.append(msgspec.structs.replace(done("RunInstances", days=2), identity="key:OF-DORA"))
    sessions = {
        f"key:OF-{who}": Link(
            kinds.NAMED, f"key:OF-{who}", f"arn:aws:sts::{ACCOUNT}:assumed-role/{who}/s", 5, "e", ACCOUNT
        )
        for who in ("BOSS", "DORA")
    }
    chooser = Chooser(load_playbooks([], ACTIONS).playbooks, ACTIONS)

    def children(node):
        return [sessions[node]] if node in sessions else []

    wish = wish_for_alerts("incident i", alerts, incident_of("i", "a", alerts, {}), chooser, children)
    told = make_plan("incident i", Chosen((), spared=wish.chosen.spared), Drafting(ACTIONS, Cloud(), None), 0).cannot

    assert [(one.action, one.target.name) for one in wish.chosen.orders] == [
        ("lock-user", "dora"),
        ("revoke-sessions", "DORA"),
    ]
    assert ["user/boss is left alone" in one and "plan user/boss" in one for one in told] == [True]


def test_who_is_left_out_of_one_wish_and_asked_for_by_another_is_not_left_out():
    spared = (Maker("arn:aws:iam::1:user/bob", "user/bob", ("dora",), long_ago=True),)
    wishes = [Wish("incident i", Chosen((), spared=spared)), Wish("user bob", Chosen((Order("lock-user", BOB),)))]

    assert joined(wishes).chosen.spared == ()
    assert joined([wishes[0], wishes[0]]).chosen.spared == spared


def test_several_wishes_are_one_and_name_everything_once():
    wishes = [
        Wish(f"alert {n}", Chosen((Order("lock-user", BOB),), ("lock-user",), ("call bob",)), ("a note",))
        for n in range(5)
    ]

    one = joined(wishes)

    assert one.cause == "alert 0, alert 1, alert 2, and 2 more"
    assert (len(one.chosen.orders), one.chosen.playbooks, one.chosen.humans) == (1, ("lock-user",), ("call bob",))
    assert one.notes == ("a note",)
    assert joined(wishes[:1]) is wishes[0]
