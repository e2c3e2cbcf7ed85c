"""From orders to a plan: every call in order, what it cuts off, and what it does not reach."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from trailwatch.errors import ActionError
from trailwatch.model.response import Draft, Order, Plan, Step, Target, TargetKind
from trailwatch.ports import Action, Cloud, Past, Scene
from trailwatch.respond.choose import Chosen, ordered


class Drafting(msgspec.Struct, frozen=True):
    """What plans are made with."""

    actions: Mapping[str, Action]
    cloud: Cloud
    past: Past
    refuse: Callable[[Target], str] = lambda _target: ""
    """Why nothing may be done about a target; empty where nothing is against it."""


def make_plan(cause: str, chosen: Chosen, tools: Drafting, now: int) -> Plan:
    """The plan for some orders; nothing is changed, but AWS is asked how things stand.

    Args:
        cause: what it answers, in words.
        chosen: what is to be done; see `trailwatch.respond.choose`.
        tools: what it is made with.
        now: seconds since 1970; with the cause and the targets it makes the plan's id.
    """
    orders = without_keys_of_locked(ordered(chosen.orders, tools.actions))
    identity = plan_id(cause, orders, now)
    draft = _Draft()
    targets: dict[Target, None] = {}
    scene = Scene(tools.cloud, tools.past, identity)
    for order in orders:
        target = msgspec.structs.replace(order.target, evidence=b"")
        reason = _own(order.target, tools.cloud) or tools.refuse(order.target)
        if reason:
            draft.cannot[f"{target} is left alone: {reason}"] = None
            continue
        targets[target] = None
        try:
            draft.add(tools.actions[order.action].plan(order.target, scene))
        except ActionError as error:
            draft.problems[f"{order.action} for {target}: {error}"] = None
    for one in chosen.spared:
        draft.cannot[
            f"{one.name} is left alone, and all that it made: nothing is known of it here but that it made user "
            f"{', '.join(one.made)}, long before; `trailwatch respond plan {one.name}` plans for it"
        ] = None
    for hint in chosen.unanswered:
        draft.cannot[f"a rule asks for {hint!r}, which no playbook answers here; its triage says what to do"] = None
    return Plan(
        id=identity,
        created=now,
        cause=cause,
        playbooks=chosen.playbooks,
        targets=tuple(targets),
        steps=tuple(draft.steps),
        humans=chosen.humans,
        cannot=tuple(draft.cannot),
        cuts=tuple(draft.cuts),
        problems=tuple(draft.problems),
    )


def plan_id(cause: str, orders: Iterable[Order], now: int) -> str:
    """12 hex digits; the same for the same orders at the same second."""
    parts = [cause, str(now), *(f"{order.action}\0{order.target}" for order in orders)]
    return hashlib.sha256("\0\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def without_keys_of_locked(orders: Sequence[Order]) -> list[Order]:
    """The orders without those about a key of a user whom another order is about: locking switches off every key."""
    users = {(one.target.account, one.target.name) for one in orders if one.target.kind is TargetKind.USER}
    return [
        one
        for one in orders
        if one.target.kind is not TargetKind.KEY or (one.target.account, one.target.detail("user")) not in users
    ]


class _Draft:
    """Gathers drafts; the same step is taken once."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.cannot: dict[str, None] = {}
        self.cuts: dict[str, None] = {}
        self.problems: dict[str, None] = {}
        self._known: set[tuple[str, str, str, tuple[tuple[str, str], ...]]] = set()

    def add(self, draft: Draft) -> None:
        for step in draft.steps:
            key = (step.lever, step.account, step.region, tuple(sorted(step.thing.items())))
            if key not in self._known:
                self._known.add(key)
                self.steps.append(step)
        self.cannot.update(dict.fromkeys(draft.cannot))
        self.cuts.update(dict.fromkeys(draft.cuts))
        self.problems.update(dict.fromkeys(draft.problems))


_IDENTITIES = {TargetKind.USER: "user", TargetKind.ROLE: "role"}


def _own(target: Target, cloud: Cloud) -> str:
    """Why a target is who acts here itself; empty where it is not, or where that cannot be asked."""
    kind = _IDENTITIES.get(target.kind) or ("user" if target.kind is TargetKind.KEY else "")
    if not kind:
        return ""
    try:
        own = cloud.identity(target.account)
    except ActionError:
        return ""  # the plan's own calls will tell why there is no way in
    name = target.detail("user") if target.kind is TargetKind.KEY else target.name
    same = own.partition(":")[2].endswith(f"::{target.account}:{kind}/{name}") or (
        f"::{target.account}:{kind}/" in own and own.rpartition("/")[2] == name
    )
    return "it is who acts here, and would lock itself out" if same else ""
