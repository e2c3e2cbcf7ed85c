import pytest

from trailwatch import wiring
from trailwatch.config.load import load


def places(tmp_path, text="", environment=None):
    path = tmp_path / "trailwatch.toml"
    path.write_text(text)
    return load(str(path), environment or {})


def test_suppressions_lie_beside_the_configuration_file_unless_it_says_otherwise(tmp_path):
    loaded = places(tmp_path)

    assert loaded.config.suppressions.folder == str(tmp_path / "suppressions.d")
    assert loaded.settings["suppressions.folder"].origin == f"beside {tmp_path / 'trailwatch.toml'}"
    named = places(
        tmp_path, '[suppressions]\nfolder = "quiet"\ndirs = ["shared", "/etc/quiet"]\n'
    ).config.suppressions
    assert (named.folder, named.dirs) == (str(tmp_path / "quiet"), (str(tmp_path / "shared"), "/etc/quiet"))


def test_the_folder_need_not_be_there_and_a_named_one_must(tmp_path):
    config = places(tmp_path, '[suppressions]\ndirs = ["shared"]\n').config

    assert wiring.suppression_places(config) == [tmp_path / "shared"]
    (problem,) = wiring.load_suppressions(config, {"HOME": str(tmp_path)}).problems
    assert problem.origin == str(tmp_path / "shared")
    (tmp_path / "suppressions.d").mkdir()
    assert wiring.suppression_places(config) == [tmp_path / "suppressions.d", tmp_path / "shared"]


@pytest.mark.parametrize("environment", [{}, {"HOME": "/nowhere"}])
def test_without_a_configuration_there_are_none(environment):
    config = load(None, {"XDG_CONFIG_HOME": "/nowhere", **environment}).config

    assert config.suppressions.folder == ""
    assert wiring.suppression_places(config) == []


def test_the_environment_can_name_the_folder(tmp_path):
    loaded = places(tmp_path, environment={"TRAILWATCH_SUPPRESSIONS_FOLDER": "/srv/quiet"})

    assert loaded.config.suppressions.folder == "/srv/quiet"


def test_retention_is_what_the_configuration_says(tmp_path):
    kept = wiring.retention_of(places(tmp_path, '[retention]\nalerts = "10d"\nsuppressed = "1h"\n').config)

    assert (kept.alerts, kept.suppressed, kept.messages) == (864000, 3600, 90 * 86400)
