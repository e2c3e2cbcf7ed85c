"""Quiet things add up: the one rule over time that is built in, because it reads whatever rules are loaded.

Each of these things alone is everyday work and wakes nobody. Five different ones by the same actor within an hour are
a person who looks around, tries doors and prepares something. Different rules are counted, not events, so that a
job which does one thing ten thousand times is one quiet thing.
"""

from __future__ import annotations

from collections.abc import Iterable

from trailwatch.model.rule import Dedup, RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.model.signal import ACTOR
from trailwatch.rules.rule import Correlation, CorrelationLimit, Rule

QUIET_THINGS_ID = "6f0c2f0e-3c55-4f0a-9d1e-5f1f1f0b7a55"
DIFFERENT_THINGS = 5
WITHIN_SECONDS = 3600
BUILDING = frozenset({"persistence", "privilege-escalation", "execution", "impact", "resource-development"})
"""Tactics of rules about what was made, started, changed or removed."""


def quiet_things(rules: Iterable[Rule]) -> Correlation | None:
    """The rule over all quiet ones among these; None where there are too few.

    Quiet are rules of low severity, and others that alert nobody by themselves. Left out are informational ones,
    which are about what everybody does all day, and those about building alone: a deployment does many of them.
    """
    quiet = sorted(rule.info.id for rule in rules if _is_quiet(rule))
    if len(quiet) < DIFFERENT_THINGS:
        return None
    return Correlation(
        info=RuleInfo(
            id=QUIET_THINGS_ID,
            slug="quiet_things_add_up",
            title="Many different quiet things by one actor within an hour",
            severity=Severity.MEDIUM,
            origin="built-in:1",
            description=(
                f"At least {DIFFERENT_THINGS} different rules of low severity said yes to what one actor did within"
                " an hour, over all sessions, roles and keys that lead back to them. Each alone is everyday work;"
                " together they are how somebody looks who explores and prepares."
            ),
            tactics=("discovery",),
            techniques=("T1580",),
            false_positives=("Deployments and set-up scripts that change many things at once.",),
            triage=(
                "Read the list of things: does one person's work explain all of them?",
                "Ask who it began with, or suppress this rule for the role of a deployment.",
            ),
            dedup=Dedup(by=(ACTOR,), period_seconds=86400),
        ),
        type="temporal",
        rules=tuple(quiet),
        timespan_seconds=WITHIN_SECONDS,
        group_by=(ACTOR,),
        limit=CorrelationLimit("gte", DIFFERENT_THINGS),
        generate=True,
        name="quiet_things_add_up",
    )


def _is_quiet(rule: Rule) -> bool:
    info = rule.info
    if rule.first_seen is not None or info.severity is Severity.INFORMATIONAL:
        return False
    if info.tactics and BUILDING.issuperset(info.tactics):
        return False
    return info.severity is Severity.LOW or not info.alerting
