import os
import tempfile
from pathlib import Path

import pytest

from trailwatch.testing import FixedClock

from .parts import START


@pytest.fixture
def clock():
    return FixedClock.at(START)


@pytest.fixture
def memory(tmp_path):
    """A folder in memory where the machine has one: what a process leaves when it dies is the same there."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)
