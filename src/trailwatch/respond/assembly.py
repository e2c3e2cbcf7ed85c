"""From the configuration to everything that responses work with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from trailwatch.archive import Archive
from trailwatch.config.schema import Account, Config
from trailwatch.errors import ActionError, ConfigError, UsageError
from trailwatch.model.response import Target, TargetKind
from trailwatch.ports import Action, AddressBook, Clock, Cloud, Journal
from trailwatch.respond.actions.catalog import ACTIONS, BY_HAND
from trailwatch.respond.apply import Equipment
from trailwatch.respond.choose import Chooser
from trailwatch.respond.cloud import AwsCloud
from trailwatch.respond.freeze import frozen
from trailwatch.respond.guard import protection
from trailwatch.respond.held import held_of
from trailwatch.respond.past import ArchivePast
from trailwatch.respond.plan import Drafting
from trailwatch.respond.playbook import PlaybookSet, load_playbooks
from trailwatch.respond.policies import untouchable

IN_PLAYBOOKS: dict[str, Action] = {name: action for name, action in ACTIONS.items() if name not in BY_HAND}
"""The actions that playbooks may name."""


class Responding(NamedTuple):
    """Everything that responses work with."""

    cloud: AwsCloud
    playbooks: PlaybookSet
    chooser: Chooser
    drafting: Drafting
    equipment: Equipment


def responding(
    config: Config,
    journal: Journal,
    archive: Archive | None,
    book: AddressBook | None,
    freeze: Path,
    clock: Clock,
    own: Iterable[str] = (),
) -> Responding:
    """What plans are made with and carried out with, by the configuration.

    Args:
        config: the settings.
        journal: where it is kept what was done.
        archive: what was polled; None where nothing is kept.
        book: the tables of addresses, for the conditions of playbooks.
        freeze: the file of the freeze.
        clock: the time.
        own: ARNs of whom trailwatch reads as, besides those that the settings name.

    Raises:
        ConfigError: an account stands twice, or there is no such profile.
    """
    cloud = cloud_of(config, clock)
    playbooks, past = playbooks_of(config), ArchivePast(archive)
    return Responding(
        cloud=cloud,
        playbooks=playbooks,
        chooser=Chooser(playbooks.playbooks, ACTIONS, book, past.record),
        drafting=Drafting(ACTIONS, cloud, past, Refusal(config, cloud, own)),
        equipment=Equipment(
            journal=journal,
            cloud=cloud,
            actions=ACTIONS,
            clock=clock,
            stopped=lambda: frozen(freeze),
            margin_seconds=config.respond.margin,
            recheck_seconds=config.respond.recheck,
        ),
    )


def playbooks_of(config: Config) -> PlaybookSet:
    """The playbooks that ship and those of the user's folder, if that is there."""
    settings = config.respond
    folder = Path(settings.playbooks).expanduser()
    places = [folder] if settings.playbooks and folder.is_dir() else []
    return load_playbooks(places, IN_PLAYBOOKS, shipped=settings.shipped)


def cloud_of(config: Config, clock: Clock) -> AwsCloud:
    """The way into each account: its responder, else the ambient credentials.

    Raises:
        ConfigError: an account stands twice, or there is no such profile.
    """
    from trailwatch.aws import accesses

    responders = config.respond.account
    ids = [one.id for one in responders]
    double = next((one for one in ids if ids.count(one) > 1), "")
    if double:
        raise ConfigError("respond.account", f"account {double} stands twice", "keep one")
    named = [
        Account(
            name=f"responder in {one.id}", profile=one.profile, role_arn=one.role_arn, external_id=one.external_id
        )
        for one in responders
    ]
    opened = dict(zip(ids, accesses(named), strict=True)) if named else {}
    return AwsCloud(opened, accesses(())[0], clock)


class Refusal:
    """Says why somebody is never touched; asked about each target before anything is planned about it.

    Args:
        config: says whom to leave alone, and as whom trailwatch reads and acts.
        cloud: asked for the tags of users and roles.
        own: ARNs of whom trailwatch reads as, besides those that the settings name.
    """

    def __init__(self, config: Config, cloud: Cloud, own: Iterable[str] = ()) -> None:
        self._settings = config.respond.automatic
        self._own = (
            *(one.role_arn for one in config.account if one.role_arn),
            *(one.role_arn for one in config.respond.account if one.role_arn),
            *config.self.role,
            *own,
        )
        self._cloud = cloud
        self._said: dict[Target, str] = {}

    def __call__(self, target: Target) -> str:
        plain = Target(target.kind, target.account, target.name, target.region, target.of)
        if plain not in self._said:
            self._said[plain] = self._ask(plain)
        return self._said[plain]

    def _ask(self, target: Target) -> str:
        if target.kind is TargetKind.ROLE and untouchable(target.name, target.detail("path")):
            return ""  # its action says what can be done instead
        if target.kind is TargetKind.POLICY and untouchable(target.detail("role")):
            return ""
        try:
            return protection(held_of(target, self._cloud), self._settings, self._own)
        except ActionError as error:
            return f"whether it may be touched cannot be found out: {error}"


def refuse_problems(playbooks: PlaybookSet) -> None:
    """Nothing, where every playbook can be used.

    Raises:
        UsageError: one cannot; the first of them.
    """
    for problem in playbooks.problems:
        raise UsageError(problem.origin, problem.text, "correct it; `trailwatch respond playbooks` lists them all")
