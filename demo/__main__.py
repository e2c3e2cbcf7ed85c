"""An intruder in a simulated account: begun with a leaked key, caught by one `trailwatch check`, locked out.

    python -m demo [--seed N] [--folder DIR]

Ends with 0 when the intruder was caught and the mail arrived, with 1 otherwise. Leaves the mails, the configuration
and a picture of the screen in .demo/ or that folder.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from demo.lock_out import lock_out
from demo.parts import RECIPIENT, DemoError, Inbox, Trailwatch, running_lab, running_mail_server
from demo.screen import Screen
from trailwatch.clock import SystemClock
from trailwatch.errors import TrailwatchError
from trailwatch.simulate.company import Company, found
from trailwatch.simulate.intruder import ADDRESS, BACK_DOOR, Loot, break_in
from trailwatch.simulate.ordinary import work
from trailwatch.simulate.stage import Seat, Stage, Step, open_stage

FOLDER = Path(__file__).resolve().parents[1] / ".demo"
_DEEDS = {
    "sts:get_caller_identity": "asks whose key it is",
    "secretsmanager:batch_get_secret_value": "empties the store of secrets",
    "iam:create_user": f"makes a user, {BACK_DOOR}",
    "iam:attach_user_policy": "gives it administrator rights",
    "iam:create_access_key": "takes an access key for it",
    "signin:ConsoleLogin": "signs in to the console with it",
    "sts:assume_role": "becomes the role org-admin",
    "cloudtrail:stop_logging": "stops the trail",
    "ec2:authorize_security_group_ingress": "opens port 22 to the world",
    "ec2:modify_snapshot_attribute": "shares a disk with an account of its own",
    "s3:put_bucket_policy": "makes the customers' bucket public",
    "ec2:run_instances": "starts large machines in a region that nobody uses",
}


def main() -> int:
    """Plays the demonstration; the exit code."""
    options = argparse.ArgumentParser(prog="python -m demo", description="Catch an intruder in a simulated account.")
    options.add_argument("--seed", type=int, default=1, help="of everything that varies (default 1)")
    options.add_argument("--folder", type=Path, default=FOLDER, help="where mails and picture go (default .demo)")
    wishes = options.parse_args()
    seed, folder = wishes.seed, wishes.folder
    screen = Screen()
    folder.mkdir(exist_ok=True)
    try:
        with (
            running_lab(seed) as variables,
            running_mail_server() as (inbox, port),
            tempfile.TemporaryDirectory() as home,
        ):
            screen.title("trailwatch: an intruder in a simulated AWS account")
            screen.step("The stage")
            screen.line(f"a simulated AWS account at {variables['AWS_ENDPOINT_URL']}, a mail server on port {port}")
            caught = play(screen, variables, inbox, port, Trailwatch(Path(home), variables), folder, seed)
    except (DemoError, TrailwatchError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    screen.save(folder / "demo.svg")
    return 0 if caught else 1


def play(
    screen: Screen,
    variables: Mapping[str, str],
    inbox: Inbox,
    port: int,
    trailwatch: Trailwatch,
    folder: Path,
    seed: int,
) -> bool:
    """The story from the empty account to the lock-out; whether all of it went as it should."""
    chance = random.Random(seed)  # noqa: S311 a story that can be repeated
    stage, administrator = open_stage(variables, clock=SystemClock(), chance=chance)
    try:
        company, before = _move_in(screen, stage, administrator, trailwatch)
        # rules over time may conclude from the setting up after the first look
        opened = f"{SystemClock().now():%Y-%m-%dT%H:%M:%SZ}"
        loot = _work_and_break_in(screen, stage, company)
        proofs = _catch(screen, inbox, port, trailwatch, folder, (before, opened))
        new = _new_alerts(trailwatch, before, opened)
        proofs.append(lock_out(screen, stage, company, loot, administrator, trailwatch, new))
    finally:
        stage.close()
    screen.verdict(proofs)
    screen.line(f"mails, configuration and a picture of this are in {folder.name}/", "dim")
    return all(good for good, _ in proofs)


def _catch(
    screen: Screen, inbox: Inbox, port: int, trailwatch: Trailwatch, folder: Path, known: tuple[set[str], str]
) -> list[tuple[bool, str]]:
    """What cron does a minute later, and what that proves."""
    screen.step("One minute later, cron runs")
    screen.command("trailwatch check")
    (folder / "trailwatch.toml").write_text(trailwatch.configure(port).read_text())
    done = trailwatch.run("check")
    screen.line(done.stdout.strip(), "green")
    new = _new_alerts(trailwatch, *known)
    screen.alerts(new)
    saved = _save_mails(inbox, folder)
    mails = inbox.mails()
    if mails:
        worst = max(range(len(mails)), key=lambda at: "critical" in str(mails[at]["Subject"]).lower())
        screen.mail(mails[worst], saved[worst])
    return judge(new, mails)


def _new_alerts(trailwatch: Trailwatch, before: set[str], opened: str) -> list[dict[str, Any]]:
    return [one for one in trailwatch.alerts() if one["alert_id"] not in before and one["last_time"] >= opened]


def _move_in(screen: Screen, stage: Stage, administrator: Seat, trailwatch: Trailwatch) -> tuple[Company, set[str]]:
    screen.step("A company moves in, and trailwatch takes a first look")
    company = found(stage, administrator)
    screen.line(f"{len(stage.script)} calls by {administrator.name}: people, roles, a trail, secrets, servers")
    trailwatch.configure(None)
    screen.line(trailwatch.run("check").stdout.strip(), "dim")
    known = trailwatch.alerts()
    screen.line(f"{len(known)} alerts about the setting up itself; nobody is mailed about those")
    return company, {alert["alert_id"] for alert in known}


def _work_and_break_in(screen: Screen, stage: Stage, company: Company) -> Loot:
    begin = len(stage.script)
    work(stage, company)
    done = stage.script[begin:]
    screen.step("People work")
    screen.line(f"{len(done)} calls by {', '.join(sorted({step.who for step in done}))}")
    begin = len(stage.script)
    loot = break_in(stage, company)
    deeds = stage.script[begin:]
    screen.step(f"Somebody else has dana's access key, and uses it from {ADDRESS}")
    screen.line(f"{len(deeds)} calls; among them, the intruder")
    for text in _told(deeds):
        screen.line(f"  - {text}", "red")
    return loot


def _told(deeds: Sequence[Step]) -> list[str]:
    return list(dict.fromkeys(_DEEDS[step.what] for step in deeds if step.what in _DEEDS and step.outcome == "ok"))


def _save_mails(inbox: Inbox, folder: Path) -> list[Path]:
    for old in [*folder.glob("mail-*.eml"), *folder.glob("mail-*.html")]:
        old.unlink()
    saved = []
    for number, (raw, mail) in enumerate(zip(inbox.raw, inbox.mails(), strict=True), 1):
        path = folder / f"mail-{number}.eml"
        path.write_bytes(raw)
        page = mail.get_body(preferencelist=("html",))
        if page:
            path.with_suffix(".html").write_text(str(page.get_content()))
        saved.append(path)
    return saved


def judge(alerts: Sequence[Mapping[str, Any]], mails: Sequence[EmailMessage]) -> list[tuple[bool, str]]:
    """What the demonstration has to show, each with whether it did."""
    intruder = {
        "dana's leaked key": ":user/dana",
        "the back door": f":user/{BACK_DOOR}",
        "the stolen role": ":role/org-admin",
    }
    proofs = [
        (any(alert["principal"].endswith(end) for alert in alerts), f"the intruder was seen through {name}")
        for name, end in intruder.items()
    ]
    # an alert over several events may begin with work that the intruder built on
    others = [
        alert
        for alert in alerts
        if not alert["principal"].endswith(tuple(intruder.values())) and ADDRESS not in alert["source_ips"]
    ]
    texts = [str(body.get_content()) for mail in mails if (body := mail.get_body(preferencelist=("plain",)))]
    proofs.append((any("StopLogging" in text and ADDRESS in text for text in texts), f"{RECIPIENT} was told by mail"))
    proofs.append((not others, f"nobody at work was accused ({len(others)} alerts)"))
    return proofs


if __name__ == "__main__":
    sys.exit(main())
