"""What a rule says beyond its condition: Sigma's own descriptive keys, and ours below `trailwatch:`.

trailwatch:
  slug: trail_deleted              readable name; the file's stem where absent
  profiles: [core, standard]       which profiles of the shipped rules it belongs to
  dedup: {by: [paths], period: 1h} when two matches are the same alert
  alerting: false                  it only feeds other rules
  first_seen: {fields: [paths], history: 14d, known: [paths], days: 1, dormant: false, around: 0}
  travel: {by: [paths], speed: 900, least: 500}   km/h and km
  fields: [paths]                  what to show in the alert
  triage: [first steps]
  respond: lock-user
  examples: [{name, matches, event}, {name, matches, base, change: {dotted.path: value}}]
                                   of a correlation: see `trailwatch.rules.stories`
"""

from __future__ import annotations

import re
from typing import Any

from trailwatch.model.fieldpath import parse_path
from trailwatch.model.rule import Dedup, RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.rules.examples import ExampleError, read_examples
from trailwatch.rules.placed import Placed
from trailwatch.rules.rule import Example, Story
from trailwatch.rules.stories import read_stories

TACTICS = frozenset(
    {
        "reconnaissance",
        "resource-development",
        "initial-access",
        "execution",
        "persistence",
        "privilege-escalation",
        "defense-evasion",
        "credential-access",
        "discovery",
        "lateral-movement",
        "collection",
        "command-and-control",
        "exfiltration",
        "impact",
        "defense-impairment",
        "stealth",
    }
)
_TECHNIQUE = re.compile(r"t[0-9]{4}(?:\.[0-9]{3})?")
_SPAN = re.compile(r"([1-9][0-9]*)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class ExtraError(ValueError):
    """A value below `trailwatch:` is wrong; `place` is where it stands."""

    def __init__(self, place: str, text: str) -> None:
        super().__init__(text)
        self.place = place


def rule_info(document: Placed, slug: str, origin: str) -> RuleInfo:
    """What people read of the rule.

    Raises:
        ExtraError: a value is of the wrong kind.
    """
    data = document.data
    extra = mapping(document, data.get("trailwatch"), "trailwatch")
    slug = _text(document, extra.get("slug", slug), "trailwatch", "slug")
    tags = tuple(str(tag) for tag in data.get("tags") or ())
    attack = [
        tag.lower().removeprefix("attack.").replace("_", "-") for tag in tags if tag.lower().startswith("attack.")
    ]
    alerting = extra.get("alerting", True)
    if not isinstance(alerting, bool):
        raise ExtraError(document.at("trailwatch", "alerting"), f"expected true or false, got {alerting!r}")
    return RuleInfo(
        id=str(data.get("id") or slug),
        slug=slug,
        title=str(data["title"]),
        severity=Severity(str(data.get("level") or "medium").lower()),
        origin=origin,
        description=" ".join(str(data.get("description") or "").split()),
        tactics=tuple(tag for tag in attack if tag in TACTICS),
        techniques=tuple(tag.upper() for tag in attack if _TECHNIQUE.fullmatch(tag)),
        tags=tags,
        references=tuple(str(item) for item in data.get("references") or ()),
        false_positives=tuple(str(item) for item in data.get("falsepositives") or ()),
        triage=_texts(document, extra.get("triage"), "trailwatch", "triage"),
        respond=_text(document, extra.get("respond", ""), "trailwatch", "respond"),
        fields=paths(document, extra.get("fields", data.get("fields")), "trailwatch", "fields"),
        dedup=_dedup(document, extra),
        alerting=alerting,
        profiles=_texts(document, extra.get("profiles", ["standard"]), "trailwatch", "profiles"),
    )


def rule_examples(document: Placed) -> tuple[Example, ...]:
    """The rule's examples, each with its whole record.

    Raises:
        ExtraError: an example is incomplete or changes what is not there.
    """
    extra = mapping(document, document.data.get("trailwatch"), "trailwatch")
    given = extra.get("examples")
    if given is None:
        return ()
    if not isinstance(given, list):
        raise ExtraError(document.at("trailwatch", "examples"), f"expected a list of examples, got {given!r:.80}")
    try:
        return read_examples(given)
    except ExampleError as error:
        raise ExtraError(document.at("trailwatch", "examples", error.at), str(error)) from None


def rule_stories(document: Placed) -> tuple[Story, ...]:
    """The examples of a correlation.

    Raises:
        ExtraError: one is incomplete, or a step of it says something of the wrong kind.
    """
    extra = mapping(document, document.data.get("trailwatch"), "trailwatch")
    given = extra.get("examples", [])
    if not isinstance(given, list):
        raise ExtraError(document.at("trailwatch", "examples"), f"expected a list of examples, got {given!r:.80}")
    try:
        return read_stories(given)
    except ExampleError as error:
        raise ExtraError(document.at("trailwatch", "examples", error.at), str(error)) from None


def says_alerting(document: Placed) -> bool | None:
    """What the file says of alerting by itself, if anything; checked by `rule_info`."""
    extra = document.data.get("trailwatch")
    said = extra.get("alerting") if isinstance(extra, dict) else None
    return said if isinstance(said, bool) else None


def _dedup(document: Placed, extra: dict[str, Any]) -> Dedup:
    given = mapping(document, extra.get("dedup"), "trailwatch", "dedup")
    for key in given:
        if key not in {"by", "period"}:
            raise ExtraError(document.at("trailwatch", "dedup", key), f'unknown key "{key}"; dedup has by and period')
    default = Dedup()
    by = paths(document, given.get("by"), "trailwatch", "dedup", "by") if "by" in given else default.by
    period = default.period_seconds
    if "period" in given:
        period = seconds(document, given["period"], "trailwatch", "dedup", "period")
    return Dedup(by, period)


def seconds(document: Placed, value: object, *steps: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ExtraError(document.at(*steps), f"expected a time span such as 90s, 15m, 1h, 14d, got {value!r}")
    return int(found.group(1)) * _SECONDS[found.group(2)]


def mapping(document: Placed, value: object, *steps: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ExtraError(document.at(*steps), f"expected a mapping below {steps[-1]}, got {value!r:.80}")
    return value


def _text(document: Placed, value: object, *steps: str) -> str:
    if not isinstance(value, str):
        raise ExtraError(document.at(*steps), f"expected a text for {steps[-1]}, got {value!r:.80}")
    return value


def _texts(document: Placed, value: object, *steps: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ExtraError(document.at(*steps), f"expected a list of texts for {steps[-1]}, got {value!r:.80}")
    return tuple(value)


def paths(document: Placed, value: object, *steps: str) -> tuple[str, ...]:
    paths = _texts(document, value, *steps)
    for at, path in enumerate(paths):
        try:
            parse_path(path)
        except ValueError as error:
            raise ExtraError(document.at(*steps, at), str(error)) from None
    return paths
