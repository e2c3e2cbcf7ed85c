"""Mails in a real browser, as wide as a phone and as a desktop: nothing sticks out, is loaded or runs."""

import html
import os
import re
import shutil
import subprocess
from datetime import UTC

import msgspec
import pytest

from trailwatch.detect.telling import digest_of, flood_of, updates_of
from trailwatch.model.message import Kind
from trailwatch.notify.wording import as_html

BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
PHONE, DESKTOP = 390, 1200
WIDE = "arn:aws:iam::123456789012:role/" + "very-long-name-without-a-break" * 6
RUN = "parent.document.title='ran'"
EVIL = f"<script>{RUN}</script><img src='http://127.0.0.1:1/x' onerror=\"{RUN}\">"

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH")

MEASURE = """
<script>
window.onload = () => {
  const found = [...document.querySelectorAll('iframe')].map(frame => {
    const page = frame.contentDocument.documentElement;
    const small = [...frame.contentDocument.querySelectorAll('td, div, li, span')].filter(
      one => one.innerText.trim() && parseFloat(getComputedStyle(one).fontSize) < 11 && one.innerText.trim() !== '');
    return [frame.name, page.scrollWidth, frame.contentDocument.images.length, small.length].join(' ');
  });
  document.body.innerText = [document.title, ...found, 'END'].join('|');
};
</script>
"""


def messages(samples):
    attack = samples.attack()
    wide = samples.record(requestParameters={"name": WIDE}, userAgent=WIDE)
    evil = samples.record(userAgent=EVIL, requestParameters={"name": EVIL})
    alerts = [msgspec.structs.replace(alert, incident="c7e24e62338e") for alert in attack.alerts]
    many = [
        msgspec.structs.replace(alert, id=f"{alert.id}{number}", principal=f"{WIDE}{number}", actor=WIDE)
        for number in range(20)
        for alert in alerts
    ]
    return {
        "attack": attack,
        "wide": samples.message(samples.alert(samples.evidence(wide, reason=WIDE), title=WIDE)),
        "evil": samples.message(samples.alert(samples.evidence(evil, reason=EVIL), title=EVIL)),
        "update": updates_of(alerts, {alerts[1].id: 1}, samples.start)[0],
        "flood": flood_of(many, samples.start),
        "digest": digest_of(many, "daily", samples.start),
        "response": samples.message(
            kind=Kind.RESPONSE,
            headline="locked user mallory",
            body=WIDE,
            commands=(f"trailwatch respond undo {WIDE}",),
        ),
    }


def test_no_mail_is_wider_than_a_phone_or_a_desktop_and_none_runs_or_loads_anything(samples, tmp_path):
    frames = [
        f'<iframe name="{name}-{width}" width="{width}" srcdoc="{html.escape(as_html(message, UTC))}"></iframe>'
        for name, message in messages(samples).items()
        for width in (PHONE, DESKTOP)
    ]
    page = tmp_path / "page.html"
    page.write_text(f"<!DOCTYPE html><title>calm</title>{MEASURE}<body>{''.join(frames)}", encoding="utf-8")

    done = subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"),
            *(f"--user-data-dir={tmp_path}/profile", page.as_uri()),
        ],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    shown = re.search(r"(\w+)\|(.*)\|END", done.stdout, re.DOTALL)
    assert shown, done.stdout[-500:]
    assert shown[1] == "calm"
    measured = {name: tuple(map(int, rest)) for name, *rest in map(str.split, shown[2].split("|"))}
    assert len(measured) == len(frames)
    assert {name: width for name, (width, _, _) in measured.items() if width > int(name.rpartition("-")[2])} == {}
    assert {name: images for name, (_, images, _) in measured.items() if images} == {}
    assert {name: small for name, (_, _, small) in measured.items() if small} == {}, "nothing too small to read"
