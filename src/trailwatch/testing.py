"""Tools for people who write rules, and for this project's own tests.

from trailwatch.testing import event, matches

assert matches("rules/trail_deleted.yml", event("DeleteTrail", requestParameters={"name": "main"}))
assert not matches("rules/trail_deleted.yml", event("DeleteTrail", errorCode="AccessDenied"))
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trailwatch.detect.engine import Engine
from trailwatch.enrich.documentation import ExampleAddresses
from trailwatch.errors import NotifyError, RuleError
from trailwatch.model.match import Match
from trailwatch.model.message import Message
from trailwatch.model.signal import Signal
from trailwatch.ports import Delivery
from trailwatch.rules.catalog import load_rules
from trailwatch.rules.rule import Correlation, Rule, RuleSet

if TYPE_CHECKING:
    from trailwatch.detect.correlator import Firing

ACCOUNT = "111122223333"
USER = "dora"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""Where `FixedClock` and `event` stand unless told otherwise."""
_SOURCES = {
    "ConsoleLogin": "signin",
    "AssumeRole": "sts",
    "GetCallerIdentity": "sts",
    "DeleteTrail": "cloudtrail",
    "StopLogging": "cloudtrail",
    "UpdateTrail": "cloudtrail",
    "RunInstances": "ec2",
    "AuthorizeSecurityGroupIngress": "ec2",
    "PutBucketPolicy": "s3",
    "GetSecretValue": "secretsmanager",
}
_SIGN_IN = frozenset({"ConsoleLogin", "SwitchRole", "ExitRole"})
_READS = ("Get", "List", "Describe", "Head", "Lookup")


def event(name: str, /, *, change: Mapping[str, Any] | None = None, **overrides: Any) -> dict[str, Any]:
    """A record as CloudTrail writes it, made by the IAM user `dora` of account 111122223333.

    Args:
        name: the event name; its source is guessed for well-known ones and `iam.amazonaws.com` otherwise.
        change: dotted paths to values, put into the record last; None removes the key.
        overrides: top-level fields, such as `errorCode="AccessDenied"`; None removes the field.

    Returns:
        A new dict; the same arguments give the same record, `eventID` included.
    """
    from trailwatch.rules.examples import put

    identity = {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLEDORA",
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{USER}",
        "accountId": ACCOUNT,
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "userName": USER,
    }
    record: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": f"{START:%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": f"{_SOURCES.get(name, 'iam')}.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "198.51.100.23",
        "userAgent": "aws-cli/2.27.12",
        "requestParameters": None,
        "responseElements": None,
        "readOnly": name.startswith(_READS),
        "eventType": "AwsConsoleSignIn" if name in _SIGN_IN else "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    for key, value in overrides.items():
        if value is None and key not in {"requestParameters", "responseElements"}:
            record.pop(key, None)
        else:
            record[key] = copy.deepcopy(value)
    for path, value in (change or {}).items():
        put(record, path, copy.deepcopy(value))
    if "eventID" not in overrides:
        content = msgspec.json.encode(record, order="sorted").decode()
        record["requestID"] = str(uuid.uuid5(uuid.NAMESPACE_OID, "request" + content))
        record["eventID"] = str(uuid.uuid5(uuid.NAMESPACE_OID, content))
    return record


def matches(rule: Path | str | Rule, record: Mapping[str, Any]) -> bool:
    """Whether a rule, or any rule of a file, matches the record, by the engine that scans and polls.

    Raises:
        RuleError: the file has no rule that can run, or a Python rule raised.
    """
    return bool(matches_of(rule, record))


def matches_of(rule: Path | str | Rule, record: Mapping[str, Any]) -> list[Match]:
    """The matches of a rule, or of every rule of a file, with the record.

    Raises:
        RuleError: the file has no rule that can run, or a Python rule raised.
    """
    rules = rule if isinstance(rule, Rule) else None
    ruleset = RuleSet(rules=(rules,)) if rules else _only_rules(Path(str(rule)))
    found = Engine(ruleset, tables=ExampleAddresses()).evaluate(delivery([record]))
    if found.failures:
        raise RuleError(ruleset.rules[0].info.origin, found.failures[0].error)
    if found.rejects:
        raise RuleError("event", found.rejects[0].reason)
    return found.matches


def fires(correlation: Correlation, ruleset: RuleSet, records: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a correlation of the rule set concludes something from these records.

    What a rule with a memory says yes to counts as new: a few records have no history.

    Raises:
        RuleError: a rule that it reads raised, or a record could not be read.
    """
    from trailwatch.rules.stories import whole_of

    info = msgspec.structs.replace(correlation.info, alerting=True)
    loud = msgspec.structs.replace(correlation, info=info)
    *below, _ = whole_of(correlation, {one.info.id: one for one in ruleset.correlations})
    named = {name for one in (*below, correlation) for name in one.rules}
    chosen = {rule.info.id: rule for rule in (*ruleset.rules, *ruleset.first_seen) if rule.info.id in named}
    alone = RuleSet(
        rules=tuple(rule for rule in chosen.values() if not rule.remembers),
        correlations=(*below, loud),
        first_seen=tuple(rule for rule in chosen.values() if rule.remembers),
    )
    found = Engine(alone, tables=ExampleAddresses()).evaluate(delivery(records))
    for trouble in (*(failure.error for failure in found.failures), *(reject.reason for reject in found.rejects)):
        raise RuleError(correlation.info.origin, trouble)
    return any(firing.correlation.info.id == loud.info.id for firing in firings_of(alone, found.signals))


def firings_of(ruleset: RuleSet, signals: Iterable[Signal]) -> list[Firing]:
    """All that the correlations of the rule set conclude from these signals."""
    from trailwatch.detect.correlator import Correlator
    from trailwatch.detect.novelty import NewOnly
    from trailwatch.store.database import Database
    from trailwatch.store.signals import Signals

    with Database(":memory:") as database:
        correlator = Correlator(ruleset.correlations, Signals(database))
        asking, others = (new_only := NewOnly(ruleset)).divided(list(signals))
        correlator.keep([*others, *new_only.plain(asking)])
        return correlator.everything()


def _only_rules(path: Path) -> RuleSet:
    ruleset = load_rules([path], shipped=False)
    rules = (*ruleset.rules, *ruleset.first_seen)
    if not rules:
        problem = next(iter(ruleset.problems), None)
        what = problem.text if problem else f"no rule for CloudTrail in it: {ruleset.skipped or 'it is empty'}"
        raise RuleError(problem.origin if problem else str(path), what)
    return RuleSet(rules=rules)


def delivery(records: Iterable[Mapping[str, Any]], origin: str = "test", *, archive: bool = False) -> Delivery:
    """A delivery of records, as a source would make it."""
    raws = [msgspec.Raw(msgspec.json.encode(record)) for record in records]
    return Delivery(origin, raws, range(len(raws)), archive=archive)


class FixedClock:
    """A clock that moves only when it is told to, or when somebody sleeps on it.

    Args:
        start: the first moment, aware.
    """

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._monotonic = 0.0
        self.slept: list[float] = []
        """Every sleep so far, in seconds."""

    @classmethod
    def at(cls, seconds: float) -> FixedClock:
        """One that stands so many seconds after 1970."""
        return cls(datetime.fromtimestamp(seconds, UTC))

    @property
    def seconds(self) -> float:
        """Now, in seconds since 1970; setting it moves the clock there, also back."""
        return self._now.timestamp()

    @seconds.setter
    def seconds(self, seconds: float) -> None:
        self._monotonic += max(0.0, seconds - self.seconds)
        self._now = datetime.fromtimestamp(seconds, UTC)

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Moves on without anybody having slept."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


class ListSource:
    """A source that has its deliveries already."""

    def __init__(self, deliveries: Iterable[Delivery]) -> None:
        self._deliveries = list(deliveries)

    def poll(self) -> Iterator[Delivery]:
        yield from self._deliveries


class RecordingNotifier:
    """A notifier that keeps what it is given; it refuses as often as told, then accepts.

    Args:
        name: how outputs call it.
        refusals: the errors to raise first, in order.
    """

    def __init__(self, name: str = "recording", refusals: Iterable[NotifyError] = ()) -> None:
        self.name = name
        self.sent: list[Message] = []
        self.attempts = 0
        self._refusals = list(refusals)

    def send(self, message: Message) -> str:
        self.attempts += 1
        if self._refusals:
            raise self._refusals.pop(0)
        self.sent.append(message)
        return "kept"
