from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_demo_catches_the_intruder_and_reads_well_in_a_log(tmp_path):
    """The whole story through the installed command: lab, work, attack, check, mail."""
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--seed", "5", "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert "Logging of a trail was stopped" in done.stdout
    assert "Subject: [trailwatch] CRITICAL" in done.stdout
    assert done.stdout.count("  yes ") == 6
    assert "  NO  " not in done.stdout
    assert (tmp_path / "demo.svg").read_text().startswith("<svg")
    mails = list(tmp_path.glob("mail-*.eml"))
    assert any(b"StopLogging" in mail.read_bytes() for mail in mails)
    assert all(mail.with_suffix(".html").exists() for mail in mails)
