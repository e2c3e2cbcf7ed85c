from __future__ import annotations

import pytest

from trailwatch.config.automatic import AutomaticPlaybook
from trailwatch.config.load import find_file, load, scalar_settings
from trailwatch.config.notifiers import Email
from trailwatch.config.schema import Config
from trailwatch.config.units import format_duration, parse_duration, parse_size
from trailwatch.errors import ConfigError
from trailwatch.model.provenance import Provenance
from trailwatch.model.severity import Severity


def written(tmp_path, text):
    path = tmp_path / "trailwatch.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_without_any_file_the_defaults_hold():
    loaded = load(None, {"HOME": "/nonexistent"})

    assert loaded.config == Config()
    assert {setting.origin for setting in loaded.settings.values()} == {"default"}


def test_a_flag_beats_the_environment_which_beats_the_file(tmp_path):
    path = written(tmp_path, '[check]\nlookback = "10m"\npace = "1s"\nbudget = "40s"\n')
    environment = {"TRAILWATCH_CHECK_LOOKBACK": "20m", "TRAILWATCH_CHECK_PACE": "2s"}

    loaded = load(path, environment, {"check.lookback": "30m"})

    assert (loaded.config.check.lookback, loaded.config.check.pace, loaded.config.check.budget) == (1800, 2, 40)
    assert loaded.settings["check.lookback"].origin == "--lookback"
    assert loaded.settings["check.pace"].origin == "TRAILWATCH_CHECK_PACE"
    assert loaded.settings["check.budget"].origin == path


def test_an_unknown_key_is_refused_with_a_suggestion(tmp_path):
    path = written(tmp_path, '[check]\nlokback = "10m"\n')

    with pytest.raises(ConfigError, match=r"check\.lokback: unknown setting; did you mean check\.lookback\?"):
        load(path, {})


def test_every_problem_is_told_at_once(tmp_path):
    path = written(
        tmp_path,
        '[check]\npace = "soon"\nplan_requests_per_region = "many"\n[[notify]]\ntype = "pigeon"\nname = "x"\n',
    )

    with pytest.raises(ConfigError) as caught:
        load(path, {"TRAILWATCH_CHEKC_PACE": "1s"})

    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert all(part in str(caught.value) for part in ("'soon'", "'many'", "'pigeon'", "TRAILWATCH_CHEKC_PACE"))


def test_notifiers_and_accounts_are_read_as_tables(tmp_path):
    path = written(
        tmp_path,
        '[[notify]]\ntype = "email"\nname = "oncall"\nto = ["a@example.com"]\nmin_severity = "high"\ntimeout = "5s"\n'
        '[[account]]\nname = "prod"\nrole_arn = "arn:aws:iam::111122223333:role/trailwatch"\n',
    )

    config = load(path, {}).config

    assert config.notify == (Email(name="oncall", to=("a@example.com",), min_severity=Severity.HIGH, timeout=5.0),)
    assert config.account[0].name == "prod"


def test_a_missing_required_key_is_named(tmp_path):
    path = written(tmp_path, '[[notify]]\ntype = "email"\nname = "oncall"\n')

    with pytest.raises(ConfigError, match=r"notify\[1\]: to is missing"):
        load(path, {})


def test_a_list_in_the_environment_is_separated_by_commas():
    config = load(None, {"HOME": "/nonexistent", "TRAILWATCH_CHECK_REGIONS": "us-east-1, eu-west-1"}).config

    assert config.check.regions == ("us-east-1", "eu-west-1")


def test_a_boolean_in_the_environment_is_a_word():
    assert load(None, {"HOME": "/x", "TRAILWATCH_CHECK_ALL_EVENTS": "yes"}).config.check.all_events is True
    with pytest.raises(ConfigError, match="TRAILWATCH_CHECK_ALL_EVENTS"):
        load(None, {"HOME": "/x", "TRAILWATCH_CHECK_ALL_EVENTS": "perhaps"})


def test_the_current_directory_is_never_searched(tmp_path, monkeypatch):
    written(tmp_path, "[check]\n")
    monkeypatch.chdir(tmp_path)

    assert find_file(None, {"HOME": str(tmp_path / "nobody")}) is None


def test_a_named_file_that_is_not_there_is_an_error():
    with pytest.raises(ConfigError, match="no such configuration file"):
        load("/nonexistent/trailwatch.toml", {})


def test_broken_toml_names_the_file(tmp_path):
    path = written(tmp_path, "[check\n")

    with pytest.raises(ConfigError, match=r"trailwatch\.toml: cannot be read as TOML"):
        load(path, {})


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("1.5h", 5400), ("30d", 2592000), (" 2w ", 1209600)]
)
def test_durations_read_as_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5s", "5 parsecs", "1e3s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "size"), [("4096", 4096), ("64MiB", 64 << 20), ("10kB", 10000)])
def test_sizes_read_as_bytes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("seconds", [0.55, 1, 90, 900, 3600, 86400, 7776000])
def test_durations_survive_being_written(seconds):
    assert parse_duration(format_duration(seconds)) == seconds


def test_every_scalar_setting_can_be_set_from_the_environment():
    for dotted in scalar_settings():
        variable = "TRAILWATCH_" + dotted.upper().replace(".", "_")
        try:
            load(None, {"HOME": "/x", variable: "1"})
        except ConfigError as error:
            assert "unknown setting" not in str(error), variable  # noqa: PT017 the claim is about the text


def test_a_section_within_a_section_has_dotted_names(tmp_path):
    path = written(tmp_path, '[respond.automatic]\nper_hour = 5\nmax_age = "30m"\nsources = ["trail-bucket"]\n')

    loaded = load(path, {"TRAILWATCH_RESPOND_AUTOMATIC_PER_DAY": "7"})

    automatic = loaded.config.respond.automatic
    assert (automatic.per_hour, automatic.per_day, automatic.max_age) == (5, 7, 1800)
    assert automatic.sources == (Provenance.TRAIL_BUCKET,)
    assert loaded.settings["respond.automatic.per_hour"].origin == path
    assert loaded.settings["respond.automatic.per_day"].origin == "TRAILWATCH_RESPOND_AUTOMATIC_PER_DAY"


def test_a_table_for_each_playbook_may_be_empty_and_holds_durations(tmp_path):
    path = written(
        tmp_path,
        '[respond.automatic.playbooks.lock-user]\n[respond.automatic.playbooks.leaked-key]\napproval = "10m"\n'
        'min_severity = "high"\non_silence = "act"\n',
    )

    playbooks = load(path, {}).config.respond.automatic.playbooks

    assert playbooks["lock-user"] == AutomaticPlaybook()
    assert playbooks["leaked-key"] == AutomaticPlaybook(approval=600, min_severity=Severity.HIGH, on_silence="act")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[respond.automatic]\nper_huor = 5\n", r"respond\.automatic\.per_huor: unknown setting; did you mean"),
        ("[respond.automatic.playbooks.x]\napproval = 'soon'\n", r"respond\.automatic\.playbooks: .*soon"),
        ("[respond.automatic.playbooks.x]\naproval = '1m'\n", r"respond\.automatic\.playbooks: .*aproval"),
        ("[respond.automatic]\nplaybooks = 'all'\n", r"respond\.automatic\.playbooks: expected `object`"),
        ("[respond]\nautomatic = true\n", r"respond\.automatic: unknown setting"),
    ],
)
def test_what_is_wrong_within_sections_is_told(tmp_path, text, problem):
    with pytest.raises(ConfigError, match=problem):
        load(written(tmp_path, text), {})
