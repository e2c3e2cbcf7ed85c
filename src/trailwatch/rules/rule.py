"""A rule that can be matched: what people read of it, and its condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from trailwatch.model.event import Event
from trailwatch.model.rule import RuleInfo
from trailwatch.rules.predicate import Predicate


class Example(msgspec.Struct, frozen=True):
    """An event that an author gives with a rule."""

    name: str
    matches: bool
    record: dict[str, Any]


class Script(msgspec.Struct, frozen=True):
    """What a Python rule file defines; each function takes the event."""

    rule: Callable[[Event], bool]
    title: Callable[[Event], str] | None = None
    severity: Callable[[Event], str] | None = None
    dedup: Callable[[Event], str] | None = None
    context: Callable[[Event], Mapping[str, str]] | None = None


class Rule(msgspec.Struct, frozen=True):
    """One rule over single events; `script` runs only where `condition` holds."""

    info: RuleInfo
    condition: Predicate
    script: Script | None = None
    examples: tuple[Example, ...] = ()


class Problem(msgspec.Struct, frozen=True):
    """Something about a rule file that its author should know."""

    origin: str
    """`path:line:column`, as far as known."""
    text: str
    error: bool
    """True when the rule was not loaded because of it; a warning never keeps a rule out."""


class RuleSet(msgspec.Struct):
    """What a folder of rules gave."""

    rules: tuple[Rule, ...] = ()
    problems: tuple[Problem, ...] = ()
    skipped: dict[str, int] = {}
    """Files and documents that are no rules for CloudTrail, by reason."""
    digest: str = ""
    """Hash over the content of everything that was loaded."""
