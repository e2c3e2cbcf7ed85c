"""Ids that are a pure function of what they name, so that order, batching and restarts never change one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def alert_id(rule_id: str, dedup_values: Iterable[str], time: int, period_seconds: int) -> str:
    """16 hex digits for (rule, dedup values, period of the event time); never of a title, an actor or a text.

    Args:
        rule_id: the rule's id.
        dedup_values: the texts of the record's values at the rule's dedup paths, in the rule's order.
        time: event time in seconds since 1970.
        period_seconds: length of the period; 0 for one alert for ever.
    """
    period = time // period_seconds if period_seconds else 0
    digest = hashlib.sha256()
    for part in (rule_id, str(period), *dedup_values):
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()[:16]


def trial_alert_id(alert_id: str) -> str:
    """The id that an alert has while its rule is on trial: what it gathers then is not mixed with what is told."""
    return hashlib.sha256(f"trial\0{alert_id}".encode()).hexdigest()[:16]


def synthetic_event_id(record: bytes) -> str:
    """The id of a record that has no `eventID`: `sha256:` and 32 hex digits over its bytes."""
    return "sha256:" + hashlib.sha256(record).hexdigest()[:32]


KEY_KEPT = 256


def shortened(text: str) -> str:
    """The text itself, or the beginning and a digest of a long one, so that two long ones stay two."""
    if len(text) <= KEY_KEPT:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text[: KEY_KEPT - 40]}...sha256:{digest[:29]}"
