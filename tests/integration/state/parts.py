"""What the tests of this folder pass in: a clock that stands, records, an engine, notifiers, and counted doubles."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import warnings
from datetime import UTC, datetime

import msgspec
import pytest

from trailwatch.archive import Archive
from trailwatch.decode.records import to_mapping
from trailwatch.errors import DecodeError, NotifyError
from trailwatch.model.coverage import Interval, LookupKey
from trailwatch.model.event import Event
from trailwatch.model.identity import alert_id, synthetic_event_id
from trailwatch.model.match import Found, Match, Reject
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.pipeline import Pipeline
from trailwatch.ports import CoverageGain, Delivery
from trailwatch.relay import relay
from trailwatch.rules.catalog import load_rules
from trailwatch.store.database import Database
from trailwatch.store.store import Store
from trailwatch.testing import FixedClock

START = 1_760_000_400
"""A full hour, so that a period of an hour begins here."""


def record(number, *, at=None, name="StopLogging", principal="alice", **more):
    time = datetime.fromtimestamp(START + number if at is None else at, UTC)
    body = {
        "eventID": f"00000000-0000-4000-8000-{number:012d}",
        "eventTime": f"{time:%Y-%m-%dT%H:%M:%SZ}",
        "eventName": name,
        "eventSource": "cloudtrail.amazonaws.com",
        "awsRegion": "us-east-1",
        "recipientAccountId": "111122223333",
        "sourceIPAddress": "192.0.2.7",
        "userAgent": "aws-cli/2",
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/{principal}"},
        **more,
    }
    return msgspec.Raw(json.dumps(body).encode())


def delivery(records, *, polled=True, gain=None, origin="111122223333/us-east-1/ReadOnly=false", ack=None):
    key = LookupKey("111122223333", "us-east-1", "ReadOnly=false")
    gains = (CoverageGain(key, Interval(*gain)),) if gain else ()
    return Delivery(origin, list(records), range(len(records)), gains=gains, archive=polled, ack=ack)


def rules_of(folder, text):
    """The rules that stand in a text of YAML, which goes into a file of the folder."""
    (folder / "rules.yml").write_text(text)
    ruleset = load_rules([folder], shipped=False)
    assert not ruleset.problems
    return ruleset


def rule(name="StopLogging", severity=Severity.HIGH):
    return RuleInfo(f"rule-{name}", f"rule_{name}", f"{name} was called", severity, "rules/x.yml:1")


class NameEngine:
    """Says yes to the event names it is given; one alert for each rule, principal and hour."""

    def __init__(self, **severities):
        self.rules = {
            name: rule(name, severity) for name, severity in (severities or {"StopLogging": Severity.HIGH}).items()
        }

    def evaluate(self, delivery):
        found = Found(matches=[], rejects=list(delivery.rejects))
        found.tally.records = len(delivery.records) + len(delivery.rejects)
        ids = set()
        for at, raw in zip(delivery.positions, delivery.records, strict=True):
            body = bytes(raw)
            try:
                event = Event(to_mapping(body), delivery.origin, at)
            except DecodeError as error:
                found.rejects.append(Reject(delivery.origin, at, str(error), body))
                continue
            event_id = event.event_id or synthetic_event_id(body)
            if (event.account, event_id) in ids:
                found.tally.duplicates += 1
                continue
            ids.add((event.account, event_id))
            if event.name in self.rules:
                found.tally.matched += 1
                found.matches.append(self._match(event, event_id, delivery, at, body))
            else:
                found.tally.unmatched += 1
        found.tally.rejects = len(found.rejects)
        found.tally.matches = len(found.matches)
        return found

    def _match(self, event, event_id, delivery, at, body):
        info, time = self.rules[event.name], int(event.time.timestamp())
        return Match(
            rule=info,
            alert_id=alert_id(info.id, [event.principal.key, event.account], time, 3600),
            time=time,
            event_id=event_id,
            account=event.account,
            region=event.region,
            event_source=event.source,
            event_name=event.name,
            principal=event.principal.key,
            actor=event.principal.key,
            source_ip=event.source_ip,
            user_agent=event.user_agent,
            error_code=event.error_code,
            reason=f"eventName is {event.name}",
            origin=delivery.origin,
            position=at,
            record=body,
        )


class ListArchive:
    def __init__(self):
        self.kept = []

    def append(self, account, region, records):
        self.kept.extend((account, region, time, body) for time, body in records)


class Mailbox:
    """A notifier that keeps what it gets; answers with errors while it is down."""

    def __init__(self, name="mail"):
        self.name = name
        self.got = []
        self.down = None

    def send(self, message):
        if self.down is not None:
            raise self.down
        self.got.append(message)
        return f"250 {message.id}"


def refusal(text="550 no such user"):
    return NotifyError("mail", text, permanent=True)


def outage(text="451 try later"):
    return NotifyError("mail", text)


class FileMailbox:
    """A notifier that survives its process: one line for each message that it accepted."""

    def __init__(self, path, name="mail"):
        self.path = path
        self.name = name

    def send(self, message):
        alerts = sorted(f"{a.id}:{a.severity.value}" for a in message.alerts)
        line = json.dumps([self.name, message.id, alerts, message.kind.value])
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line.encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return "accepted"

    def lines(self):
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []


class Fuse:
    """Counts calls and ends the process, as a power cut would, at the n-th."""

    EXIT = 77

    def __init__(self, at=None):
        self.at = at
        self.calls = 0

    def burn(self):
        self.calls += 1
        if self.calls == self.at:
            os._exit(self.EXIT)


def fork():
    """`os.fork` without Python's warning about threads: the child does its work and leaves by `os._exit`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def dies(cycle, fuse_at):
    """Runs `cycle` with a fuse, in a process of its own; whether the fuse burnt through."""
    child = fork()
    if child == 0:
        try:
            cycle(Fuse(fuse_at))
        except BaseException:  # noqa: BLE001 the child must end here, whatever happened
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, Fuse.EXIT)
    return code == Fuse.EXIT


def check_every_death(folder, cycle, contents, cuts):
    """Whatever call a process dies at, the next cycle makes good: the number of the first that it lived through.

    Args:
        folder: for the state files.
        cycle: takes the path of a state file and a fuse; does everything that is left to do.
        contents: takes the path; what has to be the same in the end.
        cuts: at which calls to die.
    """
    cycle(folder / "whole", Fuse())
    expected = contents(folder / "whole")
    # a state file that is made already, because the making has tests of its own
    Store(Database(folder / "made")).close()
    for n in cuts:
        path = folder / str(n)
        shutil.copy(folder / "made", path)
        died = dies(functools.partial(cycle, path), n)
        cycle(path, Fuse())
        assert contents(path) == expected
        if not died:
            return n
        path.unlink()
    return pytest.fail("it died at every call")


class FusedDatabase(Database):
    """Each statement, and both sides of each begin and commit, burn the fuse."""

    def __init__(self, path, fuse):
        self._fuse = fuse
        super().__init__(path)

    def execute(self, *arguments):
        self._fuse.burn()
        return super().execute(*arguments)

    def executemany(self, *arguments):
        self._fuse.burn()
        return super().executemany(*arguments)

    def one(self, *arguments):
        self._fuse.burn()
        return super().one(*arguments)

    def all(self, *arguments):
        self._fuse.burn()
        return super().all(*arguments)

    @contextlib.contextmanager
    def transaction(self):
        self._fuse.burn()
        with super().transaction():
            yield
            self._fuse.burn()
        self._fuse.burn()


class Fused:
    """Any other object: each call of one of its methods burns the fuse before and after."""

    def __init__(self, inner, fuse):
        self._inner = inner
        self._fuse = fuse

    def __getattr__(self, name):
        value = getattr(self._inner, name)
        if not callable(value):
            return value

        def call(*arguments, **named):
            self._fuse.burn()
            answer = value(*arguments, **named)
            self._fuse.burn()
            return answer

        return call


def archived_ids(folder):
    """The event ids in an archive, with those that stand there twice."""
    return [json.loads(bytes(raw))["eventID"] for one in Archive(folder).read() for raw in one.records]


class ScriptedHistory:
    """An event history that can be read again: windows that are not covered yet, and the newest one always.

    As a poller does it: a window's coverage is gained with its events, and windows overlap.
    """

    WIDTH = 60

    def __init__(self, store, windows, per_window=3):
        self.store = store
        self.windows = windows
        self.per_window = per_window

    def records(self, window):
        begin = window * self.WIDTH
        own = [
            record(begin + n, principal=f"user{(window + n) % 4}", name="StopLogging" if n % 3 else "ListBuckets")
            for n in range(self.per_window)
        ]
        # the last event of the window before shows up again
        return [record(begin - self.WIDTH + 1, principal=f"user{(window) % 4}"), *own] if window else own

    def poll(self):
        for window in range(self.windows):
            span = (START + window * self.WIDTH, START + (window + 1) * self.WIDTH)
            one = delivery(self.records(window), gain=span)
            if window == self.windows - 1 or not self.store.coverage.intervals(one.gains[0].key).covers(
                Interval(*span)
            ):
                yield one

    def every_delivery(self):
        return [delivery(self.records(window)) for window in range(self.windows)]


def run_cycle(path, mailbox_path, archive_path, *, windows, fuse=None, clock=None):
    """One cycle over everything, as a fresh process would do it."""
    fuse, clock = fuse or Fuse(), clock or FixedClock.at(START + 3600)
    with Store(FusedDatabase(path, fuse)) as store:
        archive = Fused(Archive(archive_path), fuse)
        pipeline = Pipeline(NameEngine(), store, archive, clock, {"mail": Severity.LOW})
        notifiers = {"mail": Fused(FileMailbox(mailbox_path), fuse)}
        for number, one in enumerate(ScriptedHistory(store, windows).poll()):
            fuse.burn()
            pipeline.process(one)
            if number == 0:
                pipeline.announce(int(clock.now().timestamp()))
                relay(store, notifiers, clock, clock.monotonic() + 60)
        pipeline.announce(int(clock.now().timestamp()))
        report = relay(store, notifiers, clock, clock.monotonic() + 60)
        store.prune(int(clock.now().timestamp()))
    return report
