"""What a person asks to respond to: an alert, an incident, a user, a role or a key; and what is to be done then."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from trailwatch.errors import ActionError, UsageError
from trailwatch.model.alert import Alert
from trailwatch.model.incident import Incident
from trailwatch.model.response import Call, Order, Target, TargetKind
from trailwatch.ports import Cloud
from trailwatch.respond.choose import Chooser, Chosen
from trailwatch.respond.makers import bare
from trailwatch.respond.reach import Children, Reached, identities_of, reached, starts_of
from trailwatch.respond.records import role_target

_KEY = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{12,124}")
_ARN = re.compile(r"arn:(aws[a-z-]*):(iam|sts)::([0-9]{12}):(user|role|assumed-role)/(.+)")
_NAMED = re.compile(r"(user|role)[/ ](.+)")
_ACTION = {TargetKind.USER: "lock-user", TargetKind.ROLE: "revoke-sessions", TargetKind.KEY: "deactivate-key"}
CAUSES_NAMED = 3
"""In the text of what a plan answers."""


class Wish(msgspec.Struct, frozen=True):
    """What is to be done, and what people should know of how that was found."""

    cause: str
    chosen: Chosen
    notes: tuple[str, ...] = ()


def is_name(what: str) -> bool:
    """Whether a text names a user, role or key, rather than an alert or incident by its id."""
    return bool(_KEY.fullmatch(what) or _ARN.fullmatch(what) or _NAMED.fullmatch(what))


def named(what: str, account: Callable[[], str], cloud: Cloud) -> Target:
    """The user, role or key of a text: an ARN, `user/NAME`, `role/NAME`, or an access key's id.

    Args:
        what: the text.
        account: of whom is meant where the text does not say it; asked only then.
        cloud: asked whose a key is.

    Raises:
        UsageError: it names none of these.
        ActionError: nobody has that key.
    """
    arn, plain = _ARN.fullmatch(what), _NAMED.fullmatch(what)
    if arn and arn[4] == "role":
        found = role_target(what)
        if found is not None:
            return found
    if arn:
        name = arn[5].partition("/")[0] if arn[4] == "assumed-role" else arn[5].rpartition("/")[2]
        return Target(TargetKind.USER if arn[4] == "user" else TargetKind.ROLE, arn[3], name)
    if plain:
        return Target(TargetKind(plain[1]), account(), plain[2])
    if what.startswith("ASIA"):
        raise UsageError(what, "it belongs to a session", "name the user or role whose session it is")
    if _KEY.fullmatch(what):
        return _key(what, account(), cloud)
    raise UsageError(what, "it is no user, role or key", "write user/NAME, role/NAME, an ARN or a key's id")


def _key(key: str, account: str, cloud: Cloud) -> Target:
    answer = cloud.call(Call(account, "iam", "GetAccessKeyLastUsed", {"AccessKeyId": key}))
    user = answer.get("UserName")
    if not isinstance(user, str) or not user:
        raise ActionError(f"access key {key}", f"nobody in account {account} has it", "is it of another account?")
    return Target(TargetKind.KEY, account, key, of=(("user", user),))


def joined(wishes: Sequence[Wish]) -> Wish:
    """Several wishes as one; the same action about the same target is one order.

    Args:
        wishes: at least one.
    """
    if len(wishes) == 1:
        return wishes[0]
    orders: dict[tuple[str, Target], Order] = {}
    for order in (order for wish in wishes for order in wish.chosen.orders):
        orders.setdefault((order.action, msgspec.structs.replace(order.target, evidence=b"")), order)
    texts = [wish.cause for wish in wishes]
    asked_for = {f"{target.kind.value}/{target.name}" for _, target in orders}
    more = f", and {len(texts) - CAUSES_NAMED} more" if len(texts) > CAUSES_NAMED else ""
    chosen = Chosen(
        orders=tuple(orders.values()),
        playbooks=_once(name for wish in wishes for name in wish.chosen.playbooks),
        humans=_once(text for wish in wishes for text in wish.chosen.humans),
        unanswered=_once(text for wish in wishes for text in wish.chosen.unanswered),
        spared=tuple(
            dict.fromkeys(one for wish in wishes for one in wish.chosen.spared if one.name not in asked_for)
        ),
    )
    known = {order.target.name for order in chosen.orders}
    notes = _once(note for wish in wishes for note in wish.notes if not known & set(note.split()))
    return Wish(", ".join(texts[:CAUSES_NAMED]) + more, chosen, notes)


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def wish_for_target(target: Target, children: Children, cloud: Cloud, final: Sequence[Order] = ()) -> Wish:
    """What is to be done about somebody whom a person named, and the roles that were taken with that.

    Args:
        target: a user, role or key.
        children: what came of an identity.
        cloud: asked for the partition, which stands in every ARN.
        final: what else is asked for, and cannot be taken back.
    """
    reach = reached(identities_of(target, _partition(target, cloud)), children)
    orders = (Order(_ACTION[target.kind], target), *_roles(reach, {target}), *final)
    return Wish(str(target), Chosen(orders), tuple(_notes(reach, orders)))


def _partition(target: Target, cloud: Cloud) -> str:
    try:
        return cloud.identity(target.account).split(":")[1]
    except ActionError:
        return "aws"  # the plan itself will tell why there is no way in


def wish_for_alerts(
    cause: str, alerts: Sequence[Alert], incident: Incident | None, chooser: Chooser, children: Children
) -> Wish:
    """What playbooks make of some alerts, and the roles that were taken by those who called.

    Args:
        cause: `alert 1f...` or `incident 2a...`.
        alerts: with their evidence.
        incident: that they belong to.
        chooser: asks the playbooks.
        children: what came of an identity.
    """
    chosen = chooser.choose(alerts, incident)
    spared = {one.principal for one in chosen.spared}
    mine = [alert for alert in alerts if bare(alert.principal) not in spared]
    reach = reached(starts_of(mine), children) if chosen.orders else Reached((), ())
    known = {order.target for order in chosen.orders}
    orders = (*chosen.orders, *_roles(reach, known))
    return Wish(cause, msgspec.structs.replace(chosen, orders=orders), tuple(_notes(reach, orders)))


def _roles(reach: Reached, known: Iterable[Target]) -> list[Order]:
    names = {(one.kind, one.account, one.name) for one in known}
    return [
        Order(_ACTION[TargetKind.ROLE], role)
        for role in reach.roles
        if (role.kind, role.account, role.name) not in names
    ]


def _notes(reach: Reached, orders: Iterable[Order]) -> Iterable[str]:
    known = {one.target.name for one in orders} | {one.target.detail("user") for one in orders}
    for made in reach.made:
        if made.name not in known:
            yield f"{made.words} came of it: look whether that was wanted, and plan for it where it was not"
    if reach.cut_short:
        yield "more came of it than could be followed; roles may be missing"
