"""Adding an action is one file, one line in the catalogue and one row on the page."""

import re
from pathlib import Path

import pytest

from trailwatch.respond.actions.catalog import ACTIONS
from trailwatch.respond.playbook import EVERY, load_playbooks
from trailwatch.rules.catalog import load_rules

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "respond.md").read_text(encoding="utf-8")
FOLDER = ROOT / "src" / "trailwatch" / "respond" / "actions"


def test_every_file_of_actions_is_in_the_catalogue():
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__", "catalog"}

    assert files == {name.replace("-", "_") for name in ACTIONS}


@pytest.mark.parametrize("name", [*ACTIONS, *load_playbooks([], ACTIONS).playbooks])
def test_every_action_and_playbook_is_on_the_page(name):
    assert re.search(rf"^\| `{name}` \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("action", ACTIONS.values(), ids=list(ACTIONS))
def test_every_permission_is_spelled_as_aws_spells_it(action):
    from botocore.loaders import Loader

    loader = Loader()
    for permission in action.permissions:
        service, _, operation = permission.partition(":")
        known = loader.load_service_model(service, "service-2")["operations"]
        assert operation in known or permission == "iam:PassRole"


def test_no_two_levers_have_one_name_and_different_ways():
    levers = {}
    for action in ACTIONS.values():
        for lever in action.levers:
            known = levers.setdefault(lever.name, lever)
            assert (known.reads, known.writes) == (lever.reads, lever.writes)


def test_what_a_shipped_rule_asks_for_some_shipped_playbook_answers():
    ruleset = load_rules([])
    asked = {one.info.respond for one in (*ruleset.rules, *ruleset.correlations)} - {""}
    playbooks = [one for one in load_playbooks([], ACTIONS).playbooks.values() if EVERY not in one.answers]

    assert sorted(hint for hint in asked if not any(one.asked_by(hint) for one in playbooks)) == ["lock-root"]
