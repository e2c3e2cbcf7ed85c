"""Alerts leave from the function itself: claimed, sent, marked as told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from trailwatch.detect.routing import Routing
from trailwatch.detect.telling import messages_of
from trailwatch.dynamo.claims import Claim, Turn
from trailwatch.errors import NotifyError
from trailwatch.model.alert import Alert
from trailwatch.model.message import Message
from trailwatch.ports import Clock, Notifier

PAUSES_SECONDS = (0.25, 0.5, 1.0)
"""Between looks at what another invocation is sending."""


class Turns(Protocol):
    """Who tells of what, such as `trailwatch.dynamo.claims.Claims`."""

    def claim(self, what: str, notifier: str, rank: int, now: int, until: int) -> Claim:
        """Whether this caller tells."""

    def told(self, what: str, notifier: str) -> None:
        """It has arrived, or will never."""

    def give_back(self, what: str, notifier: str) -> None:
        """It has not arrived."""


class Unremembered:
    """Claims of a function without a table: everything is told as often as it is found."""

    def claim(self, what: str, notifier: str, rank: int, now: int, until: int) -> Claim:  # noqa: ARG002 one shape
        return Claim(Turn.MINE, now)

    def told(self, what: str, notifier: str) -> None:
        pass

    def give_back(self, what: str, notifier: str) -> None:
        pass


class Told(msgspec.Struct):
    """What became of some alerts."""

    sent: int = 0
    """Messages that arrived."""
    known: int = 0
    """Times that an alert was told before."""
    unsent: dict[str, str] = {}
    """Alerts, or messages of its own, that have to be tried again, each with the reason."""
    refused: list[str] = []
    """Reasons why messages were given up."""

    def join(self, more: Told) -> None:
        """Adds what became of others."""
        self.sent += more.sent
        self.known += more.known
        self.unsent.update(more.unsent)
        self.refused += more.refused


class Telling:
    """Tells of alerts, each notifier on its own.

    Args:
        turns: who tells of what.
        notifiers: by name.
        routing: who gets what; what could wait for a digest is told at once, because nobody would gather it.
        clock: the time.
    """

    def __init__(self, turns: Turns, notifiers: Mapping[str, Notifier], routing: Routing, clock: Clock) -> None:
        self._turns = turns
        self._notifiers = notifiers
        self._routing = routing
        self._clock = clock

    def tell(self, alerts: Sequence[Alert], until: int) -> Told:
        """What became of the alerts; one that fails keeps no other from being told.

        Args:
            alerts: of one invocation.
            until: when this invocation is surely over, in seconds since 1970.
        """
        told = Told()
        by_notifier: dict[str, list[Alert]] = {}
        for alert in alerts:
            for name in self._routing.places(alert):
                by_notifier.setdefault(name, []).append(alert)
        for name, several in by_notifier.items():
            ranks = {alert.id: alert.severity.rank for alert in several}
            for since, ids in self._claimed(name, ranks, until, told):
                mine = [alert for alert in several if alert.id in ids]
                for message in messages_of(mine, since):
                    self._send(name, message, _alerts_of(message), told)
        return told

    def tell_once(self, message: Message, until: int) -> Told:
        """The same for a message without alerts, by its id; to everybody who hears about trailwatch itself."""
        told = Told()
        for name in self._routing.notices():
            for _ in self._claimed(name, {message.id: message.severity.rank}, until, told):
                self._send(name, message, [message.id], told)
        return told

    def _claimed(
        self, name: str, ranks: Mapping[str, int], until: int, told: Told
    ) -> Iterator[tuple[int, frozenset[str]]]:
        """Those that this invocation tells, each group with the time of its first attempt, which names its message.

        What another invocation is sending just now is waited for a moment: mostly it is told then.
        """
        waiting = dict(ranks)
        for pause in (0.0, *PAUSES_SECONDS):
            if pause:
                self._clock.sleep(pause)
            now = int(self._clock.now().timestamp())
            claims = {what: self._turns.claim(what, name, rank, now, until) for what, rank in waiting.items()}
            mine = [what for what, claim in claims.items() if claim.turn is Turn.MINE]
            told.known += sum(claim.turn is Turn.DONE for claim in claims.values())
            if mine:
                yield min(claims[what].since for what in mine), frozenset(mine)
            waiting = {what: rank for what, rank in waiting.items() if claims[what].turn is Turn.BUSY}
            if not waiting:
                return
        told.unsent.update(dict.fromkeys(waiting, f"{name}: another invocation is sending it just now"))

    def _send(self, name: str, message: Message, ids: Sequence[str], told: Told) -> None:
        try:
            self._notifiers[name].send(message)
        except Exception as error:  # noqa: BLE001 whatever a notifier raises must not keep the others from being told
            why = str(error) if isinstance(error, NotifyError) else f"{name}: {type(error).__name__}: {error}"
            if isinstance(error, NotifyError) and error.permanent:
                told.refused.append(why)
                self._settle(name, ids)
                return
            for one in ids:
                self._turns.give_back(one, name)
            told.unsent.update(dict.fromkeys(ids, why))
        else:
            told.sent += 1
            self._settle(name, ids)

    def _settle(self, name: str, ids: Sequence[str]) -> None:
        for one in ids:
            self._turns.told(one, name)


def _alerts_of(message: Message) -> list[str]:
    """Every alert that it tells of, also those told as one with another."""
    return [one for alert in message.alerts for one in (alert.id, *alert.twins)]
