"""Signals of a whole input as columns: what is noted of events while they are read, until everything is known.

Hardly any signal ever makes a correlation hold. So of an event that feeds some, its texts are noted once, together
with those of other events that feed the same ones, and signals are made of what turns out to matter.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from trailwatch.detect.callers import Caller
from trailwatch.detect.columns import texts_of
from trailwatch.detect.sightings import Place, Stretch, widen
from trailwatch.model.identity import KEY_KEPT, shortened
from trailwatch.model.match import Found, Written
from trailwatch.model.signal import Brief, Signal

ACTOR_AT = -1
"""Stands for the actor among the columns of a key."""
NO_COLUMN = -1
"""Where nothing is counted."""
BRIEF_FIELDS = (
    *("eventID", "recipientAccountId", "awsRegion", "eventSource", "eventName"),
    *("sourceIPAddress", "userAgent", "errorCode"),
)
"""What is noted of every event."""
_EVENT_ID = BRIEF_FIELDS.index("eventID")
_ACCOUNT = BRIEF_FIELDS.index("recipientAccountId")
_OWN = -1
"""The place of the account among what a page knows of a caller."""

Row = tuple[Any, ...]
"""A caller, a time, and what is found at the paths of a `Form`."""


class Want(NamedTuple):
    """What one stateful rule wants of the events of one rule."""

    rule_id: str
    base_id: str
    key: tuple[int, ...]
    """Columns of the group-by fields, or `ACTOR_AT`."""
    value: int = NO_COLUMN
    """The column of what is counted, or `NO_COLUMN`."""
    remembers: bool = False
    """Whether it is a rule with a memory."""


class Form(NamedTuple):
    """How events to which the same rules said yes are noted."""

    wants: tuple[Want, ...]
    keys: tuple[int, ...]
    """The places in a row of the columns that wants speak of."""
    brief: tuple[int, ...]
    """The place in a row of each of `BRIEF_FIELDS`."""
    found: tuple[int, ...] = ()
    """The places of `readOnly`, of where the record came from, and of its position there; empty where nobody asks."""


class Note(NamedTuple):
    """Events that were noted in the same form."""

    form: Form
    rows: list[Row]


class Group(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Some events of one form."""

    wants: tuple[Want, ...]
    whole: bool
    """Whether no text is missing; otherwise empty texts are missing ones."""
    callers: list[int]
    """Numbers among the callers of the page."""
    times: list[int]
    keys: list[list[str]]
    """The columns that wants speak of."""
    brief: tuple[int, ...]
    """For each of `BRIEF_FIELDS` its column: among the keys, or after these among the rest."""
    rest: msgspec.Raw
    """Further columns; decoded where somebody wants them."""
    read_only: list[bool] = []
    """For rules with a memory alone, as the two that follow."""
    origins: list[int] = []
    """Numbers among the origins of the page."""
    positions: list[int] = []


class Page(msgspec.Struct, array_like=True, frozen=True):
    """What was noted of some files."""

    callers: list[tuple[str, str, str, str, str]]
    """Principal, the same for people, access key, identity from which lineage goes back, and account."""
    groups: list[Group]
    origins: list[str] = []


class Briefs:
    """The briefs of a group's events, each made once.

    Args:
        page: where the group is.
        group: the group.
    """

    def __init__(self, page: Page, group: Group) -> None:
        columns: list[list[str]] = [*group.keys, *_COLUMNS(group.rest)]
        self._columns = [columns[at] for at in group.brief]
        self._page = page
        self._group = group
        self._made: dict[int, Brief] = {}

    def event_id(self, row: int) -> str:
        """The id of an event."""
        return self._columns[_EVENT_ID][row]

    def account(self, row: int) -> str:
        """The account of an event."""
        return self._columns[_ACCOUNT][row] or self._page.callers[self._group.callers[row]][_OWN]

    def of(self, row: int) -> Brief:
        """The brief of an event by its row."""
        brief = self._made.get(row)
        if brief is None:
            group = self._group
            principal, who, access_key, identity, _ = self._page.callers[group.callers[row]]
            event_id, _, region, source, name, address, agent, error = [one[row] for one in self._columns]
            brief = self._made[row] = Brief(
                event_id=event_id,
                time=group.times[row],
                account=self.account(row),
                region=region,
                event_source=source,
                event_name=name,
                principal=principal,
                who=who,
                access_key=access_key,
                source_ip=address,
                user_agent=agent,
                error_code=error,
                identity=identity,
            )
        return brief


def page_of(notes: Iterable[Note]) -> tuple[Written | None, int]:
    """What was noted as a page, and how often a stateful rule found no value for its key.

    None where nothing was noted.
    """
    by_form: dict[int, tuple[Form, list[list[Row]]]] = {}
    for form, rows in notes:
        by_form.setdefault(id(form), (form, []))[1].append(rows)
    if not by_form:
        return None, 0
    callers, origins = _Numbers(), _Numbers()
    groups: list[tuple[Any, ...]] = []
    heard: dict[Place, Stretch] = {}
    unkeyed = 0
    for form, several in by_form.values():
        columns: list[tuple[Any, ...]] = list(zip(*itertools.chain.from_iterable(several), strict=True))
        keys = [texts_of(columns[at]) for at in form.keys]
        gaps = frozenset(number for number, column in enumerate(keys) if "" in column)
        if gaps:
            unkeyed += sum(_gaps(keys, gaps.intersection((*want.key, want.value))) for want in form.wants)
        if form.found:
            _hear(heard, form, columns, keys, gaps)
        groups.append(_packed(form, columns, keys, callers, origins, whole=not gaps))
    body = _ENCODE((list(map(_told, callers)), groups, list(origins)))
    return Written(body, [(*place, *times) for place, times in heard.items()]), unkeyed


def _packed(
    form: Form,
    columns: Sequence[tuple[Any, ...]],
    keys: list[Sequence[str]],
    callers: Mapping[Caller, int],
    origins: Mapping[str, int],
    *,
    whole: bool,
) -> tuple[Any, ...]:
    """The fields of a `Group`."""
    shared = {at: number for number, at in enumerate(form.keys)}
    for number, column in enumerate(keys):
        if max(map(len, column)) > KEY_KEPT:
            keys[number] = list(map(shortened, column))
            del shared[form.keys[number]]
    rest = [at for at in form.brief if at not in shared]
    shared |= {at: len(keys) + number for number, at in enumerate(rest)}
    group = (
        *(form.wants, whole, list(map(callers.__getitem__, columns[0])), columns[1], keys),
        *([shared[at] for at in form.brief], [texts_of(columns[at]) for at in rest]),
    )
    if not form.found:
        return group
    flag, origin, position = form.found
    return (
        *group,
        *([one is True for one in columns[flag]], list(map(origins.__getitem__, columns[origin])), columns[position]),
    )


def _hear(
    heard: dict[Place, Stretch],
    form: Form,
    columns: Sequence[tuple[Any, ...]],
    keys: Sequence[Sequence[str]],
    gaps: frozenset[int],
) -> None:
    """Adds the first and last times of what is for rules with a memory."""
    own = [caller.principal.account for caller in columns[0]]
    accounts = [known or account for known, account in zip(texts_of(columns[form.brief[_ACCOUNT]]), own, strict=True)]
    known: dict[frozenset[int], dict[str, tuple[int, int]]] = {}
    for want in form.wants:
        missing = gaps.intersection(want.key)
        if want.remembers and missing not in known:
            known[missing] = _stretches(accounts, columns[1], [keys[at] for at in missing])
        for account, stretch in known[missing].items() if want.remembers else ():
            widen(heard, (want.rule_id, account), *stretch)


def _stretches(
    accounts: Sequence[str], times: Sequence[int], texts: Sequence[Sequence[str]]
) -> dict[str, tuple[int, int]]:
    """By account the first and the last time, of the rows in which none of these texts is missing."""
    if not texts and len(set(accounts)) == 1:
        return {accounts[0]: (min(times), max(times))}
    by_account: dict[str, list[int]] = {}
    for row, (account, time) in enumerate(zip(accounts, times, strict=True)):
        if not texts or all(column[row] for column in texts):
            by_account.setdefault(account, []).append(time)
    return {account: (min(found), max(found)) for account, found in by_account.items()}


def put_on_page(found: Found) -> None:
    """Puts the notes of what was found on a page, which takes little room."""
    page, unkeyed = page_of(found.notes)
    found.tally.unkeyed += unkeyed
    found.notes, found.pages = [], [*found.pages, page] if page is not None else found.pages


def page_of_signals(signals: Sequence[Signal], actors: Callable[[str, str], Sequence[int]]) -> Written:
    """Signals for correlations as a page.

    Args:
        signals: in any order.
        actors: where the actor stands in the keys of a correlation's signals that come from a rule.
    """
    several: dict[tuple[str, str, int, bool], list[Signal]] = {}
    for one in signals:
        several.setdefault((one.rule_id, one.base_id, len(one.key), bool(one.value)), []).append(one)
    callers: dict[tuple[str, ...], int] = {}
    groups = []
    for (rule_id, base_id, length, counts), found in several.items():
        briefs = [one.brief for one in found]
        named = actors(rule_id, base_id)
        key = tuple(ACTOR_AT if at in named else at for at in range(length))
        keys = [*zip(*[one.key for one in found], strict=True), *([[one.value for one in found]] if counts else ())]
        want = Want(rule_id, base_id, key, length if counts else NO_COLUMN)
        who = [(one.principal, one.who, one.access_key, one.identity, "") for one in briefs]
        rest = zip(*map(_brief_texts, briefs), strict=True)
        numbers = [callers.setdefault(one, len(callers)) for one in who]
        places = range(len(keys), len(keys) + len(BRIEF_FIELDS))
        groups.append(((want,), True, numbers, [one.time for one in briefs], keys, list(places), list(rest)))
    return Written(_ENCODE((list(callers), groups)), [])


def read_page(body: bytes) -> Page:
    """A page that was written."""
    found: Page = _PAGE(body)
    return found


class _Numbers(dict[Any, int]):
    """Whatever is numbered in the order of its coming."""

    def __missing__(self, one: Any) -> int:
        number = self[one] = len(self)
        return number


def _told(caller: Caller) -> tuple[str, str, str, str, str]:
    one = caller.principal
    return one.key, caller.who, one.access_key, caller.identity, one.account


def _gaps(keys: Sequence[Sequence[str]], asked: Iterable[int]) -> int:
    """How many rows miss a text in one of these columns."""
    some = [keys[at] for at in asked]
    if len(some) < 2:  # noqa: PLR2004 one column or none
        return sum([list(one).count("") for one in some])
    return sum("" in row for row in zip(*some, strict=True))


def _brief_texts(brief: Brief) -> tuple[str, ...]:
    return (
        *(brief.event_id, brief.account, brief.region, brief.event_source, brief.event_name),
        *(brief.source_ip, brief.user_agent, brief.error_code),
    )


_ENCODE = msgspec.msgpack.Encoder().encode
_PAGE: Any = msgspec.msgpack.Decoder(Page).decode
_COLUMNS = msgspec.msgpack.Decoder(list[list[str]]).decode
