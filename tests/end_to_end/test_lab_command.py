from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TRAILWATCH = str(Path(sys.executable).with_name("trailwatch"))


@contextmanager
def running_lab(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    lab = subprocess.Popen(
        [TRAILWATCH, "lab", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        assert lab.stdout
        exported = {}
        while "AWS_SHARED_CREDENTIALS_FILE" not in exported:
            line = lab.stdout.readline()
            assert line, f"the lab ended: {lab.stderr.read() if lab.stderr else ''}"
            word, _, pair = line.strip().partition(" ")
            assert word == "export"
            name, _, value = pair.partition("=")
            exported[name] = value
        yield lab, exported
    finally:
        lab.kill()
        lab.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_lab_prints_what_to_export_and_ends_cleanly(number):
    with running_lab("--seed", "3", "--fault", "latency=1ms") as (lab, exported):
        port = int(exported["AWS_ENDPOINT_URL"].rpartition(":")[2])
        door = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        door.request("POST", "/lab/console-login", "{}")
        assert door.getresponse().status == 200
        door.close()
        lab.send_signal(number)
        rest, errors = lab.communicate(timeout=120)

    assert exported["AWS_ACCESS_KEY_ID"].startswith("AKIA")
    assert lab.returncode == 0
    assert rest == ""
    assert errors == "the lab runs; end it with Ctrl-C\n"
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--fault", "boom=1"], "cannot read 'boom=1'"),
        (["--visibility-delay", "soon"], "got 'soon'"),
        (["--lookup-rate", "-1"], "got -1"),
    ],
)
def test_wrong_options_are_a_usage_error(options, said):
    done = subprocess.run([TRAILWATCH, "lab", *options], capture_output=True, text=True, check=False, timeout=200)

    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_a_port_in_use_is_said_so():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [TRAILWATCH, "lab", "--port", str(port)], capture_output=True, text=True, check=False, timeout=200
        )

    assert done.returncode == 1
    assert f"error: --port: {port}: Address already in use; choose another port, or 0" in done.stderr


def test_without_moto_the_extra_is_named(tmp_path):
    (tmp_path / "moto").mkdir()
    (tmp_path / "moto" / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'moto'\", name='moto')\n"
    )
    done = subprocess.run(
        [TRAILWATCH, "lab"],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )

    assert done.returncode == 1
    assert "pip install 'trailwatch-aws[lab]'" in done.stderr
