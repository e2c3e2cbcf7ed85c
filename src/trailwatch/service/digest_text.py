"""What the digest says, in plain text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from trailwatch import wiring
from trailwatch.config.schema import Config
from trailwatch.detect.noise import RuleNoise, by_rule
from trailwatch.model.message import Kind, Message
from trailwatch.model.rule import OWN_ORIGIN
from trailwatch.model.severity import Severity
from trailwatch.rules.rule import RuleSet
from trailwatch.service.canary import percentile
from trailwatch.service.coverage_rows import FAILED, LATE, NEVER, CoverageRow, coverage_rows
from trailwatch.service.reach import Unreachable, unreachable
from trailwatch.service.reading_today import findings_missing, sources_of, still_asked
from trailwatch.service.report import duration, listed
from trailwatch.store.alerts import AlertFilter
from trailwatch.store.facts import Days
from trailwatch.store.store import Store

SHOWN = 8
DAY_SECONDS = 86400
ALERTS_READ = 10_000


def digest_of(config: Config, environment: Mapping[str, str], store: Store, since: int, now: int) -> Message:
    """The message about the time since the last one.

    Args:
        config: all settings.
        environment: the process's variables.
        store: what is known.
        since: when the last one was written, in seconds since 1970.
        now: the same of this one.
    """
    ruleset = wiring.load_ruleset(config, environment, examples=True)
    dead = unreachable(ruleset, sources_of(config, ruleset, store, wiring.tables_of(config)))
    days = store.facts.days(since)
    alerts, span = store.alerts.told_since(since), duration(now - since)
    lines = [
        *_reading(days, alerts, span),
        *_coverage(config, store, now),
        *_findings(config, store),
        *_canaries(config, store, since),
        *_rules(ruleset, dead, store),
        *_noise(store, since, now),
        *_outbox(store),
        *_other_dead(dead),
    ]
    return Message(
        id=hashlib.sha256(f"digest\0{since}".encode()).hexdigest()[:32],
        created=now,
        principal="",
        alerts=(),
        headline=f"trailwatch looked for {span}: {days.events:,} events, {alerts:,} alerts",
        body="\n".join("".join(char if char.isprintable() else "\ufffd" for char in line) for line in lines),
        kind=Kind.NOTICE,
        level=Severity.LOW,
    )


def _reading(days: Days, alerts: int, span: str) -> Iterator[str]:
    failed = days.cycles - days.good
    bad = f", {failed:,} of them read nothing" if failed else ""
    yield f"Read in {span}: {days.events:,} new events in {days.cycles:,} cycles{bad}; {alerts:,} alerts were told."


def _coverage(config: Config, store: Store, now: int) -> Iterator[str]:
    rows = coverage_rows(
        store,
        now=now,
        late=int(config.coverage.late),
        history=int(config.check.history),
        asked=still_asked(config, store),
    )
    polled = [row for row in rows if row.polled]
    bad = [row for row in polled if row.state in (LATE, FAILED, NEVER)]
    yield f"Regions: {len(polled) - len(bad)} of {len(polled)} look-ups are up to date."
    for row in bad[:SHOWN]:
        yield f"  {_place(row)} {row.lookup}: {row.state}{_lag(row)}{'; ' + row.why if row.why else ''}"
    gaps = [row for row in rows if row.gaps]
    if gaps:
        seconds = max(row.gap_seconds for row in gaps)
        yield f"Gaps: {sum(row.gaps for row in gaps)}, the longest look-up misses {duration(seconds)}."
    turns = [row for row in rows if not row.polled and row.state in (LATE, NEVER)]
    if turns:
        yield f"By turns: {len(turns):,} of {len(rows) - len(polled):,} look-ups by name were not asked lately."


def _findings(config: Config, store: Store) -> Iterator[str]:
    if config.guardduty.enabled:
        yield (findings_missing(config, store) or "GuardDuty looks in every region") + "."


def _canaries(config: Config, store: Store, since: int) -> Iterator[str]:
    flights = store.canaries.flights(since)
    if not flights:
        if config.canary.every:
            yield "Canary: none was sent."
        return
    seconds = sorted(one for flight in flights for one in flight.seconds)
    made = sum(flight.made for flight in flights)
    if seconds:
        half, most = duration(percentile(seconds, 50)), duration(percentile(seconds, 95))
        yield f"Canary: {len(seconds):,} of {made:,} came back, half of them within {half}, 95% within {most}."
    else:
        yield f"Canary: none of {made:,} came back."
    missing = [f"{one.account}/{one.region}" for one in flights if not one.seconds]
    if missing:
        yield f"  none from {listed(missing)}"


def _rules(ruleset: RuleSet, dead: Sequence[Unreachable], store: Store) -> Iterator[str]:
    every = len(ruleset.rules) + len(ruleset.first_seen) + len(ruleset.correlations)
    broken = sum(problem.error for problem in ruleset.problems)
    yield f"Rules: {every} loaded" + (f", {broken} not loaded" if broken else "") + f"; {len(dead)} can never fire."
    for one in dead[:SHOWN]:
        yield f"  {one.severity.value} {one.slug}: {one.why}"
    if len(dead) > SHOWN:
        yield f"  and {len(dead) - SHOWN} more, named at the end; why: trailwatch coverage --rules"
    trials = store.trials.on_trial()
    if trials:
        yield f"On trial: {listed([one.slug for one in trials])}."


def _noise(store: Store, since: int, now: int) -> Iterator[str]:
    found = store.alerts.search(AlertFilter(since=since, limit=ALERTS_READ))
    alerts = [alert for alert in found if alert.rule.origin != OWN_ORIGIN]
    rules: list[RuleNoise] = by_rule(alerts, max(1.0, (now - since) / DAY_SECONDS))
    if rules:
        yield "Most alerts:"
    for one in rules[:SHOWN]:
        false = f", {one.false_share:.0%} of the closed ones false" if one.false_share is not None else ""
        who = "1 principal" if one.actors == 1 else f"{one.actors:,} principals"
        yield f"  {len(one.alerts):>5}  {one.rule.slug} ({one.rule.severity.value}), {who}{false}"
    if len(rules) > SHOWN:
        days = max(1, (now - since) // DAY_SECONDS)
        yield f"  and {len(rules) - SHOWN} more: trailwatch noise --since {days}d --top {len(rules)}"


def _outbox(store: Store) -> Iterator[str]:
    counts = {state.value: count for state, count in store.outbox.counts().items()}
    if counts.get("waiting") or counts.get("dead"):
        yield f"Messages: {counts.get('waiting', 0):,} waiting, {counts.get('dead', 0):,} given up."


def _other_dead(dead: Sequence[Unreachable]) -> Iterator[str]:
    """At the end, because there may be many, and a channel that cuts long messages shall cut here."""
    if dead[SHOWN:]:
        yield f"The other rules that can never fire: {', '.join(one.slug for one in dead[SHOWN:])}."


def _place(row: CoverageRow) -> str:
    return f"{row.account}/{row.region}"


def _lag(row: CoverageRow) -> str:
    return f" for {duration(row.lag_seconds)}" if row.lag_seconds else ""
