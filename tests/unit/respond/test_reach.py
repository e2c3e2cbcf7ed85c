"""What came of an identity, over links."""

from trailwatch.detect import links as kinds
from trailwatch.model.response import Target, TargetKind
from trailwatch.model.signal import Link
from trailwatch.respond.reach import identities_of, reached

ACCOUNT = "111122223333"
DORA = f"arn:aws:iam::{ACCOUNT}:user/dora"


def session(role, name="s1"):
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}"


def link(kind, parent, child, time=1):
    return Link(kind, parent, child, time, "e", ACCOUNT, "", child)


LINKS = [
    link(kinds.BELONGS, DORA, "key:AKIA1", time=0),
    link(kinds.ASSUMED, "key:AKIA1", "key:ASIA1"),
    link(kinds.NAMED, "key:AKIA1", session("ops")),
    link(kinds.ASSUMED, "key:ASIA1", "key:ASIA2"),
    link(kinds.NAMED, "key:ASIA1", session("deploy")),
    link(kinds.ASSUMED, "key:ASIA2", "key:ASIA3"),
    link(kinds.NAMED, "key:ASIA2", session("ops", "again")),
    link(kinds.CREATED_USER, "key:ASIA2", f"arn:aws:iam::{ACCOUNT}:user/sync"),
    link(kinds.CREATED_KEY, "key:ASIA2", "key:AKIA9"),
    link(kinds.NAMED, "key:AKIA9", session("audit")),
    link(kinds.NAMED, "key:AKIA7", session("others")),
]


def children(node):
    return [one for one in LINKS if one.parent == node]


def test_roles_are_followed_from_one_to_the_next_also_in_a_circle():
    found = reached(identities_of(Target(TargetKind.USER, ACCOUNT, "dora")), children)

    assert [role.name for role in found.roles] == ["ops", "deploy", "audit"]
    assert [made.name for made in found.made] == ["sync", "AKIA9"]
    assert not found.cut_short


def test_what_others_took_is_theirs():
    assert "others" not in {role.name for role in reached([DORA], children).roles}
    assert reached(["key:AKIA7"], children).roles == (Target(TargetKind.ROLE, ACCOUNT, "others"),)


def test_an_endless_chain_ends():
    found = reached(["0"], lambda node: [link(kinds.ASSUMED, node, str(int(node) + 1))])

    assert found.cut_short
