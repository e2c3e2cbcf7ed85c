"""What a scan comes to, besides its rows: counters, complaints and one line at the end."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

from trailwatch.model.severity import Severity

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from trailwatch.model.alert import Alert
    from trailwatch.model.incident import Incident
    from trailwatch.model.match import Match, Reject, RuleFailure, Tally
    from trailwatch.rules.rule import RuleSet

_REASONS_SHOWN = 10


class Wanted(NamedTuple):
    """What the options say about the result."""

    show: str
    form: str
    output: str | None
    least: Severity
    fail_on: Severity | None
    stats: str | None


class Result(NamedTuple):
    """Everything that was found; matches in order, all severities."""

    matches: list[Match]
    """Those of correlations last; with the actors behind them where they are shown."""
    alerts: list[Alert]
    incidents: list[Incident]
    """Empty where nobody wants to see them."""
    rejects: list[Reject]
    failures: list[RuleFailure]
    tally: Tally


def opened(path: str | None) -> AbstractContextManager[TextIO]:
    from trailwatch.errors import UsageError

    if path is None:
        return nullcontext(sys.stdout)
    try:
        return Path(path).open("w", encoding="utf-8")
    except OSError as error:
        raise UsageError(path, f"cannot be written: {error.strerror}", "name another file") from error


def write_stats(wanted: Wanted, result: Result, alerts: Sequence[Alert], took: float, processes: int) -> None:
    import json

    from trailwatch.cli.scan_pool import peak_rss_mb
    from trailwatch.detect.glance import COMPILED

    tally = result.tally
    content = {
        "records": tally.records,
        "events": tally.events,
        "duplicates": tally.duplicates,
        "rejects": tally.rejects,
        "left_out": dict(sorted(tally.left_out.items())),
        "mended": tally.mended,
        "failures": tally.failures,
        "unkeyed": tally.unkeyed,
        "matched": tally.matched,
        "suppressed": tally.suppressed,
        "matches": sum(match.rule.severity >= wanted.least for match in result.matches),
        "alerts": len(alerts),
        "seconds": round(took, 3),
        "events_per_second": round(tally.events / took) if took else 0,
        "peak_rss_mb": peak_rss_mb(processes),
        "compiled": COMPILED,
    }
    with opened(wanted.stats) as stream:
        stream.write(json.dumps(content) + "\n")


def complaints(result: Result, ruleset: RuleSet) -> Iterator[str]:
    from trailwatch.model.inert import for_terminal

    for problem in ruleset.problems:
        yield for_terminal(f"{'error' if problem.error else 'warning'}: {problem.origin}: {problem.text}")
    for reject in result.rejects[:_REASONS_SHOWN]:
        yield for_terminal(f"reject: {reject.reason}")
    if len(result.rejects) > _REASONS_SHOWN:
        yield f"reject: ... and {len(result.rejects) - _REASONS_SHOWN:,} more"
    raised = Counter((failure.rule_id, failure.error) for failure in result.failures)
    for (rule_id, error), count in sorted(raised.items()):
        yield for_terminal(f"error: rule {rule_id} raised on {count:,} events: {error}")


def summary(result: Result, files: int, alerts: Sequence[Alert], took: float) -> str:
    tally = result.tally
    by_level = Counter(alert.severity for alert in alerts)
    levels = ", ".join(f"{by_level[level]} {level.value}" for level in reversed(Severity) if by_level[level])
    read = f"{tally.events:,} {'event' if tally.events == 1 else 'events'}"
    parts = [f"{read} in {files:,} {'file' if files == 1 else 'files'}, {took:.1f} s"]
    parts.append(f"{len(alerts):,} {'alert' if len(alerts) == 1 else 'alerts'}" + (f" ({levels})" if levels else ""))
    counted = [(tally.duplicates, "duplicate"), (tally.rejects, "reject"), (tally.mended, "mended character")]
    parts += [f"{count:,} {what}{'s' * (count > 1)}" for count, what in counted if count]
    parts += [f"{count:,} left out: {what}" for what, count in sorted(tally.left_out.items())]
    return "; ".join(parts)


def level_met(result: Result, wanted: Wanted) -> bool:
    return wanted.fail_on is not None and any(
        match.rule.alerting and match.rule.severity >= wanted.fail_on for match in result.matches
    )
