"""How long each table keeps its rows: a setting of `[retention]`, or what bounds it otherwise."""

from __future__ import annotations

from typing import NamedTuple


class Kept(NamedTuple):
    setting: str
    """Name in `[retention]`; empty where there is none."""
    since: str
    """Since when that counts; or, without a setting, how long."""


_WITH_ALERT = Kept("alerts", "with its alert")
_WITH_MESSAGE = Kept("messages", "with its message")

KEPT = {
    "alerts": Kept("alerts", "since it last grew or was handled"),
    "alert_events": _WITH_ALERT,
    "alert_evidence": _WITH_ALERT,
    "alert_history": _WITH_ALERT,
    "telling": Kept("", "until it was told, at most as long as its alert"),
    "incidents": Kept("alerts", "since it was opened, and as long as it has alerts"),
    "pointed": Kept("alerts", "with its incident"),
    "messages": Kept("messages", "since it was written, and until it was sent or given up"),
    "message_alerts": _WITH_MESSAGE,
    "message_threads": _WITH_MESSAGE,
    "outbox": _WITH_MESSAGE,
    "attempts": _WITH_MESSAGE,
    "replies": Kept("alerts", "since it was heard"),
    "notifier_trouble": Kept("", "one row for each notifier"),
    "response": Kept("", "for ever: what was done can be undone"),
    "response_call": Kept("messages", "since it was made"),
    "automatic_case": Kept("messages", "since it changed, and while something is to come"),
    "automatic_considered": _WITH_ALERT,
    "automatic_taken": Kept("", "2d"),
    "rejects": Kept("rejects", "since it last came; at most a number of them"),
    "rule_failures": Kept("rejects", "since it last came; at most a number of them"),
    "suppressed": Kept("suppressed", "since it was hidden; at most a number of them"),
    "suppression_total": Kept("", "one row for each suppression"),
    "seen": Kept("seen", "by event time, and as long as a cycle reads back"),
    "signal": Kept("signals", "by event time, and the time spans of its correlation"),
    "signal_due": Kept("signals", "until it was judged"),
    "correlation": Kept("", "one row for each correlation"),
    "signal_base": Kept("", "one row for each rule that a correlation reads"),
    "actor_signal": Kept("signals", "by event time, and an hour"),
    "link": Kept("links", "since it was read"),
    "lineage_path": Kept("links", "since it was last followed"),
    "sighting": Kept("sightings", "since it was last seen; `dormant` where that matters; at most a number of them"),
    "memory": Kept("", "one row for each rule and account"),
    "learned": Kept("", "one row for each account and look-up"),
    "stay": Kept("stays", "by event time"),
    "coverage": Kept("", "check.history and a day"),
    "session_lookup": Kept("", "check.history and a day"),
    "lookup": Kept("", "one row for each account, region and look-up"),
    "pace": Kept("", "one row for each account and region"),
    "cycle": Kept("", "the last 1440 cycles"),
    "cycle_day": Kept("", "30d"),
    "caller": Kept("", "1h"),
    "region_list": Kept("", "one row for each account"),
    "trouble": Kept("", "until it is over"),
    "finding_source": Kept("", "30d"),
    "canary": Kept("", "30d"),
    "rule_trial": Kept("", "one row for each rule"),
    "fact": Kept("", "one row for each fact"),
}
"""By table; a table that is missing here is a mistake, and a test says so."""
