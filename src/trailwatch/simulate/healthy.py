"""A healthy month: what a small company's accounts write to CloudTrail when nobody is inside.

People with their own hours and addresses, a pipeline that deploys, services that scale, back up and log, and the
rare things that look bad and are not: a new colleague, a rotated key, a forgotten password, a refused call.
Rules are measured against it, so it is drawn from how accounts are run, never from what the rules look for.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from trailwatch.simulate.machines import deploy, services, terraform
from trailwatch.simulate.people import workday
from trailwatch.simulate.scribe import BROWSER, OFFICE, PEOPLE, Record, Scribe, letters


def month(seed: int, *, start: datetime, days: int = 30, account: str = "210987654321") -> Iterator[Record]:
    """Records of `days` healthy days, oldest first; the same seed gives the same records.

    Args:
        seed: decides everything that is drawn.
        start: midnight of the first day, aware.
        days: how many days; a weekday has about 900 events, a Saturday or Sunday about 450.
        account: the account that all of it happens in.
    """
    scribe = Scribe(random.Random(seed), account)
    for day in range(days):
        yield from sorted(
            _day(scribe, start + timedelta(days=day), day), key=lambda r: (r["eventTime"], r["eventID"])
        )


def _day(scribe: Scribe, midnight: datetime, number: int) -> list[Record]:
    scribe.out = []
    services(scribe, midnight)
    if midnight.astimezone(UTC).weekday() < 5:
        for person in PEOPLE:
            if scribe.rng.random() < 0.9:
                workday(scribe, person, midnight)
        for _ in range(scribe.rng.randint(3, 7)):
            deploy(scribe, midnight + timedelta(hours=scribe.rng.uniform(8, 18)))
        if number % 2 == 0:
            terraform(scribe, midnight + timedelta(hours=scribe.rng.uniform(9, 16)))
    if number == 3:
        _new_colleague(scribe, midnight + timedelta(hours=10))
    if number == 12:
        _rotate_key(scribe, midnight + timedelta(hours=11))
    return scribe.out


def _new_colleague(scribe: Scribe, at: datetime) -> None:
    admin = PEOPLE[0]
    who = scribe.who(admin, at)
    calls: list[tuple[str, Record]] = [
        ("CreateUser", {"userName": "gita"}),
        ("AddUserToGroup", {"userName": "gita", "groupName": "support"}),
        ("CreateLoginProfile", {"userName": "gita", "passwordResetRequired": True}),
    ]
    for second, (name, request) in enumerate(calls):
        scribe.add(at + timedelta(seconds=20 * second), who, "iam", name, admin.home, BROWSER, request=request)
    gita = scribe.user("gita", at, mfa=False)
    later = at + timedelta(hours=1)
    scribe.add(
        later, gita, "iam", "CreateVirtualMFADevice", OFFICE, BROWSER, request={"virtualMFADeviceName": "gita"}
    )
    scribe.add(later, gita, "iam", "EnableMFADevice", OFFICE, BROWSER, request={"userName": "gita"})


def _rotate_key(scribe: Scribe, at: datetime) -> None:
    who = scribe.user("eva", at)
    new = {"accessKey": {"userName": "eva", "accessKeyId": "AKIA" + letters(scribe.rng, 16), "status": "Active"}}
    scribe.add(at, who, "iam", "CreateAccessKey", OFFICE, BROWSER, request={"userName": "eva"}, response=new)
    old = {"userName": "eva", "accessKeyId": "AKIA" + letters(scribe.rng, 16), "status": "Inactive"}
    scribe.add(at + timedelta(minutes=20), who, "iam", "UpdateAccessKey", OFFICE, BROWSER, request=old)
    gone = {"userName": "eva", "accessKeyId": old["accessKeyId"]}
    scribe.add(at + timedelta(days=0, hours=5), who, "iam", "DeleteAccessKey", OFFICE, BROWSER, request=gone)
