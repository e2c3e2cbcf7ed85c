import pytest

from trailwatch.store.database import Database
from trailwatch.store.store import Store

from .parts import StandingClock


@pytest.fixture
def clock():
    return StandingClock()


@pytest.fixture
def store(tmp_path):
    with Store(Database(tmp_path / "state.sqlite3")) as opened:
        yield opened
