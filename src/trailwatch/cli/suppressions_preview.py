"""What a suppression would have hidden, over stored alerts and over the archive; for `suppressions` and `alerts`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from trailwatch.cli.main import Invocation
    from trailwatch.detect.preview import Effect
    from trailwatch.detect.suppress import Suppressor
    from trailwatch.rules.suppression import Suppression
    from trailwatch.store.store import Store

ALERTS, ARCHIVE = "alerts", "archive"
COLUMNS = {
    "in": "in",
    "rule": "rule",
    "severity": "severity",
    "who": "principal",
    "events": "events",
    "stay": "events_shown",
    "alerts": "alerts",
    "real": "true_positives",
    "last": "last_time",
}
_ALERTS_READ = 100_000


class Preview:
    """What some suppressions would have hidden since a time.

    Args:
        invocation: whose configuration names the store, the archive and the rules.
        suppressions: what is to be tried; nothing else hides anything.
        since: seconds since 1970.
        archive: whether the archive is read, too.
    """

    def __init__(
        self, invocation: Invocation, suppressions: Sequence[Suppression], since: int, *, archive: bool
    ) -> None:
        from trailwatch import wiring

        self._invocation = invocation
        self._suppressions = suppressions
        self._since = since
        self._suppressor: Suppressor = wiring.suppressor_of(invocation.config(), suppressions)
        self.problems = self._suppressor.problems
        self._unread = 0
        self.rows = [*self._of_alerts(), *(self._of_archive() if archive else ())]

    def write(self, form: str) -> None:
        """Prints the rows to standard output, and what they come to to standard error."""
        from trailwatch.cli.scan_output import write_jsonl, write_table

        if form == "jsonl":
            write_jsonl(self.rows, sys.stdout)
        elif self.rows:
            write_table(self.rows, COLUMNS, sys.stdout)
        for line in self.summary():
            click.echo(line, err=True)

    def summary(self) -> Iterator[str]:
        """One line for each place that was looked into, and a warning where real alerts would have been lost."""
        from trailwatch.cli.scan_suppressions import counted

        for place in (ALERTS, ARCHIVE):
            found = [row for row in self.rows if row["in"] == place]
            alerts, events = sum(row["alerts"] for row in found), sum(row["events"] for row in found)
            if found:
                told = f"{counted(events, 'event', 'events')} and {counted(alerts, 'whole alert', 'whole alerts')}"
                yield f"{place}: it would have hidden {told}"
        if not self.rows:
            yield "it would have hidden nothing"
        if self._unread:
            yield f"warning: {counted(self._unread, 'archived record', 'archived records')} could not be read"
        real = sum(row["true_positives"] for row in self.rows)
        if real:
            yield f"warning: {counted(real, 'of these alerts was', 'of these alerts were')} closed as true-positive"

    def _of_alerts(self) -> list[Mapping[str, Any]]:
        from trailwatch import wiring
        from trailwatch.detect.preview import Effects
        from trailwatch.store.alerts import AlertFilter

        effects = Effects(self._suppressor)
        store: Store
        with wiring.open_store(self._invocation.config(), self._invocation.environment) as store:
            alerts = store.alerts.search(AlertFilter(since=self._since, limit=_ALERTS_READ))
            subjects = store.incidents.subjects([alert.id for alert in alerts])
        if len(alerts) == _ALERTS_READ:
            click.echo(f"only the latest {_ALERTS_READ:,} alerts are looked at", err=True)
        effects.add_alerts(alerts, {one.alert_id: one.actor_key for one in subjects})
        return [_row(ALERTS, effect) for effect in effects.found()]

    def _of_archive(self) -> list[Mapping[str, Any]]:
        from trailwatch import wiring
        from trailwatch.detect.preview import Effects
        from trailwatch.rules.suppression import EVERY_RULE

        config, environment = self._invocation.config(), self._invocation.environment
        archive = wiring.archive_of(config, environment)
        if archive is None:
            return []
        ruleset = wiring.load_ruleset(config, environment)
        named = {name for one in self._suppressions for name in one.rules}
        if EVERY_RULE not in named:
            ruleset.rules = tuple(rule for rule in ruleset.rules if {rule.info.id, rule.info.slug} & named)
        ruleset.first_seen = ()
        ruleset.correlations = ()
        engine, effects = wiring.engine_of(ruleset), Effects(self._suppressor)
        for delivery in archive.read(self._since):
            found = engine.evaluate(delivery)
            effects.add_matches(found.matches)
            self._unread += len(found.rejects)
        return [_row(ARCHIVE, effect) for effect in effects.found()]


def _row(place: str, effect: Effect) -> Mapping[str, Any]:
    from trailwatch.cli.scan_output import iso

    return {
        "in": place,
        "rule": effect.slug,
        "severity": effect.severity.value,
        "principal": effect.principal,
        "actor": effect.actor,
        "events": effect.events,
        "events_shown": effect.shown,
        "alerts": effect.alerts,
        "true_positives": effect.true_positives,
        "first_time": iso(effect.first),
        "last_time": iso(effect.last),
    }
