"""One invocation's way through: parcels -> deliveries -> matches -> alerts -> told -> responded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from trailwatch.aws_lambda.envelopes import Parcel, Passed, Piece, Record, Tick, parcels_of
from trailwatch.aws_lambda.telling import Telling, Told
from trailwatch.decode.containers import split
from trailwatch.detect.triage import group
from trailwatch.errors import SourceError, TrailwatchError
from trailwatch.model.alert import Alert
from trailwatch.model.match import Match, Tally
from trailwatch.model.provenance import Provenance
from trailwatch.pipeline import Evaluator, Sifter
from trailwatch.ports import Clock, Delivery
from trailwatch.sources.files import delivery_of
from trailwatch.sources.stored_logs import StoredLog

Log = Callable[[Mapping[str, Any]], None]
LEASE_SECONDS = 60
"""How long an invocation is waited for that does not say how much time it has."""
_AFTER_SECONDS = 2
"""Lambda ends a process this much after its time at the latest."""


class LogReader(Protocol):
    """Where logs are read, such as `trailwatch.sources.stored_logs.Logs`."""

    def read(self, log: StoredLog) -> Delivery:
        """The log's records."""


class Responder(Protocol):
    """What happens to alerts by itself, such as `trailwatch.aws_lambda.responding.Responding`."""

    def respond(self, alerts: Sequence[Alert], provenance: Mapping[str, Provenance], until: int) -> Told:
        """What was told of it; everything that waits for its time is looked at too."""


class _Found(msgspec.Struct):
    """What one parcel held."""

    parcel: Parcel
    alerts: list[str] = []
    """Ids."""
    errors: list[str] = []
    """Why it has to come again."""


class Function:
    """Everything that an invocation needs, passed in.

    Args:
        engine: stage 1.
        sifter: what keeps matches from becoming alerts; None for nothing.
        logs: reads logs out of buckets.
        telling: for the request id of an invocation, what tells of alerts.
        responder: what happens by itself; None for nothing.
        clock: the time.
        log: takes one line for the function's log.
    """

    def __init__(
        self,
        *,
        engine: Evaluator,
        sifter: Sifter | None,
        logs: LogReader,
        telling: Callable[[str], Telling],
        responder: Callable[[Telling], Responder] | None,
        clock: Clock,
        log: Log,
    ) -> None:
        self._engine = engine
        self._sifter = sifter
        self._logs = logs
        self._telling = telling
        self._responder = responder
        self._clock = clock
        self._log = log

    def answer(self, event: object, context: Any) -> dict[str, Any]:
        """See `trailwatch.aws_lambda.answer`."""
        now = int(self._clock.now().timestamp())
        until = now + _seconds_left(context) + _AFTER_SECONDS
        run = _Run(self._engine, self._logs, self._log)
        found = [run.take(parcel) for parcel in parcels_of(event)]
        alerts = self._alerts(run)
        telling = self._telling(str(getattr(context, "aws_request_id", "")) or f"{id(run):x}-{now}")
        told = telling.tell(alerts, until)
        if self._responder is not None and (alerts or run.ticked):
            told.join(self._responder(telling).respond(alerts, run.provenance, until))
        return self._end(run, found, alerts, told)

    def _alerts(self, run: _Run) -> list[Alert]:
        matches: Sequence[Match] = run.matches
        if self._sifter is not None and matches:
            sifted = self._sifter.sift(matches)
            matches = sifted.kept
            run.tally.suppressed += len(sifted.hidden)
            run.tally.lapsed += sifted.lapsed
        return group(matches)

    def _end(self, run: _Run, found: Iterable[_Found], alerts: Sequence[Alert], told: Told) -> dict[str, Any]:
        """Logs what was done; the answer for Lambda.

        Raises:
            TrailwatchError: something has to come again, and it was no queue's.
        """
        again: list[str] = []
        causes: list[str] = []
        own = set(told.unsent)
        for one in found:
            errors = [*one.errors, *(told.unsent[alert] for alert in one.alerts if alert in told.unsent)]
            own.difference_update(one.alerts)
            causes += dict.fromkeys(errors)
            if errors and one.parcel.message_id:
                again.append(one.parcel.message_id)
        causes += dict.fromkeys(told.unsent[what] for what in sorted(own))
        counts = {
            **{name: value for name, value in msgspec.to_builtins(run.tally).items() if value},
            "alerts": len(alerts),
            "sent": told.sent,
            "known": told.known,
        }
        self._log({"event": "invocation", **counts, "again": len(again), "errors": [*causes, *told.refused]})
        if causes and not again:
            raise TrailwatchError("", "; ".join(causes), "Lambda sends the event again")
        return {**counts, "batchItemFailures": [{"itemIdentifier": one} for one in again]}


class _Run:
    """One invocation's parcels on their way to matches."""

    def __init__(self, engine: Evaluator, logs: LogReader, log: Log) -> None:
        self._engine = engine
        self._logs = logs
        self._log = log
        self.tally = Tally()
        self.matches: list[Match] = []
        self.provenance: dict[str, Provenance] = {}
        """Event id to the way on which the event came; the one that is easiest to forge counts."""
        self.ticked = False

    def take(self, parcel: Parcel) -> _Found:
        """Everything that the parcel holds is evaluated; one piece that fails keeps no other from it."""
        found = _Found(parcel, errors=[parcel.error] if parcel.error else [])
        for piece in parcel.pieces:
            try:
                self._take_piece(piece, found)
            except SourceError as error:
                found.errors.append(str(error))
        return found

    def _take_piece(self, piece: Piece, found: _Found) -> None:
        match piece:
            case Record():
                parts = split(piece.body, piece.origin)
                self._evaluate(delivery_of(parts, piece.origin), piece.provenance, found)
            case StoredLog():
                self._evaluate(self._logs.read(piece), Provenance.TRAIL_BUCKET, found)
            case Tick():
                self.ticked = True
            case Passed():
                self.tally.records += 1
                self.tally.left_out[piece.what] += 1

    def _evaluate(self, delivery: Delivery, provenance: Provenance, found: _Found) -> None:
        result = self._engine.evaluate(delivery)
        self.tally.add(result.tally)
        self.matches += result.matches
        found.alerts += {match.alert_id for match in result.matches}
        for match in result.matches:
            known = self.provenance.setdefault(match.event_id, provenance)
            if _FORGEABLE.index(provenance) > _FORGEABLE.index(known):
                self.provenance[match.event_id] = provenance
        for reject in result.rejects:
            self._log({"event": "reject", "origin": reject.origin, "reason": reject.reason})
        for failure in result.failures:
            self._log({"event": "failed rule", **msgspec.to_builtins(failure)})


_FORGEABLE = list(Provenance)
"""From the way that is hardest to forge to the easiest."""


def _seconds_left(context: Any) -> int:
    left = getattr(context, "get_remaining_time_in_millis", None)
    return int(left()) // 1000 + 1 if left is not None else LEASE_SECONDS
