"""Stage 2, first step: over links, back from what a record says to who it began with.

`Tracer.trace` is a pure function of the set of links, an identity and a time: the order in which links came changes
nothing. From each identity the best link that held at the time is followed; the end of the way is the actor. A link
that credentials were issued with always holds for them, because a key is never used twice. What an intruder makes
for somebody else (a key, a user, a password) leads to its maker for a while, then stands for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from trailwatch.detect import links as kinds
from trailwatch.model.actor import ARROW, Actor, node_text
from trailwatch.model.signal import Link

STEPS_AT_MOST = 24
"""Roles that take one another for ever end somewhere."""
CALLERS_COMPARED = 8
"""Of the callers who took one session name, so many latest ones are compared."""
SKEW_SECONDS = 60
DAY = 86400

Parents = Callable[[str], Iterable[Link]]
"""The links whose child is this identity."""

HOLDS_FOR = {
    kinds.CREATED_KEY: 30 * DAY,
    kinds.CREATED_USER: 30 * DAY,
    kinds.SET_PASSWORD: 7 * DAY,
    kinds.SIGNED_IN: DAY // 2,
    kinds.SWITCHED: DAY // 2,
    kinds.NAMED: DAY // 2,
}
"""Seconds for which links between identities that last longer than a session count; the others count for ever."""

_RANK = {
    kind: rank
    for rank, kind in enumerate(
        (
            *(kinds.ASSUMED, kinds.SESSION, kinds.FEDERATED, kinds.SHARED, kinds.RUNS_ON, kinds.PERSON),
            *(kinds.CREATED_KEY, kinds.SET_PASSWORD, kinds.SIGNED_IN, kinds.SWITCHED, kinds.CREATED_USER),
            *(kinds.NAMED, kinds.SAYS, kinds.BELONGS, kinds.STRANGER, kinds.OF_ROLE),
        )
    )
}


class _Step(NamedTuple):
    node: str
    said: str
    """What the link that was followed says of it; empty where its own name says enough."""


class Tracer:
    """Follows links; remembers what it found, so make a new one when links were added.

    Args:
        parents: where links are looked up by their child.
    """

    def __init__(self, parents: Parents) -> None:
        self._look_up = parents
        self._links: dict[str, tuple[Link, ...]] = {}
        self._found: dict[tuple[str, int | None], Actor] = {}

    def trace(self, identity: str, time: int) -> Actor:
        """Who it began with.

        Args:
            identity: from `trailwatch.detect.links.identity_of`.
            time: when it acted, in seconds since 1970.
        """
        known = self._found.get((identity, None)) or self._found.get((identity, time))
        if known is None:
            way = _Way(self, time)
            known = way.follow(identity)
            self._found[identity, time if way.timed else None] = known
        return known

    def trace_always(self, identity: str) -> Actor | None:
        """Who it began with, where the time of the act makes no difference; None where it does."""
        known = self._found.get((identity, None))
        if known is None:
            self.trace(identity, 0)
            known = self._found.get((identity, None))
        return known

    def parents(self, node: str) -> tuple[Link, ...]:
        known = self._links.get(node)
        if known is None:
            known = self._links[node] = tuple(self._look_up(node))
        return known


class _Way:
    """One way back."""

    def __init__(self, tracer: Tracer, time: int, nested: int = 0) -> None:
        self._tracer = tracer
        self._time = time
        self._nested = nested
        self._steps: list[_Step] = []
        self._aside: list[str] = []
        self._why = ""
        self.timed = False
        """Whether the time of the act decided anything."""

    def follow(self, start: str) -> Actor:
        node, link = start, self._next(start)
        while link is not None:
            self._steps.append(_Step(node, link.child_text if link.kind != kinds.BELONGS else ""))
            if link.kind == kinds.OF_ROLE:
                self._why = self._why or _not_seen(self._steps)
            circle = [step.node for step in self._steps]
            if link.parent in circle:
                # wherever one enters it, the answer is the same
                end = min(circle[circle.index(link.parent) :])
                return self._actor(end, "the links go round in a circle")
            if len(self._steps) >= STEPS_AT_MOST:
                self._why = f"it is more than {STEPS_AT_MOST} steps back"
                break
            if link.time:
                self._time = min(self._time, link.time)
            node = link.parent
            link = self._next(node)
        else:
            self._steps.append(_Step(node, ""))
        end = self._steps[-1].node
        if end.startswith("id:"):
            self._why = "the events of the account that the call came from were not read"
        return self._actor(end, self._why)

    def _next(self, node: str) -> Link | None:
        candidates = [link for link in self._tracer.parents(node) if self._holds(link)]
        candidates.sort(key=_preference)
        for link in candidates:
            if link.kind != kinds.NAMED:
                return link
            if self._agree([other for other in candidates if other.kind == kinds.NAMED]):
                return link
            self._why = "several callers used this session name"
        if node.startswith("login:"):
            return Link(kinds.BELONGS, node.removeprefix("login:"), node, kinds.ALWAYS, "", "")
        return None

    def _holds(self, link: Link) -> bool:
        seconds = HOLDS_FOR.get(link.kind)
        if not link.time or seconds is None or (link.kind == kinds.SIGNED_IN and link.child.startswith("key:")):
            return True
        self.timed = True
        return link.time - SKEW_SECONDS <= self._time <= link.time + seconds

    def _agree(self, links: Sequence[Link]) -> bool:
        """Whether all who took this session name began with the same actor."""
        parents = list(dict.fromkeys(link.parent for link in links))[:CALLERS_COMPARED]
        if len(parents) < 2:  # noqa: PLR2004 one caller agrees with himself
            return True
        if self._nested:
            return False
        keys = set()
        for parent in parents:
            way = _Way(self._tracer, self._time, nested=1)
            actor = way.follow(parent)
            self.timed = self.timed or way.timed
            self._aside += actor.path
            keys.add(actor.key)
        return len(keys) == 1

    def _actor(self, end: str, why: str) -> Actor:
        steps = self._steps
        chain: list[str] = []
        for step in reversed(steps):
            text = step.said or node_text(step.node)
            if text and (not chain or chain[-1] != text):
                chain.append(text)
        path = tuple(dict.fromkeys((*self._aside, *(step.node for step in steps))))
        return Actor(end, _joined(chain) or end, tuple(chain), path, why)


def _preference(link: Link) -> tuple[int, bool, int, str, str]:
    return _RANK.get(link.kind, len(_RANK)), link.parent.startswith("shared:"), -link.time, link.parent, link.event_id


def _not_seen(steps: Sequence[_Step]) -> str:
    key = next((step.node for step in reversed(steps) if step.node.startswith("key:")), "")
    if key:
        return f"nobody was seen to get {key.removeprefix('key:')} issued"
    return "nobody was seen to get this session issued, and the record names no key"


def _joined(chain: Sequence[str]) -> str:
    """The parts with an arrow between them; an account is named where it changes."""
    shown, before = [], None
    for part in chain:
        text, separator, account = part.rpartition(" in ")
        if not separator:
            shown.append(part)
            continue
        if before is None:
            shown.append(part)
        else:
            shown.append(text if account == before else f"{text} in account {account}")
        before = account
    return ARROW.join(shown)


def told(actor: Actor, who: str) -> str:
    """The actor as an alert says it.

    Args:
        actor: from `Tracer.trace`.
        who: the principal as text, which says more than a chain of one part.
    """
    text = actor.text if len(actor.chain) > 1 else who or actor.text
    return f"{text} (origin not seen: {actor.why})" if actor.why else text
