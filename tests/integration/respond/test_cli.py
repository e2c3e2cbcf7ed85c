"""`trailwatch respond` as people use it, over the lab and a real state file."""

import hashlib
import json
import time

import pytest
from click.testing import CliRunner

from trailwatch.cli.main import main
from trailwatch.errors import TrailwatchError


@pytest.fixture
def trailwatch(account, tmp_path):
    """Runs a command with the responder's rights; its exit code, standard output and standard error."""
    config = tmp_path / "trailwatch.toml"
    config.write_text(f'[store]\npath = "{tmp_path / "state.sqlite3"}"\n[respond]\nrecheck = "0s"\n')

    def run(*words, code=0, typed=None):
        environment = account.lab.environment(account.responder)
        done = CliRunner().invoke(main, ["--config", str(config), *words], env=environment, input=typed)
        if isinstance(done.exception, TrailwatchError):
            assert done.exception.exit_code == code, done.exception
            return str(done.exception)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return done.stdout

    return run


@pytest.fixture
def bob(account):
    return account.user("bob")


@pytest.mark.usefixtures("bob")
def test_a_plan_shows_every_call_and_changes_nothing(trailwatch, account):
    before = account.picture()

    text = trailwatch("respond", "plan", "user/bob")
    row = json.loads(trailwatch("respond", "plan", "user/bob", "--format", "json"))

    assert "iam:PutUserPolicy  UserName=bob PolicyName=trailwatch-lock-" in text
    assert "unknown: data events" in text
    assert [call["call"] for step in row["steps"] for call in step["calls"]] == [
        "iam:PutUserPolicy",
        "iam:UpdateAccessKey",
    ]
    assert account.picture() == before


def test_without_a_terminal_nothing_is_done_unless_yes_is_said(trailwatch, account, bob):
    before = account.picture()

    told = trailwatch("respond", "apply", "user/bob", code=2)

    assert "give --yes" in told
    assert account.picture() == before
    assert account.make("iam", bob).list_users()


@pytest.mark.usefixtures("bob")
def test_it_is_applied_shown_exported_and_undone(trailwatch, account, tmp_path):
    before = account.picture()

    trailwatch("respond", "apply", "user/bob", "--yes", "--why", "leaked")
    listed = json.loads(trailwatch("respond", "status", "--format", "json"))
    shown = trailwatch("respond", "status", listed["plan"][:6])
    trailwatch("respond", "export", listed["plan"], "--to", str(tmp_path / "evidence.jsonl"))
    told = trailwatch("respond", "undo", listed["plan"], code=2)
    trailwatch("respond", "undo", listed["plan"], "--yes")

    assert (listed["standing"], listed["why"], listed["cause"]) == ("applied", "leaked", "user bob in 123456789012")
    assert "done     deny everything to user bob" in shown
    assert "give --yes" in told
    assert account.picture() == before
    assert json.loads(trailwatch("respond", "status", "--format", "json"))["standing"] == "undone"
    lines = (tmp_path / "evidence.jsonl").read_bytes()
    digest = hashlib.sha256(lines).hexdigest()
    assert (tmp_path / "evidence.jsonl.sha256").read_text() == f"{digest}  evidence.jsonl\n"
    rows = [json.loads(line) for line in lines.splitlines()]
    assert [row["kind"] for row in rows[:3]] == ["planned", "evidence", "begun"]
    assert rows[1]["previous_sha256"] == hashlib.sha256(lines.splitlines()[0]).hexdigest()


@pytest.mark.parametrize(
    "what",
    ["user/bob", "user bob", "arn:aws:iam::123456789012:user/ops/bob", "KEY"],
    ids=["name", "blank", "ARN", "key"],
)
def test_a_user_is_named_in_many_ways(trailwatch, bob, what):
    row = json.loads(trailwatch("respond", "plan", what.replace("KEY", bob.access_key_id), "--format", "json"))

    assert row["targets"][0].endswith(("user bob in 123456789012", "user bob in 123456789012"))


@pytest.mark.parametrize(
    ("what", "code", "told"),
    [
        ("ASIA0123456789ABCDEF", 2, "name the user or role whose session it is"),
        ("0123456789ab", 1, "there is none with this id"),
        ("AKIA0123456789ABCDEF", 1, "AKIA0123456789ABCDEF"),
    ],
)
def test_what_names_nobody_is_told(trailwatch, what, code, told):
    assert told in trailwatch("respond", "plan", what, code=code)


def test_somebody_who_is_not_there_is_a_problem_and_not_a_plan(trailwatch):
    text = trailwatch("respond", "plan", "user/nobody")

    assert "user nobody in 123456789012 is left alone" in text
    assert "Nothing can be done." in text


@pytest.mark.usefixtures("bob")
def test_the_freeze_stops_what_is_done_by_hand_too(trailwatch, account):
    before = account.picture()
    trailwatch("respond", "freeze", "on", "--why", "a drill")

    told = trailwatch("respond", "apply", "user/bob", "--yes", code=2)

    assert "a drill" in told
    assert account.picture() == before
    assert "a drill" in trailwatch("respond", "freeze", "show")
    assert "not frozen" in trailwatch("respond", "freeze", "off")
    trailwatch("respond", "apply", "user/bob", "--yes")


def test_final_steps_are_done_about_users_alone(trailwatch, account, bob):
    account.admin.create_login_profile(UserName="bob", Password="Invented-1234567")

    text = trailwatch("respond", "plan", "user/bob", "--reset-password")
    told = trailwatch("respond", "plan", bob.access_key_id, "--reset-password", code=2)

    assert "CANNOT BE UNDONE" in text
    assert "only a user has a password" in told


@pytest.mark.usefixtures("bob")
def test_undo_says_what_somebody_changed_and_undoes_nothing(trailwatch, account):
    trailwatch("respond", "apply", "user/bob", "--yes")
    plan = json.loads(trailwatch("respond", "status", "--format", "json"))["plan"]
    (policy,) = account.admin.list_user_policies(UserName="bob")["PolicyNames"]
    other = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}'
    account.admin.put_user_policy(UserName="bob", PolicyName=policy, PolicyDocument=other)

    told = trailwatch("respond", "undo", plan, "--yes", code=1)

    assert told == ""
    assert json.loads(trailwatch("respond", "status", "--format", "json"))["standing"] == "applied"
    trailwatch("respond", "undo", plan, "--yes", "--force")
    assert account.admin.list_user_policies(UserName="bob")["PolicyNames"] == []


def test_a_broken_playbook_is_told_with_its_place(trailwatch, tmp_path):
    folder = tmp_path / "playbooks.d"
    folder.mkdir()
    (folder / "mine.yml").write_text("name: mine\ndescription: d\nactions: [lock-usr]\n")

    text = trailwatch("respond", "playbooks", code=2)

    assert "lock-root" in text


@pytest.mark.parametrize("mode", ["check", "watch", "respond"])
def test_the_policy_of_a_mode_is_printed(trailwatch, mode):
    printed = json.loads(trailwatch("iam", "policy", mode))

    actions = {one for statement in printed["Statement"] for one in statement["Action"]}
    assert ("cloudtrail:LookupEvents" in actions) == (mode != "respond")
    assert ("iam:PutUserPolicy" in actions) == (mode == "respond")


@pytest.mark.usefixtures("bob")
def test_undo_leaves_alone_what_another_plan_leans_on(trailwatch, account):
    before = account.picture()
    trailwatch("respond", "apply", "user/bob", "--yes", "--why", "one")
    begun = int(time.time())
    while int(time.time()) == begun:  # what is asked for twice in one second is one plan
        time.sleep(0.05)
    trailwatch("respond", "apply", "user/bob", "--yes", "--why", "two")
    plans = [json.loads(line) for line in trailwatch("respond", "status", "--format", "json").splitlines()]
    first, second = (next(one["plan"] for one in plans if one["why"] == why) for why in ("one", "two"))
    locked = account.picture()

    trailwatch("respond", "undo", first, "--yes", code=1)
    assert account.picture() == locked
    trailwatch("respond", "undo", second, "--yes")
    assert account.picture() == locked
    trailwatch("respond", "undo", first, "--yes")

    assert account.picture() == before
