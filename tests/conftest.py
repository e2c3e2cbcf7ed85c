"""What tests of every folder may ask for."""

import pytest
from click.testing import CliRunner

from trailwatch.cli.main import main
from trailwatch.store.database import Database
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock


def run_command(*words, code=0, environment=None, stdin=None):
    """Runs `trailwatch` in this process: its result, once it left with `code`.

    An error that would be one line on stderr is raised.
    """
    result = CliRunner(env=environment).invoke(main, [*map(str, words)], input=stdin, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="session")
def command():
    return run_command


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def store(tmp_path):
    with Store(Database(tmp_path / "state.sqlite3")) as opened:
        yield opened
