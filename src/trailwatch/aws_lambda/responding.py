"""Responding without a person, within an invocation: the table keeps cases, caps, freeze and journal."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from trailwatch.aws import Access
from trailwatch.aws_lambda.telling import Telling, Told
from trailwatch.config.schema import Config
from trailwatch.dynamo.cases import TableCases
from trailwatch.dynamo.freeze import TableFreeze
from trailwatch.dynamo.journal import TableJournal
from trailwatch.dynamo.table import Table
from trailwatch.model.alert import Alert
from trailwatch.model.provenance import Provenance
from trailwatch.ports import AddressBook, Clock
from trailwatch.respond.assembly import responding
from trailwatch.respond.automatic import Automatic
from trailwatch.respond.automatic_assembly import automatic_of
from trailwatch.respond.sieve import Candidate

RECHECK_SECONDS = 5.0
"""An invocation has little time; what does not hold shows in the next event."""


class Responding:
    """What happens to alerts by itself, and how that is told.

    Args:
        automatic: automatic response over `cases`.
        cases: where its cases are, with what is to be told of them.
        telling: tells of messages, once each.
    """

    def __init__(self, automatic: Automatic, cases: TableCases, telling: Telling) -> None:
        self._automatic = automatic
        self._cases = cases
        self._telling = telling

    def respond(self, alerts: Sequence[Alert], provenance: Mapping[str, Provenance], until: int) -> Told:
        """What was told of it; every case in which something is to come is looked at, too.

        Args:
            alerts: of this invocation.
            provenance: by event id, on which way an event came.
            until: when this invocation is surely over.

        Raises:
            StoreError: the table cannot be used.
        """
        by_principal: dict[str, list[Alert]] = {}
        for alert in alerts:
            by_principal.setdefault(alert.principal, []).append(alert)
        for principal, several in by_principal.items():
            self._automatic.consider(
                Candidate(tuple(several), principal, provenance=provenance, otherwise=Provenance.QUEUE)
            )
        self._automatic.settle()
        return self._tell(until)

    def _tell(self, until: int) -> Told:
        told = Told()
        for case, messages in self._cases.untold():
            each = [self._telling.tell_once(message, until) for message in messages]
            for one in each:
                told.join(one)
            if not any(one.unsent for one in each):
                self._cases.told(case)
        return told


def automatic_over(
    table: Table, config: Config, access: Access, book: AddressBook, clock: Clock
) -> tuple[Automatic, TableCases]:
    """Automatic response that keeps everything in a table, and its cases.

    Args:
        table: where everything is.
        config: all settings.
        access: with which the function itself acts.
        book: the tables of addresses, for the conditions of playbooks.
        clock: the time.

    Raises:
        ConfigError: a playbook that may run by itself cannot be used.
    """
    cases = TableCases(table)
    tools = responding(config, TableJournal(table), None, book, Path(), clock)
    recheck = min(RECHECK_SECONDS, tools.equipment.recheck_seconds)
    tools = tools._replace(equipment=msgspec.structs.replace(tools.equipment, recheck_seconds=recheck))
    callers = functools.cache(lambda: (access.ask_caller()[1],))
    automatic = automatic_of(
        config, tools, cases, book, callers, lambda _case: None, stopped=TableFreeze(table).frozen
    )
    return automatic, cases
