"""Signing in to the console: it has no API, so the lab has a door of its own for it, `POST /lab/console-login`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from moto.iam.models import iam_backends

from trailwatch.lab.identities import PARTITION
from trailwatch.lab.records import EVENT_VERSION
from trailwatch.lab.shapes import HIDDEN

_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One attempt to sign in, as the door takes it in JSON."""

    user: str = "root"
    """IAM user name, or `root`."""
    account: str = ""
    """Account number; empty for the lab's first account."""
    success: bool = True
    mfa: bool = False
    region: str = "us-east-1"
    source_address: str = ""
    user_agent: str = _BROWSER

    @classmethod
    def read(cls, body: bytes, environ: Mapping[str, Any]) -> SignIn:
        """The attempt that a request describes.

        Raises:
            ValueError: the body is no JSON object of these fields.
        """
        wish = msgspec.json.decode(body or b"{}", type=cls)
        if wish.source_address:
            return wish
        forwarded = str(environ.get("HTTP_X_FORWARDED_FOR", "")).split(",")[0].strip()
        return msgspec.structs.replace(wish, source_address=forwarded or environ.get("REMOTE_ADDR", ""))


def console_login(wish: SignIn, *, default_account: str, at: datetime, event_id: str) -> dict[str, Any]:
    """The ConsoleLogin record of an attempt.

    Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aws-console-sign-in-events.html
    """
    account = wish.account or default_account
    record: dict[str, Any] = {
        "eventVersion": EVENT_VERSION,
        "userIdentity": _identity(wish, account),
        "eventTime": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "signin.amazonaws.com",
        "eventName": "ConsoleLogin",
        "awsRegion": "us-east-1" if wish.user == "root" else wish.region,
        "sourceIPAddress": wish.source_address or "127.0.0.1",
        "userAgent": wish.user_agent,
        "requestParameters": None,
        "responseElements": {"ConsoleLogin": "Success" if wish.success else "Failure"},
        "additionalEventData": {
            "LoginTo": "https://console.aws.amazon.com/console/home",
            "MobileVersion": "No",
            "MFAUsed": "Yes" if wish.mfa else "No",
        },
        "eventID": event_id,
        "readOnly": False,
        "eventType": "AwsConsoleSignIn",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
        "tlsDetails": {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": "signin.aws.amazon.com",
        },
    }
    if not wish.success:
        record["errorMessage"] = "Failed authentication"
    return record


def _identity(wish: SignIn, account: str) -> dict[str, Any]:
    if wish.user == "root":
        arn = f"arn:aws:iam::{account}:root"
        return {"type": "Root", "principalId": account, "arn": arn, "accountId": account, "accessKeyId": ""}
    user = iam_backends[account][PARTITION].users.get(wish.user)
    identity: dict[str, Any] = {"type": "IAMUser", "accountId": account, "accessKeyId": "", "userName": wish.user}
    if user is None:
        return identity | {"userName": HIDDEN}
    return {"principalId": user.id} | identity | ({"arn": user.arn} if wish.success else {})
