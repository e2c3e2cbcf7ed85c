"""What a suppression would have hidden: counts over stored alerts and over matches, told before it hides anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from trailwatch.detect.suppress import Suppressor
from trailwatch.model.alert import Alert, Verdict
from trailwatch.model.match import Match
from trailwatch.model.severity import Severity


class Effect(msgspec.Struct):
    """What it does to one rule and one principal."""

    slug: str
    severity: Severity
    principal: str
    actor: str
    events: int = 0
    """Events that would have been hidden."""
    shown: int = 0
    """Events of the same rule and principal that would have stayed."""
    alerts: int = 0
    """Alerts that would never have been told."""
    true_positives: int = 0
    """Those of them that a person closed as what the rule says, and unwanted."""
    first: int = 0
    """Event times of what is hidden, in seconds since 1970."""
    last: int = 0

    def hide(self, time: int) -> None:
        self.first = min(self.first, time) if self.events else time
        self.last = max(self.last, time)
        self.events += 1


class Effects:
    """Gathers effects, by rule and principal."""

    def __init__(self, suppressor: Suppressor) -> None:
        self._suppressor = suppressor
        self._found: dict[tuple[str, str], Effect] = {}
        self._hidden: dict[str, Effect] = {}
        self._shown: set[str] = set()

    def add_alerts(self, alerts: Iterable[Alert], actors: Mapping[str, str]) -> None:
        """Stored alerts; an alert that has more events than evidence is judged by its evidence.

        Args:
            alerts: as the store has them.
            actors: the key of who it began with, by alert id.
        """
        for alert in alerts:
            effect = self._effect(alert.rule.id, alert.rule.slug, alert.severity, alert.principal, alert.actor)
            said = self._suppressor.judge(alert, actors.get(alert.id, ""))
            for one, ruling in zip(alert.evidence, said, strict=True):
                if ruling.hides:
                    effect.hide(one.time)
                else:
                    effect.shown += 1
            if said and all(ruling.hides for ruling in said):
                effect.alerts += 1
                effect.true_positives += alert.verdict is Verdict.TRUE_POSITIVE

    def add_matches(self, matches: Iterable[Match]) -> None:
        """Matches of rules that alert; an alert counts when all of its matches would be hidden."""
        alerting = [match for match in matches if match.rule.alerting]
        hidden = {(one.rule_id, one.account, one.event_id) for one in self._suppressor.sift(alerting).hidden}
        for match in alerting:
            rule = match.rule
            effect = self._effect(rule.id, rule.slug, rule.severity, match.principal, match.actor)
            if (rule.id, match.account, match.event_id) in hidden:
                effect.hide(match.time)
                self._hidden.setdefault(match.alert_id, effect)
            else:
                effect.shown += 1
                self._shown.add(match.alert_id)

    def found(self) -> Iterator[Effect]:
        """Of everything that would be hidden, the most events first."""
        for alert_id, effect in self._hidden.items():
            effect.alerts += alert_id not in self._shown
        self._hidden = {}
        hiding = (effect for effect in self._found.values() if effect.events)
        yield from sorted(hiding, key=lambda one: (-one.events, one.slug, one.principal))

    def _effect(self, rule_id: str, slug: str, severity: Severity, principal: str, actor: str) -> Effect:
        return self._found.setdefault((rule_id, principal), Effect(slug, severity, principal, actor))
