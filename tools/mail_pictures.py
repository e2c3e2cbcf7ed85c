# ruff: noqa: INP001, T201 a program that prints, not a package
"""Makes the pictures of mails in docs/img: an attack goes through the rules, its mail through a real browser.

    .venv/bin/python tools/mail_pictures.py [FOLDER]

Needs Chromium on the PATH.
"""

from __future__ import annotations

import html
import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from trailwatch.announcing import Announcer
from trailwatch.config.notifiers import Console, TellingSettings
from trailwatch.detect.engine import Engine
from trailwatch.detect.routing import Routing
from trailwatch.model.message import Message
from trailwatch.model.severity import Severity
from trailwatch.notify.wording import as_html
from trailwatch.pipeline import Pipeline
from trailwatch.ports import Delivery
from trailwatch.rules.catalog import load_rules
from trailwatch.store.database import Database
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock, event

ACCOUNT = "111122223333"
BEGIN = datetime(2026, 3, 2, 9, 11, 2, tzinfo=UTC)
MADRID = ZoneInfo("Europe/Madrid")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PICTURES = {
    "mail-desktop.png": ("attack", 1200, 1500),
    "mail-phone.png": ("attack", 390, 1700),
    "mail-flood.png": ("flood", 1000, 1200),
    "mail-flood-phone.png": ("flood", 390, 1500),
}
"""File -> message, width and height."""


def call(seconds: int, name: str, source: str, region: str, user: str = "backup", **more: Any) -> dict[str, Any]:
    moment = BEGIN + timedelta(seconds=seconds)
    return event(
        name,
        change={
            "userIdentity.userName": user,
            "userIdentity.arn": f"arn:aws:iam::{ACCOUNT}:user/{user}",
            "userIdentity.principalId": f"AIDAEXAMPLE{user.upper()}",
            "userIdentity.accessKeyId": f"AKIAEXAMPLE{user.upper().replace('-', ''):0<9}",
        },
        eventSource=f"{source}.amazonaws.com",
        eventTime=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        eventID=f"{seconds:08d}-0000-4000-8000-{zlib.crc32(f'{name} {region} {user}'.encode()):012d}",
        awsRegion=region,
        sourceIPAddress="203.0.113.77",
        userAgent="python-requests/2.32.3",
        **more,
    )


def attack() -> list[dict[str, Any]]:
    """A key for somebody else, rights, and then the lights go out in three regions."""
    trail = {"name": f"arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/management"}
    detectors = [
        call(116 + 4 * at, "DeleteDetector", "guardduty", region, requestParameters={"detectorId": f"d{at}"})
        for at, region in enumerate(("eu-west-1", "us-east-1", "ap-southeast-2"))
    ]
    return [
        call(0, "CreateAccessKey", "iam", "us-east-1", requestParameters={"userName": "admin"}),
        call(
            38, "AttachUserPolicy", "iam", "us-east-1",
            requestParameters={"userName": "backup", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
        ),
        call(73, "StopLogging", "cloudtrail", "eu-west-1", requestParameters=trail),
        *detectors,
    ]  # fmt: skip


def flood() -> list[dict[str, Any]]:
    """Many users stop trails and make keys for others within a minute."""
    return [
        record
        for number in range(14)
        for record in (
            call(number, "StopLogging", "cloudtrail", "eu-west-1", f"deploy-{number:02d}"),
            call(number + 20, "CreateAccessKey", "iam", "us-east-1", f"deploy-{number:02d}",
                 requestParameters={"userName": "admin"}),
            call(number + 40, "DeleteDetector", "guardduty", "eu-west-1", f"deploy-{number:02d}"),
        )
    ]  # fmt: skip


def told(records: list[dict[str, Any]]) -> Message:
    """The first message that a notifier gets of them."""
    clock = FixedClock(BEGIN + timedelta(minutes=4))
    rules = load_rules([])
    with Store(Database(":memory:")) as store:
        routing = Routing.of([Console(name="mail", min_severity=Severity.MEDIUM)])
        announcer = Announcer(store, routing, TellingSettings(), UTC)
        pipeline = Pipeline(Engine(rules), store, None, clock, {}, rules, announcer=announcer)
        bodies = [msgspec.Raw(msgspec.json.encode(record)) for record in records]
        pipeline.process(Delivery("sample", bodies, range(len(bodies))))
        pipeline.announce(int(clock.now().timestamp()))
        return store.outbox.entries(limit=-1)[0].message


def photograph(browser: str, page: str, picture: Path, width: int, height: int) -> None:
    """The page in a window of that size, as a picture."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mail.html"
        # a phone lays out a mail in its own width; so does a frame, whatever width a window may have at least
        style = f"border:0;margin:0;display:block;width:{width}px;height:{height}px"
        file.write_text(
            f'<!DOCTYPE html><body style="margin:0"><iframe srcdoc="{html.escape(page)}" style="{style}"></iframe>',
            encoding="utf-8",
        )
        subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *(f"--user-data-dir={folder}/profile", f"--screenshot={picture}"),
                *(f"--window-size={width},{height}", file.as_uri()),
            ],
            check=True,
            capture_output=True,
            env={**os.environ, "HOME": folder},
        )


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs" / "img"
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise SystemExit(f"none of {', '.join(BROWSERS)} is on the PATH")
    pages = {"attack": as_html(told(attack()), MADRID), "flood": as_html(told(flood()), MADRID)}
    for name, (message, width, height) in PICTURES.items():
        photograph(browser, pages[message], folder / name, width, height)
        print(folder / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
