"""The outbox's way out: sends what is due, each attempt recorded, tried again with growing pauses.

What is given up goes to the fallback, and the other notifiers hear of one that does not deliver.

No transaction spans a send. A message is marked before its send and its outcome is committed after it; a process
that dies between the two leaves the mark, and the next one sends that message once more. One thread for each
notifier does nothing but send, so that one that hangs delays no other; the calling thread alone touches the store.
A cycle has other things to do than to wait for one that hangs: it goes on, and asks at its end what became of it.
"""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self

import msgspec

from trailwatch.detect.silence import delivers_again, does_not_deliver
from trailwatch.errors import NotifyError
from trailwatch.model.message import Conversation, Message, Receipt
from trailwatch.ports import Clock, Converser, Notifier
from trailwatch.store.outbox import Item, Outcome
from trailwatch.store.store import Store

PAUSE_FIRST_SECONDS = 30.0
PAUSE_LONGEST_SECONDS = 3600.0
GIVEN_UP_AFTER_SECONDS = 48 * 3600
OVERDUE_SECONDS = 900
"""What passes by itself, such as a mail server that restarts, has passed by then."""
ATTEMPTS_AT_LEAST = 6
"""A message is not given up before, however old it is: the machine may have been off."""
TOLD_AGAIN_SECONDS = 3600
"""A notifier that comes and goes is not reported more often."""


class Policy(msgspec.Struct, frozen=True):
    """What is done about messages that cannot be delivered."""

    give_up: float = GIVEN_UP_AFTER_SECONDS
    """Seconds after which a message is given up."""
    attempts: int = ATTEMPTS_AT_LEAST
    """But not before so many attempts."""
    fallback: str = ""
    """The notifier that gets what another one gave up; empty for none."""
    notices: tuple[str, ...] = ()
    """The notifiers that hear of one that does not deliver."""


DEFAULT_POLICY = Policy()


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
    policy: Policy = DEFAULT_POLICY,
) -> RelayReport:
    """What was done with everything that was due.

    For each notifier and incident messages go out in the order in which they were decided; a notifier that
    fails once gets nothing more in this run.

    Args:
        store: the outbox is in it.
        notifiers: by name.
        clock: what time it is.
        deadline: of `clock.monotonic()`; no send begins after it.
        jitter: spreads the attempts, so that many hosts do not come back at once.
        policy: what is done about messages that cannot be delivered.
    """
    with Sending(store, clock, jitter, policy) as sending:
        return sending.run(notifiers, deadline)


class Sending:
    """The same in several runs, which leave alone what hangs; whoever leaves it waits for that.

    Nobody else sends from the first run until everything that it began has ended.

    Args:
        store: the outbox is in it.
        clock: what time it is.
        jitter: spreads the attempts, so that many hosts do not come back at once.
        policy: what is done about messages that cannot be delivered.
    """

    def __init__(
        self, store: Store, clock: Clock, jitter: random.Random | None = None, policy: Policy = DEFAULT_POLICY
    ) -> None:
        self._store = store
        self._outbox = store.outbox
        self._clock = clock
        self._jitter = jitter or random.Random()  # noqa: S311 no secret
        self._policy = policy
        self._report = RelayReport()
        self._notifiers: Mapping[str, Notifier] = {}
        self._noticed: set[str] = set()
        self._under_way: dict[Future[Receipt], Item] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._lock = contextlib.ExitStack()
        self._mine = False
        self._until = math.inf

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def unfinished(self) -> bool:
        """Whether the last run left something under way."""
        return bool(self._under_way)

    def run(
        self,
        notifiers: Mapping[str, Notifier],
        deadline: float,
        patience: float | None = None,
        until: float = math.inf,
    ) -> RelayReport:
        """What was done with everything that was due, and with what an earlier run left under way.

        Args:
            notifiers: by name.
            deadline: of `clock.monotonic()`; no send begins after it.
            patience: when nothing comes back for so many seconds, what is still under way is left to a later run;
                without it everything has ended.
            until: of `clock.monotonic()`; what is under way then is left to a later run, however patient this one is.
        """
        self._report = RelayReport()
        self._until = until
        self._notifiers = notifiers
        self._noticed = set()
        if not self._mine:
            self._mine = self._lock.enter_context(self._outbox.drain_lock())
        if not self._mine:
            self._lock.close()
            return RelayReport(busy=True, waiting=self._outbox.waiting_by_notifier())
        try:
            self._run(deadline, patience)
        except BaseException:
            # somebody pressed Ctrl-C: what is under way is sent by now, and must not go out again
            self._end()
            raise
        if not self._under_way:
            self._end()
        return self._report

    def _run(self, deadline: float, patience: float | None) -> None:
        self._recover()
        self._give_up_unroutable()
        self._drain(self._outbox.waiting_by_notifier(), deadline, patience)
        # what the run itself had to say, such as that a notifier does not deliver
        self._drain(self._noticed - self._report.errors.keys(), deadline, patience)
        self._report.waiting = self._outbox.waiting_by_notifier()

    def _end(self) -> None:
        """Waits for what is under way, keeps what became of it, and lets others send."""
        try:
            if self._pool is not None:
                self._pool.shutdown()
                self._pool = None
            while self._under_way:
                future, item = self._under_way.popitem()
                self._record(item, future)
        finally:
            self._mine = False
            self._lock.close()

    def _ready(self, names: Iterable[str]) -> list[str]:
        held = self._store.conversations.held(self._now())
        busy = {item.notifier for item in self._under_way.values()}
        return [name for name in names if name in self._notifiers and name not in held and name not in busy]

    def _drain(self, names: Collection[str], deadline: float, patience: float | None) -> None:
        idle = self._ready(names)
        while idle or self._under_way:
            while idle:
                name = idle.pop()
                item = self._next(name, deadline)
                if item is not None:
                    self._begin(item)
            done = wait(self._under_way, timeout=self._left(patience), return_when=FIRST_COMPLETED).done
            if self._under_way and not done:
                return
            for future in done:
                item = self._under_way[future]
                if self._record(item, future) and item.notifier in self._notifiers:
                    idle.append(item.notifier)
                del self._under_way[future]

    def _left(self, patience: float | None) -> float | None:
        """How many seconds the next wait may take; None for ever."""
        left = min(math.inf if patience is None else patience, self._until - self._clock.monotonic())
        return None if math.isinf(left) else max(0.0, left)

    def _begin(self, item: Item) -> None:
        before = self._store.conversations.of(item)
        if self._pool is None:
            # one thread for each: none waits for another's
            self._pool = ThreadPoolExecutor(max_workers=len(self._notifiers), thread_name_prefix="send")
        sent = self._pool.submit(_send, self._notifiers[item.notifier], item.message, before)
        self._under_way[sent] = item

    def _next(self, notifier: str, deadline: float) -> Item | None:
        """The notifier's next message, marked as being sent."""
        if self._clock.monotonic() >= deadline:
            return None
        due = self._outbox.due(self._now(), notifier, limit=1)
        if not due:
            return None
        self._outbox.begin(due[0], self._now())
        return msgspec.structs.replace(due[0], attempts=due[0].attempts + 1)

    def _record(self, item: Item, future: Future[Receipt]) -> bool:
        """Keeps the outcome; whether the notifier may go on."""
        error = future.exception()
        if error is None:
            receipt = future.result()
            now = self._now()
            with self._store.transaction():
                self._outbox.succeeded(item, receipt.answer, now, receipt.handle)
                over = self._store.conversations.delivers(item.notifier)
                if over is not None and now - over.since >= OVERDUE_SECONDS:
                    self._outbox.hurry(item.notifier, now)
                if over is not None and over.told is not None and over.told >= over.since:
                    self._notice(item.notifier, delivers_again(over, now))
            self._report.sent += 1
            return True
        if not isinstance(error, Exception):
            raise error
        self._report.errors[item.notifier] = _text_of(error)
        permanent = isinstance(error, NotifyError) and error.permanent
        rest = (isinstance(error, NotifyError) and error.retry_after) or 0.0
        with self._store.transaction():
            dead = self._failed(item, _text_of(error), Outcome.REFUSED if permanent else Outcome.FAILED, rest)
            self._silent(item, _text_of(error), rest, lost=dead)
        return permanent

    def _failed(self, item: Item, error: str, outcome: Outcome, rest: float = 0.0) -> bool:
        """Whether that was the last attempt."""
        now = self._now()
        if now - item.created >= OVERDUE_SECONDS and self._outbox.is_oldest(item):
            self._report.overdue[item.notifier] = now - item.created
        expired = item.attempts >= self._policy.attempts and now - item.created >= self._policy.give_up
        if outcome is Outcome.REFUSED or expired:
            self._outbox.failed(item, error, now, due=None, outcome=outcome)
            self._lost(item)
            return True
        pause = 0.0 if outcome is Outcome.INTERRUPTED and item.attempts == 1 else self._pause(item.attempts)
        self._outbox.failed(item, error, now, due=now + round(max(pause, rest)), outcome=outcome)
        self._report.failed += 1
        return False

    def _pause(self, attempts: int) -> float:
        longest = min(PAUSE_LONGEST_SECONDS, PAUSE_FIRST_SECONDS * 2.0 ** min(attempts - 1, 20))
        return longest * self._jitter.uniform(0.5, 1.0)

    def _lost(self, item: Item) -> None:
        """A message that was given up goes to the fallback."""
        self._report.dead += 1
        fallback = self._policy.fallback
        if fallback and fallback != item.notifier:
            self._outbox.add(item.message, [fallback], self._now())
            self._noticed.add(fallback)

    def _silent(self, item: Item, error: str, rest: float, *, lost: bool) -> None:
        """The others hear of a notifier that does not deliver: once, when it lasts or something was given up."""
        now = self._now()
        hold = now + round(min(rest, PAUSE_LONGEST_SECONDS)) if rest else 0
        trouble = self._store.conversations.failing(item.notifier, error, now, hold)
        lasts = now - trouble.since >= OVERDUE_SECONDS
        told = trouble.told is not None and (trouble.told >= trouble.since or now - trouble.told < TOLD_AGAIN_SECONDS)
        if (lasts or lost) and not told:
            self._store.conversations.told_of(item.notifier, now)
            waiting = self._outbox.waiting_by_notifier().get(item.notifier, 0)
            self._notice(item.notifier, does_not_deliver(trouble, waiting, now, lost=lost))

    def _notice(self, about: str, message: Message) -> None:
        others = [name for name in self._policy.notices if name != about]
        self._outbox.add(message, others, self._now())
        self._noticed.update(others)

    def _recover(self) -> None:
        """What a process that died was sending goes out again, the first time at once."""
        own = {item.id for item in self._under_way.values()}
        for item in self._outbox.under_way():
            if item.id in own:
                continue
            with self._store.transaction():
                self._failed(item, "the process ended while it sent", Outcome.INTERRUPTED)
            self._report.interrupted += 1

    def _give_up_unroutable(self) -> None:
        """Messages for a notifier that is no longer configured do not wait for ever."""
        before = self._now() - round(self._policy.give_up)
        for item in self._outbox.unroutable(list(self._notifiers), before):
            with self._store.transaction():
                self._outbox.give_up(item, self._now())
                self._lost(item)

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def _send(notifier: Notifier, message: Message, before: Conversation) -> Receipt:
    if isinstance(notifier, Converser):
        return notifier.send_in(message, before)
    return Receipt(notifier.send(message))


def _text_of(error: Exception) -> str:
    return str(error) if isinstance(error, NotifyError) else f"{type(error).__name__}: {error}"
