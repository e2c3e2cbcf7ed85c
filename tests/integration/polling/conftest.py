import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from trailwatch.lab.limits import Limits
from trailwatch.lab.server import Lab
from trailwatch.store.database import Database
from trailwatch.store.store import Store

COMMAND = str(Path(sys.executable).parent / "trailwatch")


@pytest.fixture
def lab():
    with Lab(limits=Limits(lookup_rate=None), seed=3) as running:
        yield running


class Machine:
    """A home folder, a configuration and the command, pointed at the lab."""

    def __init__(self, lab, folder, cache):
        self.lab = lab
        self.folder = folder
        self.state = folder / "state.sqlite3"
        self.archive = folder / "archive"
        self.config = folder / "trailwatch.toml"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TRAILWATCH_"))},
            **lab.environment(),
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(cache),
            "PATH": f"{Path(COMMAND).parent}:{os.environ['PATH']}",
        }
        self.configure()

    def configure(self, check="pace = '0.01s'", more=""):
        self.config.write_text(
            f"[store]\npath = '{self.state}'\n[archive]\npath = '{self.archive}'\n[check]\n{check}\n{more}\n"
        )
        self.environment["TRAILWATCH_CONFIG"] = str(self.config)

    def add_rule(self, name, level, event_name):
        """Writes a rule to the folder `rules`."""
        folder = self.folder / "rules"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.yml").write_text(
            f"title: {name}\nid: {uuid.uuid5(uuid.NAMESPACE_OID, name)}\nname: {name}\nstatus: test\nlevel: {level}\n"
            "logsource:\n  product: aws\n  service: cloudtrail\n"
            f"detection:\n  selection:\n    eventName: {event_name}\n  condition: selection\n"
        )

    def run(self, *words, timeout=240):
        return subprocess.run(
            [COMMAND, *words],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *words):
        return subprocess.Popen(
            [COMMAND, *words],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def store(self):
        return Store(Database(self.state))

    def lookups(self, region=""):
        """LookupEvents calls that reached the lab."""
        return [
            call for call in self.lab.calls.copy() if call.operation == "LookupEvents" and region in ("", call.region)
        ]


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """Compiled rules, which every run here may share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def machine(lab, tmp_path, cache):
    return Machine(lab, tmp_path, cache)
