"""What people answer in the channels: an acknowledgement counts at once, an approval waits for whoever asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from trailwatch.errors import NotifyError
from trailwatch.model.alert import AlertState
from trailwatch.model.inert import for_terminal
from trailwatch.model.message import Kind, Message, Reply
from trailwatch.model.severity import Severity
from trailwatch.ports import Clock, Listener, Notifier
from trailwatch.service.companions import Quiet
from trailwatch.service.report import CycleReport
from trailwatch.store.conversations import Open
from trailwatch.store.store import Store

LISTENED_SECONDS = 7 * 86400
"""Messages that are older are no longer asked about."""
ASKED_AT_MOST = 20
"""Messages in one cycle and channel, the newest first: each costs two requests; Slack allows fifty a minute."""


class Listening(Quiet):
    """Asks the channels once, at the end of a cycle, as `trailwatch.service.companions.Companion`.

    Args:
        store: where messages and answers are kept.
        notifiers: makes them; asked only where there is a message that somebody may answer.
        clock: the time.
    """

    def __init__(self, store: Store, notifiers: Callable[[], Mapping[str, Notifier]], clock: Clock) -> None:
        self._store = store
        self._notifiers = notifiers
        self._clock = clock
        self._is_time = False
        self._confirms = False
        self._deadline = float("inf")

    def begin(self, deadline: float, reach_back: int) -> None:  # noqa: ARG002 one shape for all
        self._deadline = deadline

    def conclude(self, report: CycleReport, notices: Sequence[str]) -> None:  # noqa: ARG002 one shape for all
        # not before everything was read: a channel that is slow must not hold that up
        self._is_time = True

    def follow_up(self, report: CycleReport, notices: Sequence[str]) -> bool:  # noqa: ARG002 one shape for all
        """Whether somebody is to see that their acknowledgement was heard."""
        if self._is_time:
            self._is_time = False
            self._listen(report)
        return self._confirms

    def _listen(self, report: CycleReport) -> None:
        since = int(self._clock.now().timestamp()) - LISTENED_SECONDS
        conversations = self._store.conversations
        if not conversations.answerable(since):
            return
        for name, notifier in self._notifiers().items():
            if not isinstance(notifier, Listener):
                continue
            asked = conversations.open(name, since, ASKED_AT_MOST)
            try:
                for one in asked:
                    if self._clock.monotonic() >= self._deadline:
                        return
                    self._hear(name, one, notifier.replies(one.handle), asked)
            except NotifyError as error:
                # nothing is lost: what was said there is still there in the next cycle
                report.problems.append(f"answers cannot be read: {for_terminal(str(error))}")

    def _hear(self, notifier: str, one: Open, replies: Sequence[Reply], asked: Sequence[Open]) -> None:
        for reply in replies:
            if reply.verb == "ack":
                self._acknowledge(notifier, one, reply)
            else:
                plan = _plan(one, reply, asked)
                if plan:
                    self._store.conversations.hear(notifier, reply, one.message.conversation, plan, self._now())

    def _acknowledge(self, notifier: str, one: Open, reply: Reply) -> None:
        store, now = self._store, self._now()
        with store.transaction():
            if not store.conversations.hear(notifier, reply, one.message.conversation, "", now):
                return
            note = f"acknowledged by {for_terminal(reply.who)} through {notifier}"
            alerts = store.conversations.open_alerts(one.message.id, one.message.thread)
            for alert_id in alerts:
                store.handling.handle(alert_id, AlertState.ACKED, None, note, now)
            if alerts and one.message.conversation:
                store.outbox.add(_confirmation(one.message, reply.who, len(alerts), now), [notifier], now)
                self._confirms = True

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def _confirmation(answered: Message, who: str, alerts: int, now: int) -> Message:
    """Says in the conversation that the answer was heard."""
    return Message(
        id=f"{answered.id}-acked-{now}",
        created=now,
        principal=answered.principal,
        alerts=(),
        headline=f"acknowledged by {for_terminal(who)}",
        body=f"{alerts} alert{'s' if alerts > 1 else ''} acknowledged. What is new in it is told all the same.",
        kind=Kind.RESPONSE,
        thread=answered.conversation,
        level=Severity.INFORMATIONAL,
    )


def _plan(one: Open, reply: Reply, asked: Sequence[Open]) -> str:
    """Which plan somebody spoke of; empty where that is not certain.

    A reaction counts on the message that asks for it alone. A text below it, or in the same conversation, may name
    the plan; without a name it counts where exactly one was asked for before it was said.
    """
    if not reply.is_text:
        return one.message.plan
    before = [
        other.message.plan
        for other in asked
        if other.message.plan
        and other.message.conversation == one.message.conversation
        and _stamp(other.handle) < _stamp(reply.handle)
    ]
    if reply.about in before:
        return reply.about
    # a word after the verb that is no plan's id is the beginning of a sentence, and no name
    return before[0] if len(set(before)) == 1 and not reply.about else ""


def _stamp(handle: str) -> float:
    try:
        return float(handle.rpartition("/")[2])
    except ValueError:
        return 0.0
