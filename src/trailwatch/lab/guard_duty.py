"""GuardDuty's findings, which moto does not have: kept per account and region, listed and given as AWS does.

Detectors are moto's. Findings come of CreateSampleFindings, or are put in by whoever runs the lab.

Source: https://docs.aws.amazon.com/guardduty/latest/APIReference/API_ListFindings.html
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.guardduty.models import guardduty_backends

from trailwatch.lab.answers import Answer, Refusal, json_answer
from trailwatch.lab.call import Call
from trailwatch.lab.identities import Caller
from trailwatch.ports import Clock

PAGE = 50
SAMPLES: dict[str, tuple[float, str, str]] = {
    "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom": (
        5.0,
        "AccessKey",
        "API GeneratedFindingAPIName was invoked from an IP address on a custom threat list.",
    ),
    "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS": (
        8.0,
        "AccessKey",
        "Credentials of an EC2 instance were used from an external IP address.",
    ),
    "CryptoCurrency:EC2/BitcoinTool.B!DNS": (8.0, "Instance", "An EC2 instance asks for a name that mines bitcoin."),
    "Recon:EC2/PortProbeUnprotectedPort": (
        2.0,
        "Instance",
        "An unprotected port of an instance is being probed.",
    ),
    "AttackSequence:IAM/CompromisedCredentials": (9.0, "AccessKey", "Credentials may be compromised."),
}
"""Types of which a sample is made when none is named: severity, resource and title."""


class GuardDuty:
    """The findings of every account and region of a lab.

    Args:
        clock: gives the time of findings.
        new_id: makes ids.
    """

    def __init__(self, clock: Clock, new_id: Callable[[], str]) -> None:
        self._clock = clock
        self._new_id = new_id
        self._lock = threading.Lock()
        self._findings: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}

    def enable(self, account: str, region: str) -> str:
        """The id of the detector there, which is made where there is none."""
        known = guardduty_backends[account][region]
        found = known.list_detectors()
        return str(found[0] if found else known.create_detector(True, "FIFTEEN_MINUTES", {}, {}, []))  # noqa: FBT003 moto's signature

    def put(self, finding: Mapping[str, Any]) -> str:
        """Keeps a finding (camelCase) in its own account and region; one with a known id is updated. Its id."""
        whole = copy.deepcopy(dict(finding))
        now = _written(self._clock.now())
        whole.setdefault("id", self._new_id().replace("-", ""))
        whole.setdefault("createdAt", now)
        whole.setdefault("updatedAt", now)
        with self._lock:
            self._of(whole["accountId"], whole["region"])[whole["id"]] = whole
        return str(whole["id"])

    def list_findings(self, call: Call, caller: Caller, request_id: str) -> Answer:
        """One page of ids."""
        self._check(call, caller)
        criteria = (call.parameters.get("FindingCriteria") or {}).get("Criterion") or {}
        order = call.parameters.get("SortCriteria") or {}
        size, start = int(call.parameters.get("MaxResults") or PAGE), _start(call.parameters.get("NextToken"))
        if not 1 <= size <= PAGE:
            raise Refusal("BadRequestException", "The request is rejected because maxResults is out of range.")
        with self._lock:
            found = [one for one in self._of(caller.account, call.region).values() if _fits(one, criteria)]
        name = str(order.get("AttributeName") or "updatedAt")
        found.sort(key=lambda one: (_at(one, name), one["id"]), reverse=order.get("OrderBy") == "DESC")
        answer: dict[str, Any] = {"findingIds": [one["id"] for one in found[start : start + size]]}
        answer["nextToken"] = str(start + size) if len(found) > start + size else ""
        return json_answer(answer, request_id)

    def get_findings(self, call: Call, caller: Caller, request_id: str) -> Answer:
        """Findings by their ids; those that are not there are left out."""
        self._check(call, caller)
        wanted: Sequence[str] = call.parameters.get("FindingIds") or ()
        if len(wanted) > PAGE:
            raise Refusal("BadRequestException", "The request is rejected because findingIds has too many members.")
        with self._lock:
            known = self._of(caller.account, call.region)
            return json_answer({"findings": [known[one] for one in wanted if one in known]}, request_id)

    def create_sample_findings(self, call: Call, caller: Caller, request_id: str) -> Answer:
        """Makes one finding of each type that is asked for, or of those of `SAMPLES`."""
        detector = self._check(call, caller)
        for kind in call.parameters.get("FindingTypes") or SAMPLES:
            self.put(self._sample(kind, caller.account, call.region, detector))
        return json_answer({}, request_id)

    def clear(self) -> None:
        """Forgets every finding."""
        with self._lock:
            self._findings.clear()

    def _of(self, account: str, region: str) -> dict[str, dict[str, Any]]:
        return self._findings.setdefault((account, region), {})

    def _check(self, call: Call, caller: Caller) -> str:
        detector = str(call.parameters.get("DetectorId") or "")
        if detector not in guardduty_backends[caller.account][call.region].list_detectors():
            raise Refusal(
                "BadRequestException",
                "The request is rejected because the input detectorId is not owned by the current account.",
            )
        return detector

    def _sample(self, kind: str, account: str, region: str, detector: str) -> dict[str, Any]:
        severity, resource, title = SAMPLES.get(kind, (5.0, "AccessKey", f"A sample of {kind}."))
        now, number = _written(self._clock.now()), self._new_id().replace("-", "")
        about: dict[str, Any] = {
            "resourceType": resource,
            "accessKeyDetails": {
                "accessKeyId": "GeneratedFindingAccessKeyId",
                "principalId": "GeneratedFindingPrincipalId",
                "userType": "IAMUser",
                "userName": "GeneratedFindingUserName",
            },
        }
        if resource == "Instance":
            about = {"resourceType": resource, "instanceDetails": {"instanceId": "i-99999999"}}
        return {
            "schemaVersion": "2.0",
            "accountId": account,
            "region": region,
            "partition": "aws",
            "id": number,
            "arn": f"arn:aws:guardduty:{region}:{account}:detector/{detector}/finding/{number}",
            "type": kind,
            "resource": about,
            "service": {
                "serviceName": "guardduty",
                "detectorId": detector,
                "archived": False,
                "count": 1,
                "eventFirstSeen": now,
                "eventLastSeen": now,
                "resourceRole": "TARGET",
                "additionalInfo": {"value": '{"sample":true}', "type": "default"},
            },
            "severity": severity,
            "createdAt": now,
            "updatedAt": now,
            "title": f"[SAMPLE] {title}",
            "description": f"[SAMPLE] {title} It was made to see what such a finding looks like.",
        }


def _written(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def _start(token: object) -> int:
    text = str(token or "0")
    if not text.isdecimal():
        raise Refusal("BadRequestException", "The request is rejected because the nextToken is invalid.")
    return int(text)


def _at(finding: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, times in milliseconds since 1970."""
    value: Any = finding
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if path in {"updatedAt", "createdAt"} and isinstance(value, str):
        return int(datetime.fromisoformat(value).timestamp() * 1000)
    return value if value is not None else ""


def _fits(finding: Mapping[str, Any], criteria: Mapping[str, Mapping[str, Any]]) -> bool:
    return all(_holds(_at(finding, path), condition) for path, condition in criteria.items())


def _holds(value: Any, condition: Mapping[str, Any]) -> bool:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    for name, wanted in condition.items():
        if name in {"Equals", "Eq"}:
            good = text in wanted
        elif name in {"NotEquals", "Neq"}:
            good = text not in wanted
        else:
            good = isinstance(value, int | float) and _COMPARED[name](value, wanted)
        if not good:
            return False
    return True


_COMPARED: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqual": lambda value, wanted: value >= wanted,
    "Gte": lambda value, wanted: value >= wanted,
    "GreaterThan": lambda value, wanted: value > wanted,
    "Gt": lambda value, wanted: value > wanted,
    "LessThanOrEqual": lambda value, wanted: value <= wanted,
    "Lte": lambda value, wanted: value <= wanted,
    "LessThan": lambda value, wanted: value < wanted,
    "Lt": lambda value, wanted: value < wanted,
}
