"""The outbox's way out: sends what is due, each attempt recorded, tried again with growing pauses.

No transaction spans a send. A message is marked before its send and its outcome is committed after it; a process
that dies between the two leaves the mark, and the next one sends that message once more. One thread for each
notifier does nothing but send, so that one that hangs delays no other; the calling thread alone touches the store.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import msgspec

from trailwatch.errors import NotifyError
from trailwatch.ports import Clock, Notifier
from trailwatch.store.outbox import Item, Outbox, Outcome
from trailwatch.store.store import Store

PAUSE_FIRST_SECONDS = 30.0
PAUSE_LONGEST_SECONDS = 3600.0
GIVEN_UP_AFTER_SECONDS = 48 * 3600
OVERDUE_SECONDS = 900
"""What passes by itself, such as a mail server that restarts, has passed by then."""
ATTEMPTS_AT_LEAST = 6
"""A message is not given up before, however old it is: the machine may have been off."""


class RelayReport(msgspec.Struct):
    """What one run of the relay did."""

    sent: int = 0
    failed: int = 0
    """Attempts that came to nothing and will be repeated."""
    dead: int = 0
    """Messages that were given up."""
    interrupted: int = 0
    """Attempts of a process that died; those messages are sent once more."""
    errors: dict[str, str] = {}
    """The last error of each notifier that had one."""
    waiting: dict[str, int] = {}
    """How many messages each notifier still has to send."""
    overdue: dict[str, int] = {}
    """Notifiers whose oldest message failed again and is late, with its age in seconds: somebody should look."""
    busy: bool = False
    """Another process is sending; this one did nothing."""


def relay(
    store: Store,
    notifiers: Mapping[str, Notifier],
    clock: Clock,
    deadline: float,
    jitter: random.Random | None = None,
) -> RelayReport:
    """What was done with everything that was due.

    For each notifier and principal messages go out in the order in which they were decided; a notifier that
    fails once gets nothing more in this run.

    Args:
        store: the outbox is in it.
        notifiers: by name.
        clock: what time it is.
        deadline: of `clock.monotonic()`; no send begins after it.
        jitter: spreads the attempts, so that many hosts do not come back at once.
    """
    with store.outbox.drain_lock() as mine:
        if not mine:
            return RelayReport(busy=True, waiting=store.outbox.waiting_by_notifier())
        return _Relay(store.outbox, notifiers, clock, jitter or random.Random()).run(deadline)  # noqa: S311 no secret


class _Relay:
    def __init__(
        self, outbox: Outbox, notifiers: Mapping[str, Notifier], clock: Clock, jitter: random.Random
    ) -> None:
        self._outbox = outbox
        self._notifiers = notifiers
        self._clock = clock
        self._jitter = jitter
        self._report = RelayReport()

    def run(self, deadline: float) -> RelayReport:
        self._recover()
        self._give_up_unroutable()
        idle = [name for name in self._outbox.waiting_by_notifier() if name in self._notifiers]
        if idle:
            self._drain(idle, deadline)
        self._report.waiting = self._outbox.waiting_by_notifier()
        return self._report

    def _drain(self, idle: list[str], deadline: float) -> None:
        under_way: dict[Future[str], Item] = {}
        try:
            with ThreadPoolExecutor(max_workers=len(idle), thread_name_prefix="send") as pool:
                while idle or under_way:
                    while idle:
                        name = idle.pop()
                        item = self._next(name, deadline)
                        if item is not None:
                            under_way[pool.submit(_send, self._notifiers[name], item)] = item
                    for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                        item = under_way[future]
                        if self._record(item, future):
                            idle.append(item.notifier)
                        del under_way[future]
        finally:
            # somebody pressed Ctrl-C: what the pool waited for on its way out was sent, and must not go out again
            for future, item in under_way.items():
                self._record(item, future)

    def _next(self, notifier: str, deadline: float) -> Item | None:
        """The notifier's next message, marked as being sent."""
        if self._clock.monotonic() >= deadline:
            return None
        due = self._outbox.due(self._now(), notifier, limit=1)
        if not due:
            return None
        self._outbox.begin(due[0], self._now())
        return msgspec.structs.replace(due[0], attempts=due[0].attempts + 1)

    def _record(self, item: Item, future: Future[str]) -> bool:
        """Keeps the outcome; whether the notifier may go on."""
        error = future.exception()
        if error is None:
            self._outbox.succeeded(item, future.result(), self._now())
            self._report.sent += 1
            return True
        if not isinstance(error, Exception):
            raise error
        self._report.errors[item.notifier] = _text_of(error)
        permanent = isinstance(error, NotifyError) and error.permanent
        self._failed(item, _text_of(error), Outcome.REFUSED if permanent else Outcome.FAILED)
        return permanent

    def _failed(self, item: Item, error: str, outcome: Outcome) -> None:
        now = self._now()
        if now - item.created >= OVERDUE_SECONDS and self._outbox.is_oldest(item):
            self._report.overdue[item.notifier] = now - item.created
        expired = item.attempts >= ATTEMPTS_AT_LEAST and now - item.created >= GIVEN_UP_AFTER_SECONDS
        if outcome is Outcome.REFUSED or expired:
            self._outbox.failed(item, error, now, due=None, outcome=outcome)
            self._report.dead += 1
        else:
            pause = 0.0 if outcome is Outcome.INTERRUPTED and item.attempts == 1 else self._pause(item.attempts)
            self._outbox.failed(item, error, now, due=now + round(pause), outcome=outcome)
            self._report.failed += 1

    def _pause(self, attempts: int) -> float:
        longest = min(PAUSE_LONGEST_SECONDS, PAUSE_FIRST_SECONDS * 2.0 ** min(attempts - 1, 20))
        return longest * self._jitter.uniform(0.5, 1.0)

    def _recover(self) -> None:
        """What a process that died was sending goes out again, the first time at once."""
        for item in self._outbox.under_way():
            self._failed(item, "the process ended while it sent", Outcome.INTERRUPTED)
            self._report.interrupted += 1

    def _give_up_unroutable(self) -> None:
        """Messages for a notifier that is no longer configured do not wait for ever."""
        before = self._now() - GIVEN_UP_AFTER_SECONDS
        for item in self._outbox.unroutable(list(self._notifiers), before):
            self._outbox.give_up(item, self._now())
            self._report.dead += 1

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def _send(notifier: Notifier, item: Item) -> str:
    return notifier.send(item.message)


def _text_of(error: Exception) -> str:
    return str(error) if isinstance(error, NotifyError) else f"{type(error).__name__}: {error}"
