from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.loaders import Loader

from trailwatch.lab.accounts import Key
from trailwatch.lab.limits import Limits
from trailwatch.lab.server import Lab

ANYBODY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
)
LOADER = Loader()


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(limits=Limits(lookup_rate=None), seed=7) as running:
        yield running


@pytest.fixture
def client(lab: Lab) -> Iterator[Callable[..., Any]]:
    """Makes clients of the running lab; by default with the administrator's key and without retries."""
    made = []

    def make(
        service: str,
        key: Key | dict[str, str] | None = None,
        region: str = "us-east-1",
        address: str = "",
        **config: Any,
    ) -> Any:
        core = botocore.session.Session()
        core.register_component("data_loader", LOADER)
        key = key or lab.admin
        if isinstance(key, dict):
            key = Key(key["AccessKeyId"], key["SecretAccessKey"], key.get("SessionToken", ""))
        session = boto3.Session(
            key.access_key_id,
            key.secret_access_key,
            key.session_token or None,
            region_name=region,
            botocore_session=core,
        )
        config.setdefault("retries", {"total_max_attempts": 1})
        config.setdefault("inject_host_prefix", False)
        opened = session.client(service, endpoint_url=lab.url, config=Config(**config))
        if address:
            opened.meta.events.register(
                "before-send", lambda request, **_: request.headers.__setitem__("X-Forwarded-For", address)
            )
        made.append(opened)
        return opened

    yield make
    for opened in made:
        opened.close()


@pytest.fixture
def role_key(client: Callable[..., Any]) -> Callable[..., dict[str, str]]:
    """Makes a role that anybody may assume, and a session of it."""

    def make(name: str = "ops", session: str = "bob", **parameters: str) -> dict[str, str]:
        arn = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=ANYBODY)["Role"]["Arn"]
        client("iam").attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        answer = client("sts").assume_role(RoleArn=arn, RoleSessionName=session, **parameters)
        return answer["Credentials"]

    return make


@pytest.fixture
def last_record(lab: Lab) -> Callable[[str], dict[str, Any]]:
    """The newest record of an event name."""

    def find(name: str) -> dict[str, Any]:
        found = [record for record in lab.recorder.records() if record["eventName"] == name]
        assert found, f"{name} is not among {sorted({r['eventName'] for r in lab.recorder.records()})}"
        return dict(found[-1])

    return find
