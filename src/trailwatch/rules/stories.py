"""Examples of rules over time: a few events, told as steps that begin with the example of another rule.

    - name: ten guesses in five minutes
      matches: true
      events:
      - like: console_login_failed     # the first matching example of that rule
        times: 10
        every: 30s
        change: {userIdentity.userName: dora}
    - name: nine
      matches: false
      base: ten guesses in five minutes
      but: {1: {times: 9}}             # step 1 with other values; `without: [2]` leaves steps out

A step may have `at`, the time after the first event's; `example`, the name of another example of that rule; and
`each`, a field path with a list of values, for one event with each value. Every event gets an id of its own.
"""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from trailwatch.errors import TrailwatchError
from trailwatch.rules.examples import ExampleError, Outcome, put
from trailwatch.rules.rule import Correlation, Rule, Step, Story

STORY_KEYS = frozenset({"name", "matches", "events", "base", "but", "without"})
START = datetime(2026, 3, 2, 9, 14, 7, tzinfo=UTC)
_SPAN = re.compile(r"([0-9]+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MOST = 1000


class StoryError(ValueError):
    """A story is wrong, and why."""


def read_stories(given: Sequence[Any]) -> tuple[Story, ...]:
    """Stories from plain data.

    Raises:
        ExampleError: one is incomplete, or a step has a value of the wrong kind.
    """
    stories: list[Story] = []
    told: dict[str, list[dict[str, Any]]] = {}
    for at, one in enumerate(given):
        if not isinstance(one, dict):
            raise ExampleError(at, f"expected a mapping with name, matches and events, got {one!r:.80}")
        unknown = sorted(str(key) for key in one if key not in STORY_KEYS)
        if unknown:
            known = ", ".join(sorted(STORY_KEYS))
            raise ExampleError(at, f'unknown key "{unknown[0]}" in an example of a correlation; it may have {known}')
        name, matches = str(one.get("name", f"example {at + 1}")), one.get("matches")
        if not isinstance(matches, bool):
            raise ExampleError(at, f'example "{name}" needs matches: true or false')
        try:
            steps = told[name] = _steps(one, told)
            stories.append(Story(name, matches, tuple(map(_step, steps))))
        except StoryError as error:
            raise ExampleError(at, f'example "{name}": {error}') from None
    return tuple(stories)


def records_of(story: Story, rules: Mapping[str, Rule]) -> list[dict[str, Any]]:
    """The records of a story, as its steps stand.

    Args:
        story: of one correlation.
        rules: by slug, name and id.

    Raises:
        StoryError: a step begins with a rule or an example that does not exist, or changes what is not there.
    """
    return [record for number, step in enumerate(story.steps) for record in _records(step, number, rules)]


def run_stories(
    correlations: Iterable[Correlation],
    rules: Iterable[Rule],
    verdict: Callable[[Correlation, list[dict[str, Any]]], bool],
) -> Iterator[Outcome]:
    """The outcome of every story of every correlation; `verdict` says whether one fires on records."""
    named = by_any_name(rules)
    for one in correlations:
        for story in one.stories:
            try:
                yield Outcome(one, story, verdict(one, records_of(story, named)))
            except (StoryError, TrailwatchError) as error:
                yield Outcome(one, story, matched=False, error=str(error))


def by_any_name(rules: Iterable[Rule]) -> dict[str, Rule]:
    """Rules by slug, name and id."""
    return {name: rule for rule in rules for name in (rule.info.slug, rule.name, rule.info.id) if name}


def whole_of(correlation: Correlation, others: Mapping[str, Correlation]) -> list[Correlation]:
    """The correlation after those that it reads, others by id."""
    below = [one for name in correlation.rules if name in others for one in whole_of(others[name], others)]
    return [*{one.info.id: one for one in below}.values(), correlation]


def _steps(one: Mapping[str, Any], told: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    if "base" not in one:
        events = one.get("events")
        if not isinstance(events, list) or not all(isinstance(step, dict) for step in events):
            raise StoryError("it needs events: a list of steps, or base: the name of an earlier example")
        return copy.deepcopy(events)
    if one["base"] not in told:
        raise StoryError(f'it builds on "{one["base"]}", which does not stand before it')
    steps = copy.deepcopy(told[one["base"]])
    without, but = one.get("without", []), one.get("but", {})
    if not isinstance(without, list) or not isinstance(but, dict):
        raise StoryError("expected without: a list of step numbers, and but: step numbers to other values")
    for number in (*without, *but):
        if not isinstance(number, int) or not 1 <= number <= len(steps):
            raise StoryError(f"there is no step {number!r}")
    for number, values in but.items():
        changed = {**steps[number - 1].get("change", {}), **values.get("change", {})}
        steps[number - 1] |= {**values, "change": changed}
    return [step for number, step in enumerate(steps, 1) if number not in without]


def _step(given: Mapping[str, Any]) -> Step:
    each = given.get("each") or {}
    if not isinstance(each, dict) or len(each) > 1 or not all(isinstance(values, list) for values in each.values()):
        raise StoryError("expected each: one field path with a list of values")
    unknown = sorted({*given} - {"like", "example", "at", "every", "times", "change", "each"})
    if unknown:
        raise StoryError(f"unknown key {unknown[0]!r} in a step")
    times = given.get("times", 1)
    if not isinstance(times, int) or not 1 <= times <= _MOST:
        raise StoryError(f"expected times from 1 to {_MOST}, got {times!r}")
    if not isinstance(given.get("like"), str):
        raise StoryError("a step needs like: the name of a rule with a matching example")
    path, values = next(iter(each.items()), ("", []))
    return Step(
        like=given["like"],
        example=str(given.get("example", "")),
        at=_span(given.get("at", "0s")),
        every=_span(given.get("every", "1s")),
        times=times,
        change=dict(given.get("change") or {}),
        each_path=str(path),
        each=tuple(values),
    )


def _span(value: object) -> int:
    found = _SPAN.fullmatch(str(value))
    if found is None:
        raise StoryError(f"expected a time span such as 90s, 15m, 1h, got {value!r}")
    return int(found[1]) * _SECONDS[found[2]]


def _records(step: Step, number: int, rules: Mapping[str, Rule]) -> Iterator[dict[str, Any]]:
    rule = rules.get(step.like)
    fitting = [
        example
        for example in (rule.examples if rule else ())
        if (example.name == step.example if step.example else example.matches)
    ]
    if not fitting:
        raise StoryError(f"step {number + 1}: there is no rule {step.like!r} with such an example")
    values: Sequence[Any] = step.each or (None,) * step.times
    for turn, value in enumerate(values):
        record = copy.deepcopy(fitting[0].record)
        when = START + timedelta(seconds=step.at + turn * step.every)
        record["eventTime"] = f"{when:%Y-%m-%dT%H:%M:%SZ}"
        record["eventID"] = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{number} {turn} {when}"))
        change = {**step.change, **({step.each_path: value} if step.each_path else {})}
        for path, new in change.items():
            try:
                put(record, path, copy.deepcopy(new))
            except ValueError as error:
                raise StoryError(f"step {number + 1}: {error}") from None
        yield record
