"""The WSGI layer in front of moto: who calls, may he, what goes wrong, what is answered, and what the trail keeps."""

from __future__ import annotations

import json
import random
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from moto.backends import list_of_moto_modules
from moto.server import DomainDispatcherApplication, create_backend_app

from trailwatch.lab import names, trails
from trailwatch.lab.answers import Answer, NotSimulated, Refusal, json_answer, refusal_answer
from trailwatch.lab.authoriser import Authoriser
from trailwatch.lab.call import Call, Environ, read_body, read_call
from trailwatch.lab.faults import Faults
from trailwatch.lab.guard_duty import GuardDuty
from trailwatch.lab.history import EventHistory
from trailwatch.lab.identities import Caller, Identities, anonymous_caller
from trailwatch.lab.limits import Limits
from trailwatch.lab.recorder import Recorder
from trailwatch.lab.records import record_of, secrets_in_batch
from trailwatch.lab.regions import describe_regions, is_usable
from trailwatch.lab.service_credentials import ServiceCredentials
from trailwatch.lab.sign_in import SignIn, console_login
from trailwatch.lab.sts import SessionTokens
from trailwatch.ports import Clock

_ERROR = 400
_SEEN_CALLS = 100_000


@dataclass(frozen=True)
class Seen:
    """One call that reached the lab, for tests that ask what was called, when and how it ended."""

    at: float
    """Seconds of the clock's `monotonic`."""
    account: str
    region: str
    service: str
    operation: str
    status: int
    """HTTP status; 0 when the connection was cut."""


class _Moto(DomainDispatcherApplication):  # type: ignore[misc]  # moto's classes are Any here
    """moto, which would otherwise search 700 patterns in every call, and print to stdout where none fits."""

    @cache  # noqa: B019 a lab lives as long as its moto
    def get_backend_for_host(self, host: str | None) -> Any:
        if host in {None, "moto_api"} or host in list_of_moto_modules():
            return host
        return next((name for name, url in self.backend_url_patterns if url.match(f"http://{host}")), None)


class LabApp:
    """The whole lab as a WSGI application."""

    def __init__(
        self,
        *,
        account: str,
        recorder: Recorder,
        history: EventHistory,
        limits: Limits,
        faults: Faults,
        identities: Identities,
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self._account = account
        self._recorder = recorder
        self._history = history
        self._limits = limits
        self._faults = faults
        self._identities = identities
        self._clock = clock
        self._chance = chance
        self._authoriser = Authoriser()
        self._sessions = SessionTokens(identities, clock)
        self.guard_duty = GuardDuty(clock, self._new_id)
        self._moto = _Moto(create_backend_app)
        self._moto_lock = threading.RLock()
        self.seen: deque[Seen] = deque(maxlen=_SEEN_CALLS)
        service_credentials = ServiceCredentials(clock, chance)
        self._own: dict[tuple[str, str], Callable[[Call, Caller, str], Answer]] = {
            ("cloudtrail", "LookupEvents"): self._look_up,
            ("ec2", "DescribeRegions"): self._describe_regions,
            ("sts", "GetSessionToken"): self._sessions.get_session_token,
            ("sts", "GetFederationToken"): self._sessions.get_federation_token,
            ("iam", "CreateServiceSpecificCredential"): service_credentials.create,
            ("iam", "ListServiceSpecificCredentials"): service_credentials.list,
            ("iam", "UpdateServiceSpecificCredential"): service_credentials.update,
            ("cloudtrail", "GetEventSelectors"): trails.get_event_selectors,
            ("cloudtrail", "PutEventSelectors"): trails.put_event_selectors,
            ("cloudtrail", "GetInsightSelectors"): trails.get_insight_selectors,
            ("cloudtrail", "PutInsightSelectors"): trails.put_insight_selectors,
            ("cloudtrail", "RemoveTags"): trails.remove_tags,
            ("guardduty", "ListFindings"): self.guard_duty.list_findings,
            ("guardduty", "GetFindings"): self.guard_duty.get_findings,
            ("guardduty", "CreateSampleFindings"): self.guard_duty.create_sample_findings,
        }

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        body = read_body(environ)
        if environ.get("PATH_INFO") == "/lab/console-login":
            answer = self._console_login(environ, body)
        else:
            call = read_call(environ, body)
            answer = self._unsigned(environ) if call is None else self._carry_out(call, environ)
        start_response(answer.status_line(), list(answer.headers))
        return [answer.body]

    def _unsigned(self, environ: Environ) -> Answer:
        try:
            return self._ask_moto(environ, environ.get("PATH_INFO", ""))
        except NotSimulated as refusal:
            return Answer(refusal.status, refusal.message.encode(), (("Content-Type", "text/plain"),))

    def _carry_out(self, call: Call, environ: Environ) -> Answer:
        request_id = self._new_id()
        account, status = self._account, 0
        try:
            caller = self._caller(call)
            account = caller.account
            try:
                self._faults.strike(call)
                self._authoriser.authorise(call, caller, self._identities.session(call.key_id), self._clock.now())
                answer = self._answer(call, caller, environ, request_id)
                request_id = answer.request_id() or request_id
            except NotSimulated:
                raise
            except Refusal as refusal:
                answer = self._refused(call, refusal, request_id)
            status = answer.status
        except Refusal as refusal:  # the key is nobody's or the lab gave up: no trail has the call
            answer = self._refused(call, refusal, request_id)
            status = answer.status
            return answer
        finally:
            self.seen.append(
                Seen(self._clock.monotonic(), account, call.region, call.signing_name, call.operation, status)
            )
        self._record(call, caller, answer, request_id)
        return answer

    def _caller(self, call: Call) -> Caller:
        if not call.key_id:
            return anonymous_caller(self._account, call.operation, call.parameters)
        caller = self._identities.find(call.key_id)
        if not is_usable(call.region):
            caller = None  # a region that is not opted in knows no key
        return self._authoriser.authenticate(call, caller, self._identities.session(call.key_id), self._clock.now())

    def _answer(self, call: Call, caller: Caller, environ: Environ, request_id: str) -> Answer:
        own = self._own.get((call.signing_name, call.operation))
        if own is not None:
            return own(call, caller, request_id)
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = caller.account
        what = f"{call.signing_name}:{call.operation}"
        with self._moto_lock:
            answer = self._ask_moto(environ, what)
            if answer.status >= _ERROR and answer.body[:15].lower().startswith(b"<!doctype html"):
                raise NotSimulated(what)
            if answer.status < _ERROR:
                answer = self._sessions.after(call, caller, answer)
        return answer

    def _ask_moto(self, environ: Environ, what: str) -> Answer:
        begun: dict[str, Any] = {}

        def begin(status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> Callable[[bytes], object]:
            begun["status"], begun["headers"] = int(status.split(maxsplit=1)[0]), headers
            return lambda _data: None

        try:
            body = b"".join(self._moto(environ, begin))
        except Exception as error:  # moto raises whatever it likes for what it cannot do
            raise NotSimulated(what, str(error)) from error
        kept = tuple((name, value) for name, value in begun["headers"] if name.lower() != "content-length")
        if environ.get("REQUEST_METHOD") == "HEAD":
            kept = tuple(begun["headers"])
        return Answer(begun["status"], body, kept)

    def _refused(self, call: Call, refusal: Refusal, request_id: str) -> Answer:
        return refusal_answer(refusal, call.protocol, request_id, is_s3=call.signing_name == "s3")

    def _record(self, call: Call, caller: Caller, answer: Answer, request_id: str) -> None:
        if names.is_data_event(call) or not call.operation:
            return
        at = self._clock.now()
        record = record_of(call, caller, answer, at=at, event_id=self._new_id(), request_id=request_id)
        visible_at = at.timestamp() + self._limits.visibility_delay + self._faults.event_delay()
        for copy in self._sessions.copies(call, caller, record, self._new_id):
            self._recorder.add(copy, visible_at=visible_at)
        for secret in secrets_in_batch(call, answer, record, self._new_id):
            self._recorder.add(secret, visible_at=visible_at)

    def _look_up(self, call: Call, caller: Caller, request_id: str) -> Answer:
        try:
            call.parameters = json.loads(call.body or b"{}")
        except ValueError as error:
            raise Refusal("SerializationException", "The request is no JSON.") from error
        return json_answer(self._history.look_up(caller.account, call.region, call.parameters), request_id)

    def _describe_regions(self, call: Call, caller: Caller, request_id: str) -> Answer:  # noqa: ARG002 one shape
        if call.parameters.get("DryRun") in {True, "true"}:
            raise Refusal("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
        body = (
            '<DescribeRegionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
            f"<requestId>{request_id}</requestId>{describe_regions(call.parameters)}</DescribeRegionsResponse>"
        )
        return Answer(200, body.encode(), (("Content-Type", "text/xml;charset=UTF-8"),))

    def _console_login(self, environ: Environ, body: bytes) -> Answer:
        try:
            wish = SignIn.read(body, environ)
        except ValueError as error:
            return Answer(400, json.dumps({"message": str(error)}).encode(), (("Content-Type", "application/json"),))
        record = self.console_login(wish)
        return Answer(
            200, json.dumps({"eventID": record["eventID"]}).encode(), (("Content-Type", "application/json"),)
        )

    def console_login(self, wish: SignIn) -> dict[str, Any]:
        """Records a sign-in to the console and gives back its record."""
        at = self._clock.now()
        record = console_login(wish, default_account=self._account, at=at, event_id=self._new_id())
        delay = timedelta(seconds=self._limits.visibility_delay + self._faults.event_delay())
        self._recorder.add(record, visible_at=(at + delay).timestamp())
        return record

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
