"""What a rule with a memory says below `trailwatch:`.

first_seen: {fields: [paths], history: 14d, known: [paths], days: 1, dormant: false, around: 0}
travel: {by: [paths], speed: 900, least: 500}    km/h and km
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from trailwatch.rules.placed import Placed
from trailwatch.rules.rule import FirstSeen, Travel
from trailwatch.rules.sigma_extras import ExtraError, mapping, paths, seconds

DAY = 86400
MOST_FIELDS = 3
LONGEST_HISTORY_DAYS = 30


def first_seen(document: Placed) -> FirstSeen | None:
    """The memory the rule asks for, if any.

    Raises:
        ExtraError: a value is of the wrong kind, or out of its range.
    """
    steps = ("trailwatch", "first_seen")
    given = _memory(document, "first_seen", {"fields", "history", "known", "days", "dormant", "around"})
    if given is None:
        return None
    fields = paths(document, given.get("fields"), *steps, "fields")
    if not 1 <= len(fields) <= MOST_FIELDS:
        raise ExtraError(document.at(*steps), f"first_seen needs fields: one to {MOST_FIELDS} field paths")
    history = seconds(document, given.get("history", "14d"), *steps, "history")
    if not DAY <= history <= LONGEST_HISTORY_DAYS * DAY or history % DAY:
        raise ExtraError(
            document.at(*steps, "history"), f"expected whole days from 1d to {LONGEST_HISTORY_DAYS}d, got {history} s"
        )
    known = paths(document, given.get("known"), *steps, "known")
    for path in known:
        if path not in fields[:-1]:
            raise ExtraError(document.at(*steps, "known"), f"{path!r} is none of the fields before the last")
    dormant = given.get("dormant", False)
    if not isinstance(dormant, bool):
        raise ExtraError(document.at(*steps, "dormant"), f"expected true or false, got {dormant!r}")
    return FirstSeen(
        fields,
        history,
        known=known,
        days=_number(document, given.get("days", 1), (1, history // DAY), *steps, "days"),
        dormant=dormant,
        around=_number(document, given.get("around", 0), (0, 11), *steps, "around"),
    )


def travel(document: Placed) -> Travel | None:
    """What counts as too fast for the rule, if it asks where somebody is.

    Raises:
        ExtraError: a value is of the wrong kind, or out of its range.
    """
    steps = ("trailwatch", "travel")
    given = _memory(document, "travel", {"by", "speed", "least"})
    if given is None:
        return None
    by = paths(document, given.get("by"), *steps, "by")
    if not by:
        raise ExtraError(document.at(*steps), "travel needs by: a list of field paths that say who travels")
    return Travel(
        by,
        _number(document, given.get("speed", 900), (1, 100_000), *steps, "speed"),
        _number(document, given.get("least", 500), (1, 20_000), *steps, "least"),
    )


def _memory(document: Placed, name: str, keys: Collection[str]) -> dict[str, Any] | None:
    extra = mapping(document, document.data.get("trailwatch"), "trailwatch")
    if name not in extra:
        return None
    given = mapping(document, extra[name], "trailwatch", name)
    for key in given:
        if key not in keys:
            raise ExtraError(
                document.at("trailwatch", name, key), f'unknown key "{key}"; {name} has {", ".join(sorted(keys))}'
            )
    return given


def _number(document: Placed, value: object, within: tuple[int, int], *steps: str) -> int:
    least, most = within
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ExtraError(document.at(*steps), f"expected a whole number from {least} to {most}, got {value!r:.80}")
    return value
