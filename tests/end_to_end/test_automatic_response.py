"""Nobody types a command: `check` finds the intruder in the lab and locks them out by itself."""

import json
import re

import pytest

from trailwatch.lab.limits import Limits
from trailwatch.lab.server import FIRST_ACCOUNT, Lab

from .test_respond_command import TRUST, Story, break_in, move_in, refused, take

RESPONDER = "trailwatch-responder"
RESPONDER_ARN = f"arn:aws:iam::{FIRST_ACCOUNT}:role/{RESPONDER}"
PLAYBOOKS = ("lock-user", "revoke-sessions", "back-door", "restore-logging")
LOCKED = re.compile(r"(?<!not )locked out automatically")
LOOK_UPS = {"identities_enumerated"}
"""What its reading raises where every event is read: it is not in the journal, so it is judged."""
ANYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
UNDO = re.compile(r"trailwatch respond undo ([0-9a-f]{12})")


class Automatic(Story):
    """A reader that may assume the responder's role, and nothing else besides reading."""

    def __init__(self, lab, home):
        super().__init__(lab, home)
        self.iam.create_role(RoleName=RESPONDER, AssumeRolePolicyDocument=TRUST)
        printed = self._run(lab.admin, "iam", "policy", "respond").stdout
        self.iam.put_role_policy(RoleName=RESPONDER, PolicyName="respond", PolicyDocument=printed)
        self._key("check")
        take = {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Resource": RESPONDER_ARN,
        }
        self.iam.put_user_policy(
            UserName="trailwatch-check",
            PolicyName="respond",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [take]}),
        )

    def configure(self, more="", playbook="min_severity = 'medium'\nmin_score = 0\n"):
        automatic = "".join(f"[respond.automatic.playbooks.{name}]\n{playbook}" for name in PLAYBOOKS)
        self.home.joinpath("trailwatch.toml").write_text(
            '[check]\nregions = ["us-east-1"]\n[respond]\nrecheck = "0s"\n'
            f'[[respond.account]]\nid = "{FIRST_ACCOUNT}"\nrole_arn = "{RESPONDER_ARN}"\n'
            f"[respond.automatic]\nper_hour = 20\nper_day = 20\n{more}\n{automatic}"
        )

    def check(self):
        return self.run("check", "--all-events", as_mode="check")

    def key(self, mode):
        return self._key(mode)

    def rules_on_responder(self):
        listed = self.run("alerts", "list", "--state", "all", "--format", "jsonl", as_mode="check").stdout
        return {one["rule"] for one in map(json.loads, listed.splitlines()) if RESPONDER in one["principal"]}


@pytest.fixture
def story(tmp_path):
    with Lab(limits=Limits(lookup_rate=None), seed=3) as lab:
        told = Automatic(lab, tmp_path)
        yield told
        told.close()


def test_an_intruder_is_locked_out_without_anybody_and_the_message_says_how_to_undo_it(story):
    story.configure()
    leaked = move_in(story)
    story.check()
    held = break_in(story, leaked)
    before = story.picture()

    told = story.check()

    assert refused(story, leaked) == "InvalidClientTokenId"
    assert all(refused(story, key) for key in held.values()), told.stderr
    assert story.trails.get_trail_status(Name="main")["IsLogging"]
    assert "locked out automatically: user dana" in told.stderr

    again = story.check()
    assert not LOCKED.search(again.stderr)
    for plan in reversed(UNDO.findall(told.stderr)):
        story.run("respond", "undo", plan, "--yes", as_mode="check")
    assert story.picture() == before
    assert not any(refused(story, key) for key in (leaked, *held.values()))


def test_what_was_done_automatically_and_undone_alarms_nobody_but_what_else_the_responder_does(story):
    story.configure()
    leaked = move_in(story)
    story.check()
    break_in(story, leaked)
    told = story.check()
    story.check()
    assert story.rules_on_responder() <= LOOK_UPS

    for plan in reversed(UNDO.findall(told.stderr)):
        story.run("respond", "undo", plan, "--yes", as_mode="check")
    story.check()
    assert story.rules_on_responder() <= LOOK_UPS

    taken = take(story, story.key("check"), RESPONDER)
    story.client("iam", taken).put_user_policy(UserName="dana", PolicyName="more", PolicyDocument=ANYTHING)
    story.check()
    assert story.rules_on_responder() - LOOK_UPS


def test_a_freeze_keeps_everything_as_it_is(story):
    story.configure()
    leaked = move_in(story)
    story.check()
    held = break_in(story, leaked)
    before = story.picture()
    story.run("respond", "freeze", "on", "--why", "exercise", as_mode="check")

    told = story.check()

    assert story.picture() == before
    assert not any(refused(story, key) for key in (leaked, *held.values()))
    assert "not locked out automatically: user dana" in told.stderr
    assert "exercise" in told.stderr


def test_what_waits_is_done_once_somebody_approves_and_a_protected_user_never(story):
    story.configure(
        more=f"protected = ['arn:aws:iam::{FIRST_ACCOUNT}:user/people/*']",
        playbook="min_severity = 'medium'\nmin_score = 0\napproval = '10m'\n",
    )
    leaked = move_in(story)
    story.check()
    held = break_in(story, leaked)

    asked = story.check()
    assert "may this be locked out?: user support-sync" in asked.stderr
    assert not refused(story, held["back door"])
    question = asked.stderr.partition("may this be locked out?: user support-sync in")[2]
    case = re.search(r"trailwatch respond approve ([0-9a-f]{12})", question)[1]
    said = story.run("respond", "approve", case, as_mode="check")
    assert "is approved" in said.stdout

    done = story.check()

    assert refused(story, held["back door"])
    assert "locked out automatically: user support-sync" in done.stderr
    assert not refused(story, leaked)
    assert "respond.automatic.protected has" in asked.stderr + done.stderr
    story.run("respond", "approve", case, as_mode="check", code=2)
