"""A Sigma selection that stands alone: in a Python rule's `WHEN`, in a suppression."""

from __future__ import annotations

from typing import Any

from trailwatch.errors import RuleError
from trailwatch.rules.placed import Placed
from trailwatch.rules.predicate import Predicate


def condition_of(document: Placed, selection: object, *steps: str | int) -> Predicate:
    """The predicate of a selection, or of a list of selections of which one must hold.

    Args:
        document: what it stands in.
        selection: mappings, lists and plain values.
        steps: where it stands in there; the first one names it in messages.

    Raises:
        RuleError: it is no selection; with its place.
    """
    from sigma.exceptions import SigmaError
    from sigma.rule import SigmaDetections

    from trailwatch.rules.predicate import any_of
    from trailwatch.rules.sigma_check import check_selection
    from trailwatch.rules.sigma_detection import PlaceholderMissingError, UnsupportedError, to_predicate
    from trailwatch.rules.sigma_place import narrowed

    plain = as_lists(selection)
    wrong = next((one for one in check_selection(document, steps, plain) if one.error), None)
    if wrong is not None:
        raise RuleError(wrong.origin, f"{steps[0]}: {wrong.text}")
    try:
        detections = SigmaDetections.from_dict({"when": plain, "condition": "when"})
        return any_of(*(to_predicate(condition.parsed, {}) for condition in detections.parsed_condition))
    except (SigmaError, UnsupportedError, PlaceholderMissingError, TypeError, AttributeError) as error:
        found = narrowed(steps, plain)
        place, text = (steps, str(error)) if found is None else found
        raise RuleError(document.at(*place), f"{steps[0]} is no Sigma selection: {text}") from None


def as_lists(value: Any) -> Any:
    """The value with lists for tuples, because what reads selections knows YAML's types."""
    if isinstance(value, list | tuple):
        return [as_lists(item) for item in value]
    if isinstance(value, dict):
        return {key: as_lists(item) for key, item in value.items()}
    return value
