"""Whatever happens in whatever order: every alert is told through every notifier that it goes to, and once."""

import contextlib
from collections import defaultdict
from datetime import UTC

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trailwatch.announcing import Announcer
from trailwatch.config.notifiers import Console, Route, TellingSettings
from trailwatch.detect.routing import Routing
from trailwatch.model.message import Kind
from trailwatch.model.severity import Severity
from trailwatch.pipeline import Pipeline
from trailwatch.store.alerts import AlertFilter
from trailwatch.store.database import Database
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock

from ..integration.state.parts import (  # noqa: TID252 test folders are no packages that could be named from the top
    START,
    NameEngine,
    delivery,
    record,
)

MINUTE, DAY = 60, 86400
ENGINE = {
    "StopLogging": Severity.HIGH,
    "CreateUser": Severity.LOW,
    "DeleteTrail": Severity.CRITICAL,
    "PutRule": Severity.MEDIUM,
}
NOTIFIERS = (
    Console(name="at-once", min_severity=Severity.LOW),
    Console(name="hourly", min_severity=Severity.LOW, digest="hourly"),
    Console(name="daily", min_severity=Severity.MEDIUM, digest="daily", immediate=Severity.CRITICAL),
    Console(name="pager", min_severity=Severity.HIGH),
    Console(name="users", min_severity=Severity.LOW),
)
ROUTES = (Route(to=("users",), rules=("rule_Create*",)), Route(to=("users",), severity=Severity.CRITICAL))

events = st.tuples(st.sampled_from(sorted(ENGINE)), st.integers(0, 4), st.sampled_from(["us-east-1", "eu-west-1"]))
steps = st.lists(
    st.tuples(st.lists(events, max_size=8), st.sampled_from([1, 7, 20, 90, 700]), st.booleans()), max_size=12
)


class Dying(Announcer):
    """Dies at the end of its work, before the commit, as often as it is told."""

    dies = False

    def announce(self, untold, now):
        super().announce(untold, now)
        if self.dies:
            self.dies = False
            raise KeyboardInterrupt


@given(steps, st.sampled_from([1, 4, 1000]))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_alert_is_told_through_every_notifier_that_it_goes_to_and_once(plan, flood):
    clock, number = FixedClock.at(START), 0
    with Store(Database(":memory:")) as store:
        routing = Routing.of(NOTIFIERS, ROUTES)
        announcer = Dying(store, routing, TellingSettings(flood=flood), UTC)
        pipeline = Pipeline(NameEngine(**ENGINE), store, None, clock, {}, announcer=announcer)
        for seen, minutes, dies in plan:
            for name, user, region in seen:
                number += 1
                one = record(number, at=int(clock.seconds), name=name, principal=f"user{user}", awsRegion=region)
                pipeline.process(delivery([one]))
            announcer.dies = dies
            with contextlib.suppress(KeyboardInterrupt):
                pipeline.announce(int(clock.seconds))
            clock.seconds += minutes * MINUTE
        for _ in range(60):
            pipeline.announce(int(clock.seconds))
            clock.seconds += DAY / 8
        alerts = store.alerts.search(AlertFilter(limit=10_000))
        entries = store.outbox.entries(limit=-1)
        told = defaultdict(list)
        for entry in entries:
            for row in store.database.all(
                "SELECT alert_id FROM message_alerts WHERE message_id = ?", (entry.message.id,)
            ):
                told[entry.notifier, row["alert_id"]].append(entry.message.kind)
        assert store.telling.waiting() == []

    expected = {(name, alert.id) for alert in alerts for name in routing.places(alert)}
    assert set(told) == expected
    assert {key: kinds for key, kinds in told.items() if any(kind is not Kind.UPDATE for kind in kinds[1:])} == {}
    opening = {}
    for entry in entries:
        opening.setdefault((entry.notifier, entry.message.thread), entry.message.kind)
    assert Kind.UPDATE not in opening.values(), "nobody hears more of what they never heard of"
