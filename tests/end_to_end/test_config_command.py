"""`trailwatch config`: the file it writes is one it accepts, and what is wrong is said before cron meets it."""

import re
import tomllib

import pytest
from click.testing import CliRunner

from trailwatch.cli.config import TEMPLATE
from trailwatch.cli.main import main
from trailwatch.errors import TrailwatchError

OWN_RULES = "[rules]\nshipped = false\ndirs = ['{}']\n"
BROKEN_RULE = (
    "title: T\nlogsource: {product: aws, service: cloudtrail}\ndetection: {s: {a|contians: b}, condition: s}\n"
)


@pytest.fixture
def run(tmp_path):
    def config(*words, **variables):
        clean = {"TRAILWATCH_CONFIG": None, "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": "", "HOME": str(tmp_path)}
        return CliRunner(env=clean | variables).invoke(main, ["config", *words], catch_exceptions=True)

    return config


def place(tmp_path):
    return tmp_path / ".config/trailwatch/trailwatch.toml"


def test_what_init_writes_is_found_checked_and_never_overwritten(run, tmp_path):
    assert run("init").stdout == f"{place(tmp_path)}\n"
    assert place(tmp_path).parent.stat().st_mode & 0o777 == 0o700
    assert run("check", TRAILWATCH_RULES_SHIPPED="false").stdout.startswith(
        f"{place(tmp_path)}: 0 rules, 1 account(s)"
    )

    again = run("init")
    assert isinstance(again.exception, TrailwatchError)
    assert "is there already" in str(again.exception)


def test_check_says_which_rules_were_skipped_and_lets_no_rule_act_on_the_terminal(run, tmp_path):
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "old.yml").write_text("status: deprecated\n" + BROKEN_RULE.replace("|contians", ""))
    (rules / "bad.yml").write_text(BROKEN_RULE.replace("a|contians", '"a|\\e[2J"'))
    config = tmp_path / "t.toml"
    config.write_text(OWN_RULES.format(rules))
    result = run("check", TRAILWATCH_CONFIG=str(config))
    assert "0 rules" in result.stdout
    assert result.stdout.endswith("; 1 skipped: deprecated or unsupported\n")
    assert "\x1b" not in result.stderr
    assert "bad.yml:3:17: unknown modifier" in result.stderr


def test_check_names_rules_in_routes_that_are_not_there(run, tmp_path):
    config = tmp_path / "t.toml"
    config.write_text('[[route]]\nto = ["console"]\nrules = ["trail_stoped", "trail_*"]\ntags = ["no.such"]\n')
    result = run("check", TRAILWATCH_CONFIG=str(config))

    assert result.stderr.splitlines()[-2:] == [
        "route[1].rules: no rule has 'trail_stoped'; did you mean trail_stopped?",
        "route[1].tags: no rule has 'no.such'",
    ]
    assert isinstance(result.exception, TrailwatchError)


def test_every_setting_that_the_template_mentions_exists(run, tmp_path):
    text = re.sub(r"(?m)^# (?=[\[a-z])", "", TEMPLATE.partition("\n")[2])
    file = tmp_path / "all.toml"
    file.write_text(text)

    result = run("check", TRAILWATCH_CONFIG=str(file), SMTP_PASSWORD="x", TRAILWATCH_RULES_SHIPPED="false")

    assert result.exit_code == 0, result.exception
    assert set(tomllib.loads(text)) == {"check", "guardduty", "canary", "account", "notify", "route", "telling"}


def test_show_says_where_each_value_comes_from_and_holds_no_secret(run, tmp_path):
    file = tmp_path / "some.toml"
    file.write_text(
        "[check]\nlookback = '6m'\n[[notify]]\ntype = 'email'\nname = 'me'\nto = ['a@example.com']\nhost = 'h'\n"
        "user = 'u'\npassword_env = 'SMTP_PASSWORD'\n"
    )
    result = run("show", TRAILWATCH_CONFIG=str(file), TRAILWATCH_CHECK_PACE="1s", SMTP_PASSWORD="hunter2")

    shown = {words[0]: words[1:] for words in map(str.split, result.stdout.splitlines())}
    assert shown["check.lookback"] == ['"6m"', str(file)]
    assert shown["check.pace"] == ['"1s"', "TRAILWATCH_CHECK_PACE"]
    assert shown["check.sweep"] == ['"1d"', "default"]
    assert "hunter2" not in result.stdout


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[check]\nlokback = '5m'", "did you mean check.lookback"),
        ("[check]\nlookback = 'soon'", "expected a duration"),
        ("[[notify]]\ntype = 'email'\nname = 'me'\nhost = 'h'", "to is missing"),
        ("timezone = 'Mars/Base'", "Mars/Base"),
    ],
)
def test_check_refuses_what_a_cycle_would_stumble_over(run, tmp_path, text, what):
    file = tmp_path / "wrong.toml"
    file.write_text(text)

    error = run("check", TRAILWATCH_CONFIG=str(file), TRAILWATCH_RULES_SHIPPED="false").exception

    assert isinstance(error, TrailwatchError)
    assert error.exit_code == 2
    assert what in str(error)


def test_a_broken_rule_is_named_with_its_place(run, tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/bad.yml").write_text(BROKEN_RULE)
    file = tmp_path / "own.toml"
    file.write_text(OWN_RULES.format(tmp_path / "rules"))

    result = run("check", TRAILWATCH_CONFIG=str(file))

    assert isinstance(result.exception, TrailwatchError)
    assert result.exception.exit_code == 2
    assert "bad.yml:3:" in result.stderr
    assert "contians" in result.stderr
