"""Stage 2 and 3 over a state: links are learnt first, then everything is attributed to who it began with.

A link that comes late may change where the way back from an identity leads. The ways that were gone are remembered,
so what is concerned is known at once: those alerts are attributed anew and go to another incident, or two incidents
become one. What was told stays told.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from trailwatch.detect.incidents import rule_on
from trailwatch.detect.lineage import Tracer, told
from trailwatch.model.actor import Actor
from trailwatch.model.incident import Subject
from trailwatch.model.signal import Link
from trailwatch.ports import IncidentState, LinkState


class Attribution:
    """Who it began with, over links that are kept.

    Args:
        links: where links are kept.
        incidents: where alerts are.
    """

    def __init__(self, links: LinkState, incidents: IncidentState) -> None:
        self._links = links
        self._incidents = incidents
        self._tracer = Tracer(links.parents)
        self._gone: set[tuple[str, str]] = set()

    def learn(self, links: Sequence[Link], now: int) -> set[str]:
        """Keeps links; identities that were traced before and may now lead elsewhere come back.

        Call it within a transaction with what is attributed after it, and before.
        """
        # another process may have added links since the last delivery
        self._tracer = Tracer(self._links.parents)
        self._gone.clear()
        gained = self._links.add(links, now) if links else set()
        return self._links.led_over(gained) if gained else set()

    def actor(self, identity: str, time: int, now: int) -> Actor:
        """Who an identity acted for at a time; where that led is remembered."""
        actor = self._tracer.trace(identity, time)
        fresh = [node for node in actor.path if (identity, node) not in self._gone]
        if fresh:
            self._links.remember(identity, fresh, now)
            self._gone.update((identity, node) for node in fresh)
        return actor

    def settle(self, alert_ids: Collection[str], turned: Collection[str], now: int) -> int:
        """Attributes alerts and puts them into incidents; how many joined one that is put off comes back.

        Args:
            alert_ids: alerts that are new or grew.
            turned: what `learn` said.
            now: seconds since 1970.
        """
        subjects: dict[str, Subject] = {one.alert_id: one for one in self._incidents.subjects(alert_ids)}
        if turned:
            subjects.update((one.alert_id, one) for one in self._incidents.subjects_of(turned))
        touched: set[str] = set()
        for subject in subjects.values():
            actor = self.actor(subject.identity, subject.time, now)
            self._incidents.attribute(subject.alert_id, actor.key, told(actor, subject.who))
            touched |= {actor.key, subject.actor_key}
        touched.discard("")
        return self._regroup(touched, now) if touched else 0

    def _regroup(self, actor_keys: Collection[str], now: int) -> int:
        incidents = self._incidents
        members = incidents.members(actor_keys)
        known = {one.incident for one in members} - {""}
        ruling = rule_on(members, incidents.ages(known), incidents.shared(known, actor_keys), incidents.taken)
        moved = {one.alert_id: home for one in members if (home := ruling.homes[one.alert_id]) != one.incident}
        return incidents.keep(msgspec.structs.replace(ruling, homes=moved), now)
