"""LookupEvents, as AWS answers it.

Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec

from trailwatch.lab.answers import Refusal
from trailwatch.lab.limits import Limits, LookupGate
from trailwatch.lab.recorder import ATTRIBUTES, Recorder, Row
from trailwatch.ports import Clock

PAGE = 50


@dataclass
class EventHistory:
    """Answers look-ups out of the recorder, within the limits."""

    recorder: Recorder
    limits: Limits
    gate: LookupGate
    clock: Clock

    def look_up(self, account: str, region: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """One page: `Events`, newest first, and `NextToken` when there are more.

        Raises:
            Refusal: throttled, or a parameter that AWS refuses too.
        """
        if not self.gate.admits(account, region):
            raise Refusal("ThrottlingException", "Rate exceeded")
        size = _page_size(parameters)
        attribute = _attribute(parameters)
        if parameters.get("EventCategory") not in {None, "insight"}:
            raise Refusal("InvalidEventCategoryException", "Event category must be insight, or left out.")
        now = self.clock.now().timestamp()
        first, last = _range(parameters, now, self.limits.history)
        before = _position(parameters)
        if parameters.get("EventCategory") == "insight":
            return {"Events": []}
        page: list[Row] = []
        with self.recorder.lock:
            for row in self.recorder.shelf(account, region).newest_first(attribute, first, last, before):
                if row.visible_at <= now:
                    page.append(row)
                if len(page) > size:
                    break
        answer: dict[str, Any] = {"Events": [row.shown() for row in page[:size]]}
        if len(page) > size:
            answer["NextToken"] = _token(parameters, page[size - 1].place)
        return answer


def _page_size(parameters: dict[str, Any]) -> int:
    size = parameters.get("MaxResults", PAGE)
    if not isinstance(size, int) or not 1 <= size <= PAGE:
        raise Refusal("InvalidMaxResultsException", f"{size} is not within 1 and {PAGE}.")
    return size


def _attribute(parameters: dict[str, Any]) -> tuple[str, str] | None:
    attributes = parameters.get("LookupAttributes") or []
    if not attributes:
        return None
    if len(attributes) > 1:
        raise Refusal("InvalidLookupAttributesException", "Only one lookup attribute may be given.")
    key, value = attributes[0].get("AttributeKey"), attributes[0].get("AttributeValue")
    if key not in ATTRIBUTES or not value:
        raise Refusal("InvalidLookupAttributesException", f"{key} is no lookup attribute, or its value is empty.")
    return key, value


def _range(parameters: dict[str, Any], now: float, history: float) -> tuple[int, int]:
    start, end = parameters.get("StartTime"), parameters.get("EndTime")
    if start is not None and end is not None and start > end:
        raise Refusal("InvalidTimeRangeException", "The start time must not be later than the end time.")
    oldest = now - history
    first = oldest if start is None else max(float(start), oldest)
    last = now if end is None else float(end)
    return _ceiling(first), int(last)


def _ceiling(number: float) -> int:
    return -int(-number // 1)


def _position(parameters: dict[str, Any]) -> tuple[int, int] | None:
    token = parameters.get("NextToken")
    if token is None:
        return None
    try:
        digest, second, number = base64.urlsafe_b64decode(token.encode()).decode().split(":")
        place = (int(second), int(number))
    except ValueError:
        digest, place = "", (0, 0)
    if digest != _digest(parameters):
        raise Refusal("InvalidNextTokenException", "The token does not belong to these parameters.")
    return place


def _token(parameters: dict[str, Any], place: tuple[int, int]) -> str:
    text = f"{_digest(parameters)}:{place[0]}:{place[1]}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def _digest(parameters: dict[str, Any]) -> str:
    bound = {name: value for name, value in sorted(parameters.items()) if name != "NextToken"}
    return hashlib.sha256(msgspec.json.encode(bound)).hexdigest()[:24]
