"""From alerts to what is to be done: which playbooks answer, which actions they name, and about whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from trailwatch.decode.records import to_mapping
from trailwatch.detect.compile import Test, compile_predicate
from trailwatch.detect.record import Record
from trailwatch.errors import DecodeError
from trailwatch.model.alert import Alert, Evidence
from trailwatch.model.incident import Incident
from trailwatch.model.principal import principal_of
from trailwatch.model.response import Order, Target
from trailwatch.ports import Action, AddressBook
from trailwatch.respond.makers import Maker, bare, caller_of, makers
from trailwatch.respond.playbook import Playbook


class Chosen(msgspec.Struct, frozen=True):
    """What playbooks make of some alerts."""

    orders: tuple[Order, ...]
    playbooks: tuple[str, ...] = ()
    """Names of those that answered, also of those that only tell humans."""
    humans: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    """What rules asked for (`respond:`) and no playbook is called."""
    spared: tuple[Maker, ...] = ()
    """Who is left out, because all that they did was to make somebody long before."""


class Chooser:
    """Asks playbooks about alerts.

    Args:
        playbooks: good ones, by name.
        actions: by name, in the order in which they are taken.
        book: the tables of addresses, for conditions on derived fields.
        find: the record of an event whose alert does not have it; None where nobody has.

    Raises:
        ValueError: a condition holds a value that does not fit its operator.
    """

    def __init__(
        self,
        playbooks: Mapping[str, Playbook],
        actions: Mapping[str, Action],
        book: AddressBook | None = None,
        find: Callable[[Evidence], bytes | None] = lambda _evidence: None,
    ) -> None:
        self._playbooks: list[tuple[Playbook, Test]] = [
            (one, compile_predicate(one.condition)) for _, one in sorted(playbooks.items())
        ]
        self._actions = actions
        self._book = book
        self._find = find

    def choose(self, alerts: Iterable[Alert], incident: Incident | None = None) -> Chosen:
        """What is to be done about the events of these alerts.

        Args:
            alerts: with their evidence.
            incident: that they belong to, for conditions on its score.
        """
        orders: dict[tuple[str, Target], Order] = {}
        names: dict[str, None] = {}
        humans: dict[str, None] = {}
        alerts = list(alerts)
        events = [(alert, one) for alert in alerts for one in self._events(alert)]
        made = makers(events) if incident is not None else []
        spared = {one.principal: one for one in made if one.long_ago}
        asked = {alert.rule.respond: False for alert in alerts if bare(alert.principal) not in spared}
        for alert, evidence in events:
            if caller_of(alert, evidence) in spared:
                continue
            for playbook in self.answering(alert, evidence, incident):
                asked[alert.rule.respond] = True
                names[playbook.name] = None
                humans.update(dict.fromkeys(playbook.humans))
                for order in self._orders(playbook, alert, evidence):
                    key = (order.action, msgspec.structs.replace(order.target, evidence=b""))
                    orders.setdefault(key, order)
        unanswered = tuple(hint for hint, answered in asked.items() if hint and not answered)
        doubtful = [_DOUBT.format(one.name, ", ".join(one.made)) for one in made if not one.long_ago]
        return Chosen(tuple(orders.values()), tuple(names), (*doubtful, *humans), unanswered, tuple(spared.values()))

    def _events(self, alert: Alert) -> Iterator[Evidence]:
        """The events that an alert is about, with their records where anybody has them."""
        for kept in alert.evidence:
            evidence = self._whole(kept)
            if kept.record or not evidence.record or _by_principal(evidence, alert):
                yield evidence

    def answering(self, alert: Alert, evidence: Evidence, incident: Incident | None = None) -> list[Playbook]:
        """The playbooks that answer one event of an alert, by name."""
        asked = [(one, test) for one, test in self._playbooks if one.asked_by(alert.rule.respond)]
        if not asked:
            return []
        record = self._record(alert, evidence, incident)
        return [] if record is None else [one for one, test in asked if _holds(test, record)]

    def _whole(self, evidence: Evidence) -> Evidence:
        """The evidence with its record: what a rule over time concluded from has none at hand."""
        if evidence.record:
            return evidence
        found = self._find(evidence)
        return evidence if found is None else msgspec.structs.replace(evidence, record=found)

    def _record(self, alert: Alert, evidence: Evidence, incident: Incident | None) -> Record | None:
        try:
            plain = to_mapping(evidence.record)
        except DecodeError:
            return None  # of a correlation, or cut short: nobody is locked out on what cannot be read
        told = {**plain, "alert": _alert_facts(alert), "incident": _incident_facts(incident)}
        return Record(msgspec.json.encode(told), None, self._book)

    def _orders(self, playbook: Playbook, alert: Alert, evidence: Evidence) -> list[Order]:
        plain = to_mapping(evidence.record)
        return [
            Order(
                action=name,
                target=msgspec.structs.replace(target, evidence=evidence.record),
                playbook=playbook.name,
                alert_id=alert.id,
                event_id=evidence.event_id,
            )
            for name in playbook.actions
            for target in self._actions[name].targets(plain)
        ]


_DOUBT = (
    "Ask {0}, over a way that an intruder does not have: nothing is known of it here but that it made user {1}. "
    "Where that was wanted, plan for user/{1} alone; this plan answers both."
)


def _by_principal(evidence: Evidence, alert: Alert) -> bool:
    """Whether the alert is about the caller: a rule over time may also need what somebody else did in good faith."""
    try:
        return principal_of(to_mapping(evidence.record)).key == alert.principal
    except DecodeError:
        return False


def _holds(test: Test, record: Record) -> bool:
    try:
        return test(record)
    except DecodeError:
        return False


def _alert_facts(alert: Alert) -> dict[str, Any]:
    rule = alert.rule
    return {
        "severity": alert.severity.value,
        "rule": rule.slug,
        "respond": rule.respond,
        "tactics": list(rule.tactics),
        "techniques": list(rule.techniques),
        "account": alert.account,
    }


def _incident_facts(incident: Incident | None) -> dict[str, Any]:
    if incident is None:
        return {}
    return {"score": incident.score, "severity": incident.severity.value, "tactics": list(incident.tactics)}


def ordered(orders: Sequence[Order], actions: Mapping[str, Action]) -> list[Order]:
    """The orders as they are carried out: by the place of their action in the table, then as they came."""
    ranks = {name: rank for rank, name in enumerate(actions)}
    return sorted(orders, key=lambda order: ranks[order.action])
