import platform
from pathlib import Path

import pytest

from trailwatch.cli.scan_batch import give_memory_back


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_giving_memory_back_is_harmless_anywhere():
    give_memory_back()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries give memory back by themselves")
def test_what_was_freed_below_something_that_stays_is_given_back():
    give_memory_back()
    blocks = [b"x" * 60_000 for _ in range(2000)]
    stays = blocks.pop()
    del blocks
    before = resident_bytes()

    give_memory_back()

    assert before - resident_bytes() > 60_000_000
    assert len(stays) == 60_000
