"""Playbooks: what ships, what a user writes, and how a mistake is told."""

import pytest

from trailwatch.errors import RuleError
from trailwatch.respond.actions.catalog import ACTIONS, BY_HAND
from trailwatch.respond.playbook import load_playbooks, parse_playbook

NAMES = [name for name in ACTIONS if name not in BY_HAND]
GOOD = "name: mine\ndescription: What I do.\nwhen: {eventName: CreateUser}\nactions: [lock-user]\n"


def test_those_that_ship_are_good_and_tell_people_what_is_theirs():
    found = load_playbooks([], NAMES)

    assert found.problems == ()
    assert set(found.playbooks) == {
        "lock-user",
        "revoke-sessions",
        "leaked-key",
        "back-door",
        "contain-caller",
        "restore-logging",
        "lock-root",
    }
    assert all(one.humans for one in found.playbooks.values())
    assert found.playbooks["lock-root"].actions == ()


def test_one_of_your_own_takes_the_place_of_one_that_ships(tmp_path):
    (tmp_path / "a.yml").write_text(GOOD.replace("mine", "lock-user"))
    (tmp_path / "b.yaml").write_text(GOOD)
    (tmp_path / "notes.txt").write_text("no playbook")

    found = load_playbooks([tmp_path], NAMES)

    assert found.playbooks["lock-user"].description == "What I do."
    assert found.playbooks["mine"].origin == f"{tmp_path / 'b.yaml'}:1"
    assert len(found.playbooks) == 8


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD.replace("actions", "action"), ":4:1: unknown key 'action'; did you mean \"actions\"?"),
        (GOOD.replace("lock-user", "lock-usr"), ":4:11: there is no action 'lock-usr'; did you mean \"lock-user\"?"),
        (GOOD.replace("lock-user", "reset-password"), ":4:11: there is no action 'reset-password'"),
        (GOOD.replace("when: {", "when: {eventNme|contians: x, "), ":3:8: when: unknown modifier"),
        (GOOD.replace("name: mine\n", ""), ":1:1: name is missing"),
        ("name: a\ndescription: b\n", ":1:1: it does nothing"),
        ("name: [a]\ndescription: b\nactions: [lock-user]\n", ":1:1: expected a text for name"),
        (GOOD + "name: twice\n", ':5:1: key "name" stands twice'),
        (GOOD + "---\n" + GOOD, ":1:1: expected one playbook, got 2"),
        ("a: [", "no YAML"),
        ("- 1", ":1:1: expected a mapping"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_the_others_are_used(tmp_path, text, told):
    (tmp_path / "bad.yml").write_text(text)
    (tmp_path / "good.yml").write_text(GOOD)

    found = load_playbooks([tmp_path], NAMES, shipped=False)

    (problem,) = found.problems
    assert told in f"{problem.origin}: {problem.text}"
    assert list(found.playbooks) == ["mine"]


def test_two_with_one_name_are_told(tmp_path):
    for name in ("a.yml", "b.yml"):
        (tmp_path / name).write_text(GOOD)

    (problem,) = load_playbooks([tmp_path], NAMES).problems

    assert "is taken by" in problem.text


def test_a_condition_on_what_only_the_past_knows_is_refused():
    with pytest.raises(RuleError, match="known only after matching"):
        parse_playbook(GOOD.replace("eventName", "actor"), "p.yml", NAMES)
