"""Playbooks: which actions answer which events, as YAML files that people review.

name: lock-user                        unique; a rule's `respond: lock-user` asks for it
description: Lock the IAM user.
answers: [disable-user]                what else rules may ask with; "*" for every alert
when: {userIdentity.type: IAMUser}     a Sigma selection over the event, or a list of which one must hold
actions: [lock-user]                   in any order; a plan has an order of its own
humans: [Ask the user's owner.]        what only people can do

`when` sees the event's record, and besides `alert.severity`, `alert.rule`, `alert.respond`, `alert.tactics`,
`alert.techniques`, `alert.account`, `incident.score`, `incident.severity` and `incident.tactics`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trailwatch.errors import RuleError
from trailwatch.rules.names import meant
from trailwatch.rules.predicate import Const, Predicate
from trailwatch.rules.rule import Problem

if TYPE_CHECKING:
    from trailwatch.rules.sigma_yaml import Document

SUFFIXES = (".yml", ".yaml")
EVERY = "*"
REQUIRED = ("name", "description")
KEYS = frozenset({*REQUIRED, "answers", "when", "actions", "humans"})
LONGEST_FILE = 256 * 1024


class Playbook(msgspec.Struct, frozen=True):
    """It answers an event when a rule asks for it and its condition holds."""

    name: str
    description: str
    answers: tuple[str, ...] = ()
    """What rules may ask with besides its name; `*` for every alert."""
    condition: Predicate = Const(value=True)
    actions: tuple[str, ...] = ()
    humans: tuple[str, ...] = ()
    origin: str = ""
    """`path:line` of the definition."""

    def asked_by(self, respond: str) -> bool:
        """Whether a rule with this `respond` asks for it."""
        return respond == self.name or respond in self.answers or EVERY in self.answers


class PlaybookSet(msgspec.Struct, frozen=True):
    """What some folders gave: good playbooks by name, and what is wrong with the others."""

    playbooks: dict[str, Playbook]
    problems: tuple[Problem, ...] = ()


def load_playbooks(places: Iterable[Path], actions: Collection[str], *, shipped: bool = True) -> PlaybookSet:
    """Every playbook that ships and those in these folders; a file that cannot be used is a problem.

    Args:
        places: folders, whose YAML files are read; of one that is not there the problem is told.
        actions: the names that there are.
        shipped: whether those that ship count; one of your own with the same name takes the place of it.
    """
    problems: list[Problem] = []
    found: dict[str, Playbook] = {}
    if shipped:
        folder = resources.files("trailwatch.respond") / "playbooks"
        for file in sorted(folder.iterdir(), key=lambda file: file.name):
            if file.name.endswith(SUFFIXES):
                one = parse_playbook(file.read_text(encoding="utf-8"), f"playbooks/{file.name}", actions)
                found[one.name] = one
    own: dict[str, Playbook] = {}
    for path, text in _read(places, problems):
        try:
            one = parse_playbook(text, str(path), actions)
        except RuleError as error:
            problems.append(Problem(error.origin, str(error).removeprefix(f"{error.origin}: "), error=True))
            continue
        if one.name in own:
            taken = f"the name {one.name!r} is taken by {own[one.name].origin}; give it another"
            problems.append(Problem(one.origin, taken, error=True))
            continue
        own[one.name] = one
    return PlaybookSet(dict(sorted({**found, **own}.items())), tuple(problems))


def parse_playbook(text: str, path: str, actions: Collection[str]) -> Playbook:
    """The playbook that a file holds.

    Raises:
        RuleError: it is none; the first thing that is wrong, with its place.
    """
    from trailwatch.rules.sigma_yaml import read_documents

    try:
        documents = read_documents(text, path)
    except ValueError as error:
        place, _, what = str(error).partition(": ")
        raise RuleError(f"{path}:{place}", what, "correct it") from None
    if len(documents) != 1:
        raise RuleError(f"{path}:1:1", f"expected one playbook, got {len(documents)}", "write one file for each")
    return _playbook(documents[0], actions)


def _read(places: Iterable[Path], problems: list[Problem]) -> Iterator[tuple[Path, str]]:
    for place in places:
        try:
            names = sorted(path for path in place.iterdir() if path.suffix in SUFFIXES)
            for path in (path for path in names if not path.name.startswith(".")):
                if path.stat().st_size > LONGEST_FILE:
                    problems.append(Problem(f"{path}:1:1", f"larger than {LONGEST_FILE} bytes", error=True))
                    continue
                yield path, path.read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            problems.append(Problem(str(place), f"cannot be read: {error}", error=True))


def _playbook(document: Document, actions: Collection[str]) -> Playbook:
    data = document.data
    if not isinstance(data, dict):
        raise RuleError(document.at(), f"expected a mapping, got {data!r:.80}", "write name, description, actions")
    for place, key in document.duplicates():
        raise RuleError(place, f'key "{key}" stands twice in its mapping', "keep one")
    for key in data:
        if key not in KEYS:
            hint = meant(str(key), KEYS) or "it may have " + ", ".join(sorted(KEYS))
            raise RuleError(document.at(key), f"unknown key {key!r:.80}", hint)
    for key in REQUIRED:
        if key not in data:
            raise RuleError(document.at(), f"{key} is missing", "add it")
    one = Playbook(
        name=_text(document, "name"),
        description=_text(document, "description"),
        answers=_texts(document, "answers"),
        condition=_condition(document),
        actions=_texts(document, "actions"),
        humans=_texts(document, "humans"),
        origin=document.at().rpartition(":")[0],
    )
    for at, name in enumerate(one.actions):
        if name not in actions:
            hint = meant(name, actions) or "there are " + ", ".join(sorted(actions))
            raise RuleError(document.at("actions", at), f"there is no action {name!r:.80}", hint)
    if not one.actions and not one.humans:
        raise RuleError(document.at(), "it does nothing", "add actions, or humans for what only people can do")
    return one


def _text(document: Document, key: str) -> str:
    value = document.data[key]
    if not isinstance(value, str) or not value.strip():
        raise RuleError(document.at(key), f"expected a text for {key}, got {value!r:.80}", "write one, in quotes")
    return value.strip()


def _texts(document: Document, key: str) -> tuple[str, ...]:
    if key not in document.data:
        return ()
    value = document.data[key]
    items: Sequence[Any] = value if isinstance(value, list) else [value]
    for at, item in enumerate(items):
        if not isinstance(item, str) or not item.strip():
            place = document.at(key, at) if isinstance(value, list) else document.at(key)
            raise RuleError(place, f"expected a text in {key}, got {item!r:.80}", "put it in quotes")
    return tuple(item.strip() for item in items)


def _condition(document: Document) -> Predicate:
    if "when" not in document.data:
        return Const(value=True)
    selection: Any = document.data["when"]
    if not isinstance(selection, dict | list) or not selection:
        remedy = "write field: value below it"
        raise RuleError(document.at("when"), f"expected a mapping or a list of them, got {selection!r:.80}", remedy)
    from trailwatch.rules.selection import condition_of

    return condition_of(document, selection, "when")
