"""A flood of one key costs each cycle what it adds, not what it has become."""

import pytest

from trailwatch.detect.correlator import Correlator
from trailwatch.detect.firings import alert_of, events_of
from trailwatch.model.rule import Dedup, RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.model.signal import Brief, Signal
from trailwatch.rules.rule import Correlation, CorrelationLimit

from .parts import START

CYCLES = 30
EACH = 300
"""Signals of one key in a cycle of a minute."""
KINDS = {
    "event_count": CorrelationLimit("gte", 10),
    "value_count": CorrelationLimit("gte", 10, ("x",)),
    "value_sum": CorrelationLimit("gte", 50, ("x",)),
    "temporal": None,
    "temporal_ordered": None,
}


class Counted:
    """A state that counts the rows that it gives."""

    def __init__(self, inner):
        self._inner = inner
        self.rows = 0

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        if name not in ("points", "members"):
            return found

        def counting(*arguments):
            rows = found(*arguments)
            self.rows += len(rows)
            return rows

        return counting


def correlation(kind):
    info = RuleInfo("flood", "flood", "Flood", Severity.HIGH, "x:1", dedup=Dedup((), 86400))
    return Correlation(info, kind, ("a", "b"), 3600, ("user",), KINDS[kind])


def minute(kind, cycle):
    for number in range(EACH):
        time = START + cycle * 60 + number * 60 // EACH
        brief = Brief(f"e{cycle}-{number}", time, "1", "eu", "s", "N", "dora", "dora", "", "", "", "")
        value = str(cycle * EACH + number) if KINDS[kind] is not None and KINDS[kind].fields else ""
        yield Signal("flood", "ab"[number % 2], ("dora",), time, brief, value)


def flooded(store, kind, cycles):
    """Rows that each of these cycles read."""
    read = []
    for signals in cycles:
        state = Counted(store.signals)
        with store.transaction():
            firings, _ = Correlator((correlation(kind),), state).add(
                signals, lambda _info, one: store.alerts.has(one)
            )
            store.alerts.merge(
                [alert_of(one, {}) for one in firings], START, {one.alert_id: events_of(one) for one in firings}
            )
        read.append(state.rows)
    return read


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_cycle_reads_of_a_flood_does_not_grow_with_it(store, kind):
    read = flooded(store, kind, [list(minute(kind, cycle)) for cycle in range(CYCLES)])

    assert max(read[CYCLES // 2 :]) <= 4 * EACH
    alert_id, count = store.database.one("SELECT id, event_count FROM alerts")
    assert count == CYCLES * EACH
    assert store.alerts.get(alert_id).speaks_of.time < START + 60


def test_what_comes_late_into_a_flood_is_in_it_too(store):
    cycles = [list(minute("event_count", cycle)) for cycle in range(CYCLES)]
    late = [cycles[3].pop(), cycles[20].pop(100)]

    flooded(store, "event_count", [*cycles, late])

    assert store.database.one("SELECT event_count FROM alerts")[0] == CYCLES * EACH
