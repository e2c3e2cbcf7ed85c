"""What one cycle did, and the one line that says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from trailwatch.model.alert import Alert
from trailwatch.model.match import Tally
from trailwatch.model.message import Message
from trailwatch.model.severity import Severity

GOOD, PARTIAL, FAILED, BUSY, STOPPED = "good", "partial", "failed", "busy", "stopped"
EXIT_CODES = {GOOD: 0, PARTIAL: 3, FAILED: 1, BUSY: 0, STOPPED: 0}
LISTED = 3
"""How many regions the summary names before it counts the rest."""


class RegionReport(msgspec.Struct):
    """What was read in one account and region."""

    account: str
    region: str
    """`*` for an account whose regions could not even be listed."""
    requests: int = 0
    """HTTP attempts, retries included."""
    lookups: int = 0
    """Windows that were read."""
    error_kind: str = ""
    """denied, throttled, unreachable or invalid; empty when the region was read."""
    error: str = ""
    behind_seconds: int = 0
    """Age of the oldest event that may not have been read yet; 0 when there is no gap."""
    waiting: list[str] = []
    """Event names of the plan that this cycle did not reach."""
    waiting_seconds: int = 0
    """The longest that one of them was not read."""


class CycleReport(msgspec.Struct):
    """What one cycle did."""

    started: datetime
    outcome: str = GOOD
    regions: list[RegionReport] = []
    tally: Tally = msgspec.field(default_factory=Tally)
    messages: list[Message] = []
    """What was told in this cycle, by principal, whoever gets it."""
    notices: list[Message] = []
    """What was told about trailwatch itself, such as regions that cannot be read."""
    sent: int = 0
    waiting: int = 0
    """Messages that still have to leave."""
    dead: int = 0
    """Messages that were given up."""
    errors: dict[str, str] = {}
    """The last error of each notifier that had one."""
    overdue: dict[str, int] = {}
    """Notifiers whose oldest message failed again and is late, with its age in seconds."""
    problems: list[str] = []
    """What somebody should look at, besides regions that cannot be read."""
    seconds: float = 0.0
    running_since: float = 0.0
    """For a busy outcome: when the other run began, in seconds since 1970."""
    sources: list[RegionReport] = []
    """What else was asked in this cycle, such as `eu-west-1/GuardDuty`."""
    findings: int = 0
    """Of the new events, those that are findings of GuardDuty."""
    late: dict[str, int] = {}
    """`account/region` to seconds, of those not read for too long; history that is caught up is not late."""

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.outcome]

    @property
    def alerts(self) -> list[Alert]:
        return [alert for message in self.messages for alert in message.alerts]

    @property
    def requests(self) -> int:
        return sum(region.requests for region in self.regions)

    @property
    def unread(self) -> list[RegionReport]:
        return [region for region in self.regions if region.error_kind]

    @property
    def unread_sources(self) -> list[RegionReport]:
        return [source for source in self.sources if source.error_kind]

    @property
    def behind(self) -> list[RegionReport]:
        """Regions that have gaps, those that are furthest behind first."""
        found = [region for region in self.regions if region.behind_seconds]
        return sorted(found, key=lambda region: (-region.behind_seconds, region.account, region.region))

    def line(self) -> str:
        """One line for a log."""
        stamp = f"{self.started:%Y-%m-%dT%H:%M:%SZ}"
        if self.outcome == BUSY:
            since = datetime.fromtimestamp(self.running_since, UTC) if self.running_since else None
            when = f" since {since:%H:%M:%SZ}" if since else ""
            return f"{stamp} busy: another run is active{when}, nothing to do"
        parts = [self._work(), *self._shortcomings(), f"{self.seconds:.1f} s"]
        return f"{stamp} {self.outcome}: {'; '.join(parts)}"

    def _work(self) -> str:
        read, findings = len(self.regions) - len(self.unread), _count(self.findings, "finding")
        parts = [
            _count(read, "region"),
            _count(self.requests, "request"),
            _count(self.tally.events, "new event") + (f" ({findings})" if self.findings else ""),
            _count(len(self.alerts), "alert") + _severities(self.alerts),
            _count(self.sent, "message") + " sent",
        ]
        return ", ".join(parts)

    def _shortcomings(self) -> list[str]:
        parts = []
        if self.unread or self.unread_sources:
            kinds: dict[str, list[str]] = {}
            for one in (*self.unread, *self.unread_sources):
                kinds.setdefault(one.error_kind, []).append(self._place(one))
            parts.append("not read: " + ", ".join(f"{listed(places)} {kind}" for kind, places in kinds.items()))
        if self.behind:
            parts.append(
                "behind: " + listed([f"{self._place(one)} {duration(one.behind_seconds)}" for one in self.behind])
            )
        waiting = max((len(one.waiting) for one in self.regions), default=0)
        if waiting:
            longest = max(one.waiting_seconds for one in self.regions)
            parts.append(
                f"plan: up to {_count(waiting, 'name')} a region left for later, oldest read {duration(longest)} ago"
            )
        if self.tally.rejects:
            parts.append(_count(self.tally.rejects, "reject"))
        if self.tally.failures:
            parts.append(_count(self.tally.failures, "rule failure") + ", see `trailwatch rejects failures`")
        if self.waiting:
            parts.append(_count(self.waiting, "message") + " waiting")
        if self.dead:
            parts.append(_count(self.dead, "message") + " given up")
        if self.errors:
            parts.append("not delivered: " + listed(sorted(self.errors)))
        return [*parts, *self._silence(), *self.problems]

    def _silence(self) -> list[str]:
        """What somebody once said that nobody need hear of."""
        parts = []
        if self.tally.suppressed:
            parts.append(f"{self.tally.suppressed:,} suppressed")
        if self.tally.lapsed:
            parts.append(f"{self.tally.lapsed:,} that an expired suppression names")
        if self.tally.put_off:
            parts.append(_count(self.tally.put_off, "alert") + " joined a snoozed incident")
        return parts

    def _place(self, region: RegionReport) -> str:
        if region.region == "*":
            return region.account
        several = len({one.account for one in self.regions}) > 1
        return f"{region.account}/{region.region}" if several else region.region


def duration(seconds: int) -> str:
    """`45s`, `12m`, `3h12m` or `5d2h`."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days}d{hours % 24}h"
    if hours:
        return f"{hours}h{minutes % 60:02d}m"
    return f"{minutes}m" if minutes else f"{seconds}s"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def listed(items: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    rest = len(items) - LISTED
    return ", ".join(items[:LISTED]) + (f" and {rest} more" if rest > 0 else "")


def _severities(alerts: list[Alert]) -> str:
    counts = Counter(alert.severity for alert in alerts)
    named = [f"{counts[level]} {level.value}" for level in sorted(Severity, reverse=True) if counts[level]]
    return f" ({', '.join(named)})" if named else ""
