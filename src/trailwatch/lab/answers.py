"""Answers that the lab gives itself, in the wire form of each protocol."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

import msgspec

_REQUEST_ID = re.compile(rb"<[Rr]equestI[dD]>([^<]{1,100})<")
_REQUEST_ID_HEADERS = {"x-amzn-requestid", "x-amz-request-id"}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    def status_line(self) -> str:
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return f"{self.status} Unknown"

    def request_id(self) -> str:
        """The request id that the caller gets to see; empty when there is none."""
        in_body = _REQUEST_ID.search(self.body)
        if in_body:
            return in_body[1].decode()
        return next((value for name, value in self.headers if name.lower() in _REQUEST_ID_HEADERS), "")


class Refusal(Exception):  # noqa: N818 it is an answer of AWS, not an error of the lab
    """An error that AWS answers; `code` as on the wire."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class NotSimulated(Refusal):
    """The lab cannot do what AWS could; no client retries it, and no trail records it."""

    def __init__(self, what: str, why: str = "") -> None:
        reason = f" ({why})" if why else ""
        super().__init__("NotSimulated", f"the lab does not simulate {what}{reason}", HTTPStatus.NOT_IMPLEMENTED)


def json_answer(members: dict[str, Any], request_id: str) -> Answer:
    """A JSON success."""
    return Answer(
        200,
        msgspec.json.encode(members),
        (("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-RequestId", request_id)),
    )


def refusal_answer(refusal: Refusal, protocol: str, request_id: str, *, is_s3: bool = False) -> Answer:
    """An error in the form that the protocol's clients read."""
    code, message = refusal.code, refusal.message
    if protocol in {"json", "rest-json"}:
        return Answer(
            refusal.status,
            msgspec.json.encode({"__type": code, "message": message}),
            (
                ("Content-Type", "application/x-amz-json-1.1"),
                ("x-amzn-RequestId", request_id),
                ("x-amzn-ErrorType", code),
            ),
        )
    code, message = escape(code), escape(message)
    if protocol == "ec2":
        text = (
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
    elif is_s3:
        text = f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{request_id}</RequestId></Error>"
    else:
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    body = b'<?xml version="1.0" encoding="UTF-8"?>' + text.encode()
    return Answer(refusal.status, body, (("Content-Type", "text/xml"), ("x-amzn-RequestId", request_id)))
