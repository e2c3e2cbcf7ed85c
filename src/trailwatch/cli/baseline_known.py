"""What `trailwatch baseline show` says: what each rule with a memory sees and knows, and when it may speak."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from trailwatch.detect.first_seen import SETTLED_AFTER_DAYS
from trailwatch.model.inert import for_terminal
from trailwatch.model.sighting import CHANGES, DAY, EVERYTHING
from trailwatch.rules.rule import Rule, RuleSet
from trailwatch.sources.poll_plan import plan_of
from trailwatch.sources.shown import Shown, shown_of

WORDS = {EVERYTHING: "all events", CHANGES: "changes"}
"""What the look-ups show, for people; others are `EventName=...`."""


def since_lines(since: Mapping[tuple[str, str], int]) -> list[str]:
    """For each account, from when on what is known."""
    accounts: dict[str, dict[str, list[str]]] = {}
    for account, lookup in sorted(since, key=lambda one: (one[0], one[1] not in WORDS, one[1])):
        accounts.setdefault(account, {}).setdefault(_date(since[account, lookup]), []).append(said(lookup))
    return [
        f"account {for_terminal(account)}: "
        + "; ".join(f"{', '.join(lookups)} since {date}" for date, lookups in known.items())
        for account, known in accounts.items()
    ]


def known_rows(
    rules: RuleSet,
    since: Mapping[tuple[str, str], int],
    counts: Iterable[tuple[str, str, int, int]],
    now: int,
    *,
    all_events: bool,
) -> list[dict[str, object]]:
    """One row for each rule and account that is known; also of a rule that knows nothing.

    Args:
        rules: what is loaded.
        since: from `SightingState.learned`.
        counts: rule, account, number of combinations and day of the last one.
        now: seconds since 1970.
        all_events: whether cycles poll everything.
    """
    plan = plan_of((*rules.rules, *rules.first_seen), rules.correlations)
    known = {(rule_id, account): (count, day) for rule_id, account, count, day in counts}
    accounts = sorted({account for account, _ in since} | {account for _, account in known})
    rows = []
    for account in accounts:
        for rule in rules.first_seen:
            shown = shown_of(rule, plan, all_events=all_events)
            count, day = known.get((rule.info.id, account), (0, None))
            rows.append(
                {
                    "account": account,
                    "rule": rule.info.slug,
                    "polled": ", ".join(map(said, shown.lookups)) or "nothing",
                    "not polled": ", ".join(shown.missing),
                    "speaks": _speaks(rule, shown, account, since, now),
                    "combinations": count,
                    "last": "" if day is None else _date(day * DAY),
                }
            )
    return rows


def said(lookup: str) -> str:
    """What a look-up shows, for people."""
    return WORDS.get(lookup, lookup.removeprefix("EventName="))


def _speaks(rule: Rule, shown: Shown, account: str, since: Mapping[tuple[str, str], int], now: int) -> str:
    """From when on it says what is new, and of what it does not because nobody reads that yet."""
    if rule.first_seen is None:
        return "always"
    history = rule.first_seen.history_seconds // DAY
    begins, unread = [], []
    for lookup in shown.lookups:
        known = [time for key in (lookup, EVERYTHING) if (time := since.get((account, key))) is not None]
        if known:
            begins.append(min(known) // DAY + history + SETTLED_AFTER_DAYS - 1)
        else:
            unread.append(said(lookup))
    if not begins:
        return f"no: {', '.join(unread)} not read yet" if unread else "no: nothing of it is polled"
    first = max(begins) * DAY
    when = "now" if first <= now else f"from {_date(first)}"
    return f"{when}, but {', '.join(unread)} not read yet" if unread else when


def _date(time: int) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d}"
