"""Rules on trial: a new or changed rule runs in silence for some days, then says what it would have told.

Its alerts are kept and listed (`alerts list --staged`), but nobody is told, and they belong to no incident. The
report and the end of the trial are one transaction, so it is told once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from trailwatch.model.message import Kind, Message
from trailwatch.model.severity import Severity
from trailwatch.ports import Clock
from trailwatch.rules.fingerprint import conditions_of, load_key
from trailwatch.rules.rule import RuleSet
from trailwatch.service.companions import Quiet
from trailwatch.service.report import CycleReport
from trailwatch.store.alerts import AlertFilter
from trailwatch.store.store import Store
from trailwatch.store.trials import Trial

LOADED = "rules loaded"
"""The fact that says which set of rules was judged last."""
DAY_SECONDS = 86400
ALERTS_READ = 10_000
EXAMPLES = 3
NAMED = 5


def rules_on_trial(store: Store, ruleset: RuleSet, now: int) -> frozenset[str]:
    """Ids of the rules that tell nobody yet; rules that are new or ask something else go on trial with this.

    Args:
        store: where it is kept what rules were known.
        ruleset: what is loaded.
        now: seconds since 1970.
    """
    key = load_key(ruleset)
    if store.facts.get(LOADED) != key:
        with store.transaction():
            store.trials.judged(conditions_of(ruleset), now, first=store.facts.get(LOADED) is None)
            store.facts.set(LOADED, key)
    return frozenset(one.rule_id for one in store.trials.on_trial())


class Staging(Quiet):
    """Ends trials whose time is up.

    Args:
        store: where trials and alerts are kept.
        days: how long a trial lasts.
        clock: the time.
        live: told which rules are still on trial when that changes.
    """

    def __init__(self, store: Store, days: int, clock: Clock, live: Callable[[frozenset[str]], None]) -> None:
        self._store = store
        self._days = days
        self._clock = clock
        self._live = live

    def conclude(self, report: CycleReport, notices: Sequence[str]) -> None:
        now = int(self._clock.now().timestamp())
        trials = self._store.trials.on_trial()
        over = [one for one in trials if now - one.since >= self._days * DAY_SECONDS]
        if not over:
            return
        with self._store.transaction():
            message = _report(self._store, over, now)
            self._store.outbox.add(message, notices, now)
            self._store.trials.end([one.rule_id for one in over], now)
        report.notices.append(message)
        self._live(frozenset(one.rule_id for one in trials) - {one.rule_id for one in over})


def _report(store: Store, over: Sequence[Trial], now: int) -> Message:
    what = (
        "1 rule was on trial and tells from now on"
        if len(over) == 1
        else (f"{len(over)} rules were on trial and tell from now on")
    )
    text = "\0".join(f"{one.rule_id} {one.since}" for one in over)
    return Message(
        id=hashlib.sha256(f"trial\0{text}".encode()).hexdigest()[:32],
        created=now,
        principal="",
        alerts=(),
        headline=f"trailwatch: {what}",
        body="\n".join(line for one in over for line in _lines(store, one, now)),
        kind=Kind.NOTICE,
        level=Severity.LOW,
    )


def _lines(store: Store, trial: Trial, now: int) -> Iterator[str]:
    alerts = store.alerts.search(AlertFilter(rule=trial.rule_id, staged=True, limit=ALERTS_READ))
    alerts = [alert for alert in alerts if alert.created >= trial.since]
    days = max(1.0, (now - trial.since) / DAY_SECONDS)
    if not alerts:
        yield f"{trial.slug}: no alert in {days:.0f} days"
        return
    actors = Counter(alert.principal for alert in alerts)
    number = "1 alert" if len(alerts) == 1 else f"{len(alerts):,} alerts"
    who = "1 principal" if len(actors) == 1 else f"{len(actors):,} principals"
    yield f"{trial.slug}: {number} in {days:.0f} days, {len(alerts) / days:.1f} a day, of {who}"
    for name, count in actors.most_common(NAMED):
        yield f"  {count:>5}  {_plain(name)}"
    for alert in alerts[-EXAMPLES:]:
        yield f"  for example {alert.id}: {_plain(alert.title)}"
    yield f"  all: trailwatch alerts list --staged --rule {_plain(trial.slug)}"


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text[:200])
