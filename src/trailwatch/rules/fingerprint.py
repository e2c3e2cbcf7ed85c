"""What a rule asks, as a digest: texts, severity and examples may change without changing it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from trailwatch.rules.rule import Correlation, Rule, RuleSet


def conditions_of(ruleset: RuleSet) -> dict[str, tuple[str, str]]:
    """Rule id to slug and digest, of every rule that alerts."""
    found: dict[str, tuple[str, str]] = {}
    for rule in (*ruleset.rules, *ruleset.first_seen):
        if rule.info.alerting:
            found[rule.info.id] = rule.info.slug, condition_of(rule)
    asked = {rule.info.id: condition_of(rule) for rule in (*ruleset.rules, *ruleset.first_seen)}
    for one in ruleset.correlations:
        asked[one.info.id] = _correlation(one, asked)
        if one.info.alerting:
            found[one.info.id] = one.info.slug, asked[one.info.id]
    return found


def condition_of(rule: Rule) -> str:
    """The digest of a rule over single events; a script counts with every byte of its file."""
    script = _content(rule.info.origin) if rule.script is not None else b""
    return _digest(msgspec.json.encode((rule.condition, rule.first_seen, rule.travel)), script)


def load_key(ruleset: RuleSet) -> str:
    """What changes whenever another set of rules is loaded."""
    rules = [rule.info.id for rule in (*ruleset.rules, *ruleset.first_seen)]
    ids = sorted([*rules, *(one.info.id for one in ruleset.correlations)])
    return _digest(ruleset.digest.encode(), "\n".join(ids).encode())


def _correlation(one: Correlation, asked: Mapping[str, str]) -> str:
    own = (one.type, one.rules, one.timespan_seconds, one.group_by, one.limit, one.expression, one.aliases)
    return _digest(msgspec.json.encode(own), *(asked.get(name, "").encode() for name in one.rules))


def _content(origin: str) -> bytes:
    """The bytes of the file that `path:line` names; nothing where it is gone."""
    try:
        return Path(origin.rpartition(":")[0] or origin).read_bytes()
    except OSError:
        return b""


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:32]
