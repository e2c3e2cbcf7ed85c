"""Making a trail log again, as it did before an intruder blinded it.

That a trail should log needs no proof. Where it delivered to and what it selected does: those values are taken from
the newest call by somebody else that set them, as the archive has it. The plan says which one; where there is none it
says so, and leaves those settings alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from trailwatch.model.principal import principal_of
from trailwatch.model.response import Draft, State, Step, Target, TargetKind
from trailwatch.ports import Lever, Scene
from trailwatch.respond.lever import LeverAction
from trailwatch.respond.levers.trail import (
    SETTINGS,
    TrailInsights,
    TrailLogging,
    TrailSelectors,
    TrailSettings,
    selectors,
)
from trailwatch.respond.records import account_of, event_name, part, succeeded, text

LOGGING, TRAIL, SELECTORS, INSIGHTS = TrailLogging(), TrailSettings(), TrailSelectors(), TrailInsights()
_ASPECTS = {
    "StopLogging": "logging",
    "DeleteTrail": "trail",
    "UpdateTrail": "settings",
    "PutEventSelectors": "selectors",
    "PutInsightSelectors": "insights",
}
"""What a call changes."""
_SETTERS = {
    "settings": ("CreateTrail", "UpdateTrail"),
    "selectors": ("CreateTrail", "PutEventSelectors"),
    "insights": ("CreateTrail", "PutInsightSelectors"),
}
"""The calls that say how an aspect stood before."""
_LEVERS: dict[str, Lever] = {"settings": TRAIL, "selectors": SELECTORS, "insights": INSIGHTS}
_WORDS = {"settings": "settings", "selectors": "event selectors", "insights": "insight selectors"}
DEFAULT_SELECTORS = selectors({"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True}]})
"""What AWS gives a new trail."""


class Known(msgspec.Struct, frozen=True):
    """How an aspect of a trail stood, and who says so."""

    state: State
    source: str


class RestoreLogging(LeverAction):
    """Starts the trail that a call blinded, and sets back what the call changed."""

    name = "restore-logging"
    levers: tuple[Lever, ...] = (LOGGING, TRAIL, SELECTORS, INSIGHTS)

    def targets(self, record: Mapping[str, Any]) -> Sequence[Target]:
        aspect = _ASPECTS.get(event_name(record))
        trail = _trail_of(record)
        if aspect is None or not trail or not succeeded(record):
            return []
        region = trail.split(":")[3] if trail.startswith("arn:") else text(record, "awsRegion")
        return [Target(TargetKind.TRAIL, account_of(record), _name(trail), region, (("what", aspect),))]

    def plan(self, target: Target, scene: Scene) -> Draft:
        aspect = target.detail("what") or "logging"
        if aspect == "trail":
            what = f"trail {target.name} was deleted: make it anew; what it delivered is still in its bucket"
            return Draft(cannot=(what,))
        steps, cannot = [], []
        if aspect in _LEVERS:
            known = self._known(aspect, target, scene)
            words = _WORDS[aspect]
            if known is None:
                cannot.append(
                    f"the {words} of trail {target.name} stay as they are: no earlier call that set them is known; "
                    "compare them with what they should be"
                )
            else:
                does = f"set the {words} of trail {target.name} back to what {known.source} made them"
                steps.append(self._step(_LEVERS[aspect], target, scene, does, known.state))
        does = f"make trail {target.name} log"
        steps.append(self._step(LOGGING, target, scene, does, wanted=True))
        cannot.append(f"what happened while trail {target.name} did not log: event history has it for 90 days")
        return Draft(tuple(steps), tuple(cannot))

    def _step(self, lever: Lever, target: Target, scene: Scene, does: str, wanted: State) -> Step:
        step = Step(self.name, lever.name, target.account, {"trail": target.name}, does, target.region, wanted=wanted)
        return self.step(lever, scene.cloud, step)

    def _known(self, aspect: str, target: Target, scene: Scene) -> Known | None:
        """The state before the first of the intruder's calls, as the newest call of anybody else left it."""
        tampering = msgspec.json.decode(target.evidence) if target.evidence else {}
        intruder, before = principal_of(tampering).key, text(tampering, "eventTime")
        for record in sorted(scene.past.events(target.account, _SETTERS[aspect]), key=_age, reverse=True):
            mine = principal_of(record).key == intruder
            if mine or not _same_trail(record, target) or text(record, "eventTime") > before:
                continue
            state = _state(aspect, record)
            if state is not None:
                source = f"{event_name(record)} by {principal_of(record)} at {text(record, 'eventTime')}"
                return Known(state, source)
        return None


def _age(record: Mapping[str, Any]) -> tuple[str, bool]:
    """Later calls are larger; times are whole seconds, and nothing is set before the trail is there."""
    return text(record, "eventTime"), event_name(record) != "CreateTrail"


def _state(aspect: str, record: Mapping[str, Any]) -> State:
    """How a call left an aspect; None where it does not say."""
    asked, name = part(record, "requestParameters"), event_name(record)
    if aspect == "settings":
        return settings_of(part(record, "responseElements")) or None
    if aspect == "selectors":
        return DEFAULT_SELECTORS if name == "CreateTrail" else selectors(as_parameters(asked)) or None
    if name == "CreateTrail":
        return []
    return sorted(text(one, "insightType") for one in _mappings(asked.get("insightSelectors")))


def settings_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in the answer of CreateTrail or UpdateTrail, spelled as GetTrail spells them."""
    spelled = {name.lower(): value for name, value in answer.items()}
    return {name: value for name in SETTINGS if (value := spelled.get(name.lower())) not in (None, "")}


def as_parameters(asked: Any) -> Any:
    """What a record says was asked, spelled as it is asked: records begin every name with a small letter."""
    if isinstance(asked, Mapping):
        return {key[:1].upper() + key[1:]: as_parameters(value) for key, value in asked.items()}
    if isinstance(asked, list):
        return [as_parameters(one) for one in asked]
    return asked


def _trail_of(record: Mapping[str, Any]) -> str:
    """The ARN where the record has it, else the name."""
    asked, answer = part(record, "requestParameters"), part(record, "responseElements")
    return text(answer, "trailARN") or text(asked, "trailName", "name", "trailARN")


def _same_trail(record: Mapping[str, Any], target: Target) -> bool:
    return _name(_trail_of(record)) == _name(target.name)


def _name(trail: str) -> str:
    return trail.rpartition("/")[2]


def _mappings(value: object) -> Iterable[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
