import io
import json

import msgspec
import pytest
from click.testing import CliRunner

from trailwatch.aws_lambda.assembly import packaged, refuse_unremembered, start_line, write_line
from trailwatch.cli.main import main
from trailwatch.config.automatic import AutomaticPlaybook, AutomaticSettings, AwsLambdaSettings
from trailwatch.config.schema import Config, RespondSettings
from trailwatch.errors import ConfigError
from trailwatch.rules.catalog import load_rules

RESPONDING = Config(
    respond=RespondSettings(automatic=AutomaticSettings(playbooks={"lock-user": AutomaticPlaybook()}))
)


def test_a_package_with_a_configuration_and_compiled_rules_uses_them(tmp_path):
    (tmp_path / "trailwatch.toml").touch()
    (tmp_path / "cache").mkdir()

    found = packaged({"AWS_REGION": "eu-west-1"}, tmp_path)

    assert found == {
        "AWS_REGION": "eu-west-1",
        "TRAILWATCH_CONFIG": str(tmp_path / "trailwatch.toml"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


def test_a_configuration_that_is_named_comes_first_and_nothing_is_made_up(tmp_path):
    (tmp_path / "trailwatch.toml").touch()

    assert packaged({"TRAILWATCH_CONFIG": "/opt/other.toml"}, tmp_path) == {"TRAILWATCH_CONFIG": "/opt/other.toml"}
    assert packaged({}, tmp_path / "nothing") == {}


def test_responding_needs_a_table():
    with pytest.raises(ConfigError, match="cannot respond by itself without a table"):
        refuse_unremembered(RESPONDING)

    refuse_unremembered(Config())
    refuse_unremembered(msgspec.structs.replace(RESPONDING, aws_lambda=AwsLambdaSettings(table="t")))


def test_the_start_and_the_coverage_name_the_same_rules_that_need_memory(tmp_path):
    rules = load_rules([], examples=False)
    line = start_line(rules, Config())

    told = CliRunner().invoke(
        main,
        ["rules", "coverage", "--function", "--format", "json"],
        env={"HOME": str(tmp_path), "XDG_CACHE_HOME": None},
    )

    assert told.exit_code == 0, told.output
    (said,) = [one for one in told.stderr.splitlines() if "need what a function forgets" in one]
    assert (
        said
        == f"{line['off']} rules need what a function forgets and do not run there: {', '.join(line['off_rules'])}"
    )
    named = {slug for row in json.loads(told.stdout) for slug in (*row["alerting"], *row["feeding"])}
    assert named
    assert not named & set(line["off_rules"])
    assert line["table"].startswith("none")
    assert line["rules"] == sum(rule.info.alerting for rule in rules.rules)


def test_a_log_line_is_one_line_of_ascii():
    stream = io.StringIO()

    write_line(stream, {"event": "reject", "reason": "\x1b[2J\n\u2028é"})

    assert stream.getvalue() == '{"trailwatch": "reject", "reason": "\\u001b[2J\\n\\u2028\\u00e9"}\n'
