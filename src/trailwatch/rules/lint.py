"""Everything that is wrong or weak in rule files; what is only weak never keeps a rule from running."""

from __future__ import annotations

import fnmatch
import importlib.util
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from trailwatch.model.rule import RuleInfo
from trailwatch.rules.api_names import api_names
from trailwatch.rules.attack import TECHNIQUES, VERSION
from trailwatch.rules.lint_conditions import doubts
from trailwatch.rules.lint_places import Source
from trailwatch.rules.rule import Correlation, Problem, Rule, RuleSet
from trailwatch.rules.sigma_check import RULE_KEYS
from trailwatch.rules.sigma_yaml import Document

_SHIPPED = "rulepack/"
_BUILT_IN = "built-in"
_WORD = re.compile(r"[\w*?-]+")


def lint(ruleset: RuleSet) -> list[Problem]:
    """Problems of every rule in the set, with those that came up when it was loaded, by file and line."""
    sources: dict[str, Source] = {}
    found = list(ruleset.problems)
    rules: list[Rule] = [*ruleset.rules, *ruleset.first_seen]
    for rule in rules:
        source = _source(rule.info.origin, sources)
        found.extend(_rule(rule, source))
    for correlation in ruleset.correlations:
        found.extend(_correlation(correlation, _source(correlation.info.origin, sources)))
    for source in sources.values():
        found.extend(_unknown_keys(source))
        found.extend(_unused(source))
    found.extend(_renamed([*rules, *ruleset.correlations]))
    return sorted(dict.fromkeys(found), key=lambda problem: (*split_origin(problem.origin), not problem.error))


def split_origin(origin: str) -> tuple[str, int, int]:
    """File, line and column of `path:line:column`; 0 for what it does not say."""
    path, _, column = origin.rpartition(":")
    before, _, line = path.rpartition(":")
    if before and line.isdigit() and column.isdigit():
        return before, int(line), int(column)
    return (path, int(column), 0) if path and column.isdigit() else (origin, 0, 0)


def _source(origin: str, sources: dict[str, Source]) -> Source:
    name = split_origin(origin)[0]
    if name not in sources:
        sources[name] = Source(_path_of(name), name)
    return sources[name]


def _path_of(name: str) -> Path:
    spec = importlib.util.find_spec("trailwatch.rulepack") if name.startswith(_SHIPPED) else None
    for place in (spec.submodule_search_locations if spec else None) or ():
        path = Path(place) / name.removeprefix(_SHIPPED)
        if path.exists():
            return path
    return Path(name)


def _rule(rule: Rule, source: Source) -> Iterator[Problem]:
    yield from _info(rule.info, source)
    yield from _examples(rule.info, source, [example.matches for example in rule.examples])
    if rule.script is None:
        for doubt in doubts(rule.condition, api_names()):
            yield _warning(source.place(rule.info.origin, doubt.path, doubt.value), doubt.text)


def _correlation(correlation: Correlation, source: Source) -> Iterator[Problem]:
    yield from _info(correlation.info, source)
    if correlation.info.alerting and not correlation.info.origin.startswith(_BUILT_IN):
        yield from _examples(correlation.info, source, [story.matches for story in correlation.stories])


def _examples(info: RuleInfo, source: Source, verdicts: Sequence[bool]) -> Iterator[Problem]:
    if not verdicts:
        text = "there are no examples; add an event that matches, and a near miss, below trailwatch: examples"
        yield _warning(_at(info, source), text)
    elif len(set(verdicts)) == 1:
        kind = "must not match" if verdicts[0] else "matches"
        place = _at(info, source, "trailwatch", "examples")
        yield _warning(place, f"all examples are of one kind; add one that {kind}")


def _info(info: RuleInfo, source: Source) -> Iterator[Problem]:
    if not info.techniques and not info.tactics:
        yield _warning(_at(info, source, "tags"), "there is no ATT&CK tag, such as attack.t1562.008; add one")
    for technique in info.techniques:
        known = TECHNIQUES.get(technique)
        tag = next((at for at, tag in enumerate(info.tags) if tag.lower() == f"attack.{technique.lower()}"), 0)
        place = _at(info, source, "tags", tag)
        if known is None:
            yield _warning(place, f"{technique} is no cloud technique of ATT&CK {VERSION}; correct the tag")
        elif info.tactics and not set(known.tactics) & set(info.tactics):
            tactics = ", ".join(known.tactics)
            yield _warning(place, f"{technique} ({known.name}) belongs to {tactics}, and no tag names one of them")


def _at(info: RuleInfo, source: Source, *steps: str | int) -> str:
    document = source.document(info.origin)
    return document.at(*steps) if document else f"{info.origin}:1"


def _unknown_keys(source: Source) -> Iterator[Problem]:
    """Keys that Sigma does not know; other tools may, so it is a warning."""
    for document in source.documents:
        data = document.data
        if isinstance(data, dict) and "pattern" not in data:
            for key in data:
                if key not in RULE_KEYS:
                    text = f'unknown key "{key}"; keys of your own belong below a key that nobody else reads'
                    yield _warning(document.at(key), text)


def _unused(source: Source) -> Iterator[Problem]:
    """Selections that no condition names, in the same document or, where some are joined, anywhere in the file."""
    joins = any(isinstance(one.data, dict) and "action" in one.data for one in source.documents)
    shared = [word for one in source.documents for word in _condition_words(one)] if joins else []
    for document in source.documents:
        detection = document.data.get("detection") if isinstance(document.data, dict) else None
        if not isinstance(detection, dict):
            continue
        words = shared or list(_condition_words(document))
        for name in detection:
            used = "them" in words or any(fnmatch.fnmatchcase(str(name), word) for word in words)
            if name not in {"condition", "timeframe"} and not used:
                yield _warning(document.at("detection", name), f'no condition names the selection "{name}"')


def _condition_words(document: Document) -> Iterator[str]:
    detection = document.data.get("detection") if isinstance(document.data, dict) else None
    conditions = detection.get("condition", "") if isinstance(detection, dict) else ""
    for condition in conditions if isinstance(conditions, list) else [conditions]:
        yield from _WORD.findall(str(condition))


def _renamed(rules: Sequence[Rule | Correlation]) -> Iterator[Problem]:
    """Rules that lost their slug to another file's rule."""
    by_slug = {rule.info.slug: rule.info for rule in rules}
    for rule in rules:
        base, _, number = rule.info.slug.rpartition("-")
        other = by_slug.get(base)
        if number.isdigit() and other and split_origin(other.origin)[0] != split_origin(rule.info.origin)[0]:
            text = f'the slug "{base}" is taken by {other.origin}; this rule is called "{rule.info.slug}"'
            yield _warning(f"{rule.info.origin}:1", text)


def _warning(origin: str, text: str) -> Problem:
    return Problem(origin, text, error=False)
