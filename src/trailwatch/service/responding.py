"""Responding without a person as a part of a cycle: after alerts were announced, and told in the same way."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from trailwatch import wiring
from trailwatch.config.schema import Config
from trailwatch.detect.incidents import RARITY_SECONDS, incident_of
from trailwatch.errors import TrailwatchError
from trailwatch.model.alert import Alert, AlertState
from trailwatch.model.incident import Incident
from trailwatch.model.provenance import Provenance
from trailwatch.ports import Clock
from trailwatch.service.companions import Quiet
from trailwatch.service.report import CycleReport
from trailwatch.store.store import Store

if TYPE_CHECKING:
    from trailwatch.model.case import Case
    from trailwatch.respond.automatic import Automatic
    from trailwatch.respond.cases import Answer


class AutomaticResponse(Quiet):
    """Considers each alert once for each time that it grows, and goes on with open cases.

    Args:
        config: all settings.
        environment: the process's variables.
        store: where alerts, cases and the journal are.
        clock: the time.
    """

    def __init__(self, config: Config, environment: Mapping[str, str], store: Store, clock: Clock) -> None:
        self._config = config
        self._environment = environment
        self._store = store
        self._clock = clock
        self._automatic: Automatic | None = None

    def follow_up(self, report: CycleReport, notices: Sequence[str]) -> bool:
        """Whether there is something more to send."""
        cases = self._store.automatic
        since = int(self._clock.now().timestamp() - self._config.respond.automatic.max_age)
        pending = [alert for one in cases.pending(since) if (alert := self._store.alerts.get(one)) is not None]
        if not pending and not cases.open():
            return False
        before = self._store.outbox.waiting_by_notifier()
        try:
            if self._automatic is None:
                self._automatic = self._made(notices)
            self._respond(self._automatic, pending)
        except TrailwatchError as error:  # whatever is wrong with it, alerts are told
            report.problems.append(f"automatic response: {error}")
        return self._store.outbox.waiting_by_notifier() != before

    def _respond(self, automatic: Automatic, pending: Sequence[Alert]) -> None:
        from trailwatch.respond.sieve import Candidate

        for thread, alerts in _together(pending):
            incident = stored_incident(self._store, alerts[0].incident)
            # what came before counts, too: an incident may grow bad enough bit by bit
            every = [one for one in incident.alerts if _is_open(one)] if incident is not None else alerts
            automatic.consider(Candidate(tuple(every), thread, incident, otherwise=Provenance.EVENT_HISTORY))
            self._store.automatic.considered([(alert.id, alert.event_count) for alert in alerts])
        automatic.settle()

    def _made(self, notices: Sequence[str]) -> Automatic:
        from trailwatch.respond.assembly import responding
        from trailwatch.respond.automatic_assembly import automatic_of
        from trailwatch.respond.freeze import FileFreeze, Freeze, first_reason, freeze_path
        from trailwatch.respond.past import ArchivePast
        from trailwatch.respond.reach import LONGEST_SESSION_SECONDS

        config, environment, store = self._config, self._environment, self._store
        freeze = freeze_path(wiring.state_path(config, environment))
        freezes: list[Freeze] = [FileFreeze(freeze)]
        if config.aws_lambda.table:
            from trailwatch.dynamo.freeze import TableFreeze
            from trailwatch.dynamo.opening import configured_table

            freezes += [TableFreeze(table) for table in [configured_table(config)] if table is not None]
        book = wiring.addresses_of(config, store.regions.callers())
        archive = wiring.archive_of(config, environment)
        tools = responding(config, store.responses, archive, book, freeze, self._clock)
        since = int(self._clock.now().timestamp()) - LONGEST_SESSION_SECONDS
        return automatic_of(
            config,
            tools,
            store.automatic.telling(notices),
            book,
            store.regions.callers,
            self.answer,
            stopped=lambda: first_reason(freezes),
            find=functools.cache(ArchivePast(archive).record),
            children=lambda node: store.lineage.children(node, since),
        )

    def answer(self, case: Case) -> Answer | None:
        """What people said in a channel since the case waits; one who declines is enough."""
        from trailwatch.respond.cases import Answer

        said = [one for one in self._store.conversations.approvals(case.id) if one.heard >= case.changed]
        for one in sorted(said, key=lambda heard: heard.reply.verb != "decline"):
            return Answer(one.reply.verb == "approve", f"{one.reply.who} in {one.notifier}")
        return None


def stored_incident(store: Store, incident_id: str) -> Incident | None:
    """An incident with its alerts; None where there is none."""
    kept = store.incidents.get(incident_id) if incident_id else None
    if kept is None:
        return None
    alerts = [alert for one in store.incidents.alert_ids(kept.id) if (alert := store.alerts.get(one)) is not None]
    if not alerts:
        return None
    until = max(alert.last_time for alert in alerts)
    rules = {alert.rule.id for alert in alerts}
    others = store.incidents.others(rules, kept.actor_key, until - RARITY_SECONDS, until)
    return incident_of(kept.id, kept.actor_key, alerts, others, created=kept.created)


def _is_open(alert: Alert) -> bool:
    return alert.state is AlertState.OPEN and not alert.snoozed and not alert.staged


def _together(alerts: Iterable[Alert]) -> Iterator[tuple[str, list[Alert]]]:
    found: dict[str, list[Alert]] = {}
    for alert in alerts:
        found.setdefault(alert.incident or alert.principal, []).append(alert)
    yield from found.items()
