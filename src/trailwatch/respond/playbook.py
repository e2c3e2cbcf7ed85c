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

from collections.abc import Collection, Iterable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from trailwatch.errors import RuleError
from trailwatch.rules.names import meant
from trailwatch.rules.predicate import Const, Predicate
from trailwatch.rules.reviewed_files import (
    SUFFIXES,
    condition_at,
    only_document,
    problem_of,
    text_at,
    texts_at,
    texts_in,
)
from trailwatch.rules.rule import Problem

if TYPE_CHECKING:
    from trailwatch.rules.sigma_yaml import Document

EVERY = "*"
REQUIRED = ("name", "description")
KEYS = frozenset({*REQUIRED, "answers", "when", "actions", "humans"})
MISSING = "there is no such folder of playbooks; correct respond.playbooks"


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
    for path, text in texts_in(places, MISSING, problems):
        try:
            one = parse_playbook(text, str(path), actions)
        except RuleError as error:
            problems.append(problem_of(error))
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
    return _playbook(only_document(text, path, "playbook", KEYS, REQUIRED), actions)


def _playbook(document: Document, actions: Collection[str]) -> Playbook:
    one = Playbook(
        name=text_at(document, "name"),
        description=text_at(document, "description"),
        answers=texts_at(document, "answers"),
        condition=condition_at(document, "when"),
        actions=texts_at(document, "actions"),
        humans=texts_at(document, "humans"),
        origin=document.at().rpartition(":")[0],
    )
    for at, name in enumerate(one.actions):
        if name not in actions:
            hint = meant(name, actions) or "there are " + ", ".join(sorted(actions))
            raise RuleError(document.at("actions", at), f"there is no action {name!r:.80}", hint)
    if not one.actions and not one.humans:
        raise RuleError(document.at(), "it does nothing", "add actions, or humans for what only people can do")
    return one
