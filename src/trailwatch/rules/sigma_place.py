"""Where in a rule the thing stands that pySigma refuses: it says what is wrong, and not where.

The parts of a detection are read alone until the smallest one is found that is refused by itself.
"""

from __future__ import annotations

import re
from typing import Any

from trailwatch.rules.placed import Placed
from trailwatch.rules.sigma_detection import PlaceholderMissingError, to_predicate

Steps = tuple[str | int, ...]
_KEYS = {"identifier": "id"}
"""Keys of a rule that messages call something else."""
_WHOLE = re.compile(r"[a-z]+")


def refused(document: Placed, error: Exception) -> tuple[str, str]:
    """The place and the wording of what is wrong with a Sigma document.

    Args:
        document: the document that was not read.
        error: what was raised for it.
    """
    from sigma.exceptions import SigmaConditionError

    data = document.data
    part = "filter" if "filter" in data else "detection"
    if isinstance(error, SigmaConditionError):
        return document.at(part, "condition"), str(error)
    section = data.get(part)
    if isinstance(section, dict):
        for name, definition in section.items():
            if name not in {"condition", "rules", "timeframe"}:
                found = narrowed((part, name), definition)
                if found is not None:
                    return document.at(*found[0]), found[1]
    return _at_word(document, str(error), part), str(error)


def narrowed(steps: Steps, definition: Any) -> tuple[Steps, str] | None:
    """The way to the smallest part of a selection that is refused, with the reason; None when all of it is taken."""
    error = _refusal(definition)
    if error is None:
        return None
    if isinstance(definition, list):
        inner = (narrowed((*steps, at), one) for at, one in enumerate(definition))
    elif isinstance(definition, dict):
        inner = (_item((*steps, key), str(key), value) for key, value in definition.items())
    else:
        return steps, str(error)
    return next((found for found in inner if found is not None), (steps, str(error)))


def _item(steps: Steps, key: str, value: Any) -> tuple[Steps, str] | None:
    error = _refusal({key: value})
    if error is None:
        return None
    for at, one in enumerate(value if isinstance(value, list) else ()):
        alone = _refusal({key: [one]})
        if alone is not None:
            return (*steps, at), worded(alone, key, one)
    return steps, worded(error, key, value)


def worded(error: Exception, key: str, value: Any) -> str:
    """What is wrong with one field's value, in words that help."""
    from sigma.exceptions import SigmaTypeError
    from sigma.modifiers import reverse_modifier_mapping

    field = key.partition("|")[0]
    found = re.match(r"Modifier (\w+) incompatible", str(error))
    name = reverse_modifier_mapping.get(found.group(1)) if found else None
    if not isinstance(error, SigmaTypeError) or name is None:
        return str(error) if not field or f'"{field}"' in str(error) else f'field "{field}": {error}'
    advice = "write true or false, without quotes" if name == "exists" else _advice(value)
    return f'field "{field}": modifier "{name}" does not take {_shown(value)}; {advice}'


def _advice(value: Any) -> str:
    if value is None:
        return "write a value, or the field without the modifier"
    return "write the number without quotes" if isinstance(value, str) else "put it in quotes"


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)[:80]


def _refusal(definition: Any) -> Exception | None:
    from sigma.rule import SigmaDetections

    try:
        for condition in SigmaDetections.from_dict({"one": definition, "condition": "one"}).parsed_condition:
            to_predicate(condition.parsed, {})
    except PlaceholderMissingError:
        return None
    except Exception as error:  # noqa: BLE001 pySigma raises whatever a malformed value makes it trip over
        return error
    return None


def _at_word(document: Placed, text: str, otherwise: str) -> str:
    """The place of the first key that the text speaks of."""
    words = _WHOLE.findall(text.lower())
    for word in (_KEYS.get(word, word) for word in words):
        for key in document.data:
            if isinstance(key, str) and word.rstrip("s") == key.rstrip("s"):
                return document.at(key)
    return document.at(otherwise)
