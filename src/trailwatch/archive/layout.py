"""Where an hour of one account and region lies: CloudTrail's own layout.

`AWSLogs/ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/ACCOUNT_CloudTrail_REGION_YYYYMMDDTHH00Z_trailwatch.json.gz`

Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

UNKNOWN = "unknown"
"""Stands for an account or region whose name cannot be part of a path; names come from logs."""
HOUR_SECONDS = 3600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ACCOUNT = re.compile(r"[A-Za-z0-9]{1,32}")
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_NAME = re.compile(r"([A-Za-z0-9]{1,32})_CloudTrail_([a-z0-9-]{1,32})_([0-9]{8}T[0-9]{2})00Z_trailwatch\.json\.gz")


class Hour(NamedTuple):
    """One file of the archive."""

    start: int
    """Its first second, since 1970."""
    account: str
    region: str
    path: Path


def hour_of(root: Path, account: str, region: str, time: int) -> Hour:
    """The file for an event time in seconds since 1970."""
    start = time - time % HOUR_SECONDS
    moment = _EPOCH + timedelta(seconds=start)
    account = account if _ACCOUNT.fullmatch(account) else UNKNOWN
    region = region if _REGION.fullmatch(region) else UNKNOWN
    day = f"{moment.year:04d}/{moment.month:02d}/{moment.day:02d}"
    stamp = f"{moment.year:04d}{moment.month:02d}{moment.day:02d}T{moment.hour:02d}00Z"
    name = f"{account}_CloudTrail_{region}_{stamp}_trailwatch.json.gz"
    return Hour(start, account, region, root / "AWSLogs" / account / "CloudTrail" / region / day / name)


def hours(root: Path) -> Iterator[Hour]:
    """Every file of the archive, in no order; what else lies there is passed over."""
    for path in root.glob("AWSLogs/*/CloudTrail/*/*/*/*/*_trailwatch.json.gz"):
        hour = hour_in(path)
        if hour is not None:
            yield hour


def hour_in(path: Path) -> Hour | None:
    """The hour that a file of the archive holds; None for any other file."""
    parts = _NAME.fullmatch(path.name)
    if parts is None:
        return None
    account, region, stamp = parts.groups()
    try:
        start = datetime.strptime(stamp + "+0000", "%Y%m%dT%H%z")
    except ValueError:
        return None
    return Hour(int(start.timestamp()), account, region, path)
