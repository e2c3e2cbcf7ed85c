"""What came of an identity, over links."""

import pytest

from trailwatch.detect import links as kinds
from trailwatch.model.coverage import Interval, IntervalSet, LookupKey
from trailwatch.model.response import Target, TargetKind
from trailwatch.model.signal import Link
from trailwatch.respond.reach import identities_of, not_read, reached
from trailwatch.store.coverage import Lookup

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


NOW = 1_772_449_200


def lookups(*rows):
    return {
        (key := LookupKey(ACCOUNT, region, lookup)): Lookup(
            key, 0, covered=IntervalSet([Interval(0, until)] if until else [])
        )
        for region, lookup, until in rows
    }


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("a", "*", NOW - 60)], ""),
        ([("a", "ReadOnly=false", NOW - 60), ("a", "EventName=AssumeRole", NOW - 60)], ""),
        ([], "AssumeRole was never read:"),
        ([("a", "ReadOnly=false", NOW - 60)], "AssumeRole was never read in 1 of 1 regions"),
        ([("a", "*", NOW - 60), ("b", "EventName=AssumeRole", 0)], "AssumeRole was never read in 1 of 2 regions"),
        (
            [("a", "*", NOW - 60), ("b", "EventName=AssumeRole", NOW - 3600)],
            "AssumeRole was last read at 2026-03-02T10:00:00Z in 1 of 2 regions",
        ),
    ],
)
def test_it_is_said_since_when_roles_may_have_been_taken_unseen(rows, told):
    said = not_read(lookups(*rows), NOW)

    assert said.startswith(told)
    assert bool(said) == bool(told)
