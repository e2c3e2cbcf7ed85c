"""A CloudTrail client that answers out of a list, and a paced clock."""

from datetime import UTC, datetime

import msgspec
from botocore.exceptions import ClientError

ACCOUNT = "111122223333"
PAGE = 50


class ScriptedCloudTrail:
    """Answers LookupEvents from (time, id, name, visible_at) rows; every call takes `seconds` of the clock."""

    def __init__(self, clock, rows=(), *, seconds=0.5, account=ACCOUNT, region="us-east-1", read_only=()):
        self.clock = clock
        self.rows = list(rows)
        self.seconds = seconds
        self.place = (account, region)
        self.read_only = read_only
        self.asked = []
        self.failures = []
        self.meta = self
        self.events = self
        self._before_send = []

    def register(self, name, function):
        assert name == "before-send.cloudtrail.LookupEvents"
        self._before_send.append(function)

    def lookup_events(self, **request):
        for function in self._before_send:
            function(request=None)
        self.clock.sleep(self.seconds)
        self.asked.append(request)
        if self.failures:
            failure = self.failures.pop(0)
            if failure is not None:
                raise failure
        assert request["MaxResults"] == PAGE
        start, end = request["StartTime"].timestamp(), request["EndTime"].timestamp()
        attribute = request.get("LookupAttributes", [{"AttributeKey": "", "AttributeValue": ""}])[0]
        key = (attribute["AttributeKey"], attribute["AttributeValue"], start, end)
        at = 0
        if "NextToken" in request:
            *same, number = request["NextToken"].split("|")
            assert same == [str(part) for part in key], "a token goes with identical parameters"
            at = int(number)
        found = [row for row in self._sorted() if start <= row[0] <= end and self._has(row, key[:2])]
        answer = {"Events": [self._event(row) for row in found[at : at + PAGE]]}
        if at + PAGE < len(found):
            answer["NextToken"] = "|".join([*map(str, key), str(at + PAGE)])
        return answer

    def _sorted(self):
        now = self.clock.now().timestamp()
        return sorted((row for row in self.rows if row[3] <= now), reverse=True)

    def _has(self, row, attribute):
        name, value = attribute
        return (
            name == ""
            or (name == "ReadOnly" and value == str(row[2] in self.read_only).lower())
            or (name == "EventName" and value == row[2])
        )

    def _event(self, row):
        time, event_id, name, _ = row
        account, region = self.place
        moment = datetime.fromtimestamp(time, UTC)
        record = {
            "eventVersion": "1.11",
            "eventName": name,
            "eventSource": "iam.amazonaws.com",
            "eventTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            "eventID": event_id,
            "awsRegion": region,
            "recipientAccountId": account,
        }
        return {"EventId": event_id, "EventTime": moment, "CloudTrailEvent": msgspec.json.encode(record).decode()}


def refusal(code, status=400, message="no"):
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, "LookupEvents"
    )


def rows(start, end, *, every=1.0, name="CreateUser", prefix="e", late=0.0):
    """Events evenly spread over [start, end), each visible `late` seconds after it happened."""
    found, at, number = [], float(start), 0
    while at < end:
        found.append((int(at), f"{prefix}{number:06d}", name, int(at) + late))
        at += every
        number += 1
    return found
