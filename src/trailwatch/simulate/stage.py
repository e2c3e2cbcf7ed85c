"""Where scenarios play: an endpoint, and for each person credentials, an address and a program."""

from __future__ import annotations

import ipaddress
import json
import random
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader

from trailwatch.errors import SourceError, UsageError
from trailwatch.ports import Clock


@dataclass(frozen=True)
class Credentials:
    """What an access key consists of; the token only for sessions."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Credentials:
        """The credentials in an answer of IAM or STS."""
        return cls(answer["AccessKeyId"], answer["SecretAccessKey"], answer.get("SessionToken", ""))


@dataclass(frozen=True)
class Seat:
    """Somebody at work: with which credentials, from where, with which program."""

    name: str
    credentials: Credentials
    address: str
    agent: str


Client = Any  # boto3 makes its clients at run time


@dataclass(frozen=True)
class Step:
    """One thing that somebody did in a scenario."""

    who: str
    what: str
    region: str
    outcome: str
    """`ok`, or the error code."""


@dataclass
class Stage:
    """Opens clients for seats and keeps the script of what was done."""

    endpoint: str
    clock: Clock
    chance: random.Random
    pause: float = 0.0
    """Mean seconds between two steps."""
    region: str = "us-east-1"
    script: list[Step] = field(default_factory=list)
    _clients: dict[tuple[Seat, str, str], Client] = field(default_factory=dict)
    _loader: Loader = field(default_factory=Loader)

    def client(self, seat: Seat, service: str, region: str = "") -> Client:
        """A client that calls as this person, from this person's address."""
        region = region or self.region
        key = (seat, service, region)
        if key not in self._clients:
            self._clients[key] = self._open(seat, service, region)
        return self._clients[key]

    def do(self, seat: Seat, service: str, operation: str, *, region: str = "", **parameters: Any) -> dict[str, Any]:
        """One call, kept in the script; an error of AWS is part of the story and answers {}.

        Args:
            seat: who calls.
            service: as boto3 names it.
            operation: as boto3 names the method.
            region: empty for the stage's own.
            parameters: of the operation.

        Raises:
            SourceError: nobody answers at the endpoint.
        """
        answer: dict[str, Any] = {}
        outcome = "ok"
        try:
            answer = getattr(self.client(seat, service, region), operation)(**parameters)
        except ClientError as error:
            outcome = error.response["Error"]["Code"]
        except BotoCoreError as error:
            raise SourceError(self.endpoint, str(error), "is the lab still running?") from error
        self.script.append(Step(seat.name, f"{service}:{operation}", region or self.region, outcome))
        if self.pause:
            self.clock.sleep(self.chance.uniform(0.5, 1.5) * self.pause)
        return answer

    def assume(self, seat: Seat, role_arn: str, session_name: str) -> Seat:
        """The same person as a role; the same seat when the role was refused."""
        answer = self.do(seat, "sts", "assume_role", RoleArn=role_arn, RoleSessionName=session_name)
        if not answer:
            return seat
        name = f"{seat.name} as {role_arn.rsplit('/', 1)[-1]}"
        return Seat(name, Credentials.of(answer["Credentials"]), seat.address, seat.agent)

    def sign_in(self, seat: Seat, user: str, *, mfa: bool, success: bool = True) -> None:
        """Signs in to the console through the lab's door; elsewhere it is left out, because sign-in has no API."""
        if not is_loopback(self.endpoint):
            self.script.append(Step(seat.name, "signin:ConsoleLogin", "us-east-1", "left out"))
            return
        wish = {"user": user, "mfa": mfa, "success": success, "source_address": seat.address}
        request = urllib.request.Request(  # noqa: S310 the endpoint was checked to be HTTP on loopback
            f"{self.endpoint}/lab/console-login",
            data=json.dumps(wish).encode(),
            headers={"Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10):
            pass
        self.script.append(Step(seat.name, "signin:ConsoleLogin", "us-east-1", "ok" if success else "Failure"))

    def close(self) -> None:
        """Closes every connection."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _open(self, seat: Seat, service: str, region: str) -> Client:
        core = botocore.session.Session()
        core.register_component("data_loader", self._loader)  # the models are read once, not once per person
        session = boto3.Session(
            aws_access_key_id=seat.credentials.access_key_id,
            aws_secret_access_key=seat.credentials.secret_access_key,
            aws_session_token=seat.credentials.session_token or None,
            region_name=region,
            botocore_session=core,
        )
        proxies: dict[str, str] | None = (
            {} if is_loopback(self.endpoint) else None
        )  # no proxy knows the way to this machine's loopback
        config = Config(proxies=proxies, inject_host_prefix=False, retries={"total_max_attempts": 3})
        client: Client = session.client(service, endpoint_url=self.endpoint, config=config)
        client.meta.events.register("before-send", _as_seen(seat))
        return client


def open_stage(
    environment: Mapping[str, str], *, clock: Clock, chance: random.Random, pause: float = 0.0, real: bool = False
) -> tuple[Stage, Seat]:
    """The stage that the environment names, and the seat of whoever owns the credentials in it.

    Args:
        environment: with AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
        clock: waits between steps.
        chance: decides what varies.
        pause: mean seconds between two steps.
        real: True plays against what is no loopback address, with everything that the scenario does there.

    Raises:
        UsageError: the endpoint is missing or not on loopback, or credentials are missing.
    """
    endpoint = environment.get("AWS_ENDPOINT_URL", "").rstrip("/")
    if not is_loopback(endpoint) and not real:
        raise UsageError(
            "AWS_ENDPOINT_URL",
            f"scenarios change the account they play in, and {endpoint or 'no endpoint'!r} is not on loopback",
            "start `trailwatch lab` and export what it prints",
        )
    missing = [name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not environment.get(name)]
    if missing:
        raise UsageError(missing[0], "is not set", "export what `trailwatch lab` prints")
    credentials = Credentials(
        environment["AWS_ACCESS_KEY_ID"],
        environment["AWS_SECRET_ACCESS_KEY"],
        environment.get("AWS_SESSION_TOKEN", ""),
    )
    region = environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    stage = Stage(endpoint, clock, chance, pause=pause, region=region)
    return stage, Seat("the administrator", credentials, "198.51.100.7", "aws-cli/2.27.50 md/prompt#off")


def is_loopback(endpoint: str) -> bool:
    """Whether a URL points to this machine."""
    host = urlsplit(endpoint).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _as_seen(seat: Seat) -> Callable[..., None]:
    def disguise(request: AWSPreparedRequest, **_: Any) -> None:
        request.headers["X-Forwarded-For"] = seat.address
        del request.headers["User-Agent"]
        request.headers["User-Agent"] = seat.agent  # botocore would add its own name to it

    return disguise
