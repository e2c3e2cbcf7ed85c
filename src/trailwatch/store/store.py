"""The store: one state file, and everything that knows its own tables in it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Self

import msgspec

from trailwatch.store.actor_signals import ActorSignals
from trailwatch.store.alerts import Alerts
from trailwatch.store.automatic import AutomaticCases
from trailwatch.store.canaries import Canaries
from trailwatch.store.conversations import Conversations
from trailwatch.store.coverage import Coverage
from trailwatch.store.cycles import Cycles
from trailwatch.store.database import Database
from trailwatch.store.facts import Facts
from trailwatch.store.finding_sources import FindingSources
from trailwatch.store.first_seen import FirstSeen
from trailwatch.store.handling import Handling
from trailwatch.store.incidents import Incidents
from trailwatch.store.lineage import Lineage
from trailwatch.store.outbox import Outbox
from trailwatch.store.pace import Pace
from trailwatch.store.regions import Regions
from trailwatch.store.rejects import Rejects
from trailwatch.store.responses import Responses
from trailwatch.store.seen import SeenEvents
from trailwatch.store.signals import Signals
from trailwatch.store.suppressed import SuppressedEvents
from trailwatch.store.telling import Telling
from trailwatch.store.trials import Trials

DAY = 86400


class Retention(msgspec.Struct, frozen=True):
    """How long rows are kept, in seconds."""

    seen: int = 2 * DAY
    """By event time; at least as far as the sweep reads back."""
    alerts: int = 400 * DAY
    """Since they last grew or were handled; longer than the 90 days that can be read again."""
    signals: int = 25 * 3600
    """By event time, besides the time spans of the correlations themselves; as long as events may arrive late."""
    sightings: int = 34 * DAY
    """Since they were last seen; longer than the longest history of a rule."""
    dormant: int = 400 * DAY
    """The same for rules that speak of what was not used for long."""
    stays: int = 3 * DAY
    """By event time; two places are compared for a day, and events may come a day late."""
    links: int = 35 * DAY
    """Since they were read; longer than what one identity made for another counts."""
    messages: int = 90 * DAY
    rejects: int = 30 * DAY
    suppressed: int = 30 * DAY
    """What suppressions hid, since it was stored."""
    canaries: int = 30 * DAY
    """Canaries since they were called, and what cycles did by day."""


RETENTION = Retention()
LEAST_SIGHTINGS = 33 * DAY
"""A memory that forgets sooner would call new what its longest history holds."""
LEAST_STAYS = 2 * DAY
"""Two places are compared for a day, and events may come a day late."""


class Store:
    """All state over one database; closing it closes the database.

    A write that belongs together with others happens inside `transaction()`.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.alerts = Alerts(database)
        self.outbox = Outbox(database)
        self.telling = Telling(database)
        self.automatic = AutomaticCases(database, self.outbox)
        self.conversations = Conversations(database)
        self.seen = SeenEvents(database)
        self.rejects = Rejects(database)
        self.signals = Signals(database)
        self.handling = Handling(database)
        self.suppressed = SuppressedEvents(database)
        self.lineage = Lineage(database)
        self.incidents = Incidents(database)
        self.actor_signals = ActorSignals(database)
        self.first_seen = FirstSeen(database)
        self.coverage = Coverage(database)
        self.pace = Pace(database)
        self.cycles = Cycles(database)
        self.regions = Regions(database)
        self.finding_sources = FindingSources(database)
        self.canaries = Canaries(database)
        self.facts = Facts(database)
        self.trials = Trials(database)
        self.responses = Responses(database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.database.close()

    def transaction(self) -> AbstractContextManager[None]:
        """All writes inside are kept together or not at all."""
        return self.database.transaction()

    def prune(self, now: int, retention: Retention = RETENTION) -> int:
        """Forgets what is past its time; called at the end of a cycle. How many rows left."""
        return (
            self.seen.prune(now - retention.seen)
            + self.signals.prune(now - retention.signals)
            + self.first_seen.prune(now - retention.sightings, now - retention.dormant)
            + self.first_seen.prune_stays(now - retention.stays)
            + self.alerts.prune(now - retention.alerts)
            + self.actor_signals.prune(now - retention.signals - 3600)
            + self.incidents.prune(now - retention.alerts)
            + self.lineage.prune(now - retention.links)
            + self.telling.prune()
            + self.conversations.prune(now - retention.alerts)
            + self.outbox.prune(now - retention.messages)
            + self.automatic.prune(now - retention.messages)
            + self.rejects.prune(now - retention.rejects)
            + self.suppressed.prune(now - retention.suppressed)
            + self.canaries.prune(now - retention.canaries)
            + self.responses.prune(now - retention.messages)
            + self.facts.prune(now - retention.canaries)
            + self.finding_sources.prune(now - retention.canaries)
        )
