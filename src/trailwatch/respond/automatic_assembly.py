"""From the configuration to automatic response."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from trailwatch.config.schema import Config
from trailwatch.errors import ConfigError
from trailwatch.model.alert import Evidence
from trailwatch.model.case import Case
from trailwatch.ports import AddressBook
from trailwatch.respond.assembly import IN_PLAYBOOKS, Responding
from trailwatch.respond.automatic import Automatic
from trailwatch.respond.cases import Answer, Cases
from trailwatch.respond.choose import Chooser
from trailwatch.respond.playbook import Playbook, PlaybookSet
from trailwatch.respond.reach import Children
from trailwatch.respond.sieve import Sieve


def automatic_of(
    config: Config,
    tools: Responding,
    cases: Cases,
    book: AddressBook | None,
    callers: Callable[[], Sequence[str]],
    answers: Callable[[Case], Answer | None],
    *,
    stopped: Callable[[], str] | None = None,
    find: Callable[[Evidence], bytes | None] = lambda _evidence: None,
    children: Children = lambda _node: (),
) -> Automatic:
    """Automatic response as the configuration wants it.

    Args:
        config: all settings.
        tools: what plans are made with and carried out with.
        cases: where cases are kept.
        book: the tables of addresses, for the conditions of playbooks.
        callers: gives the ARNs of whom trailwatch reads as, besides those that the configuration names.
        answers: what people said to a case that waits.
        stopped: the freeze, where it is another one than that of `tools`.
        find: the record of an event of which an alert has only the id.
        children: what came of an identity.

    Raises:
        ConfigError: a playbook that may run by itself cannot be used.
    """
    equipment = tools.equipment
    if stopped is not None:
        equipment = msgspec.structs.replace(equipment, stopped=stopped)
    chooser = Chooser(enabled_playbooks(config, tools.playbooks), IN_PLAYBOOKS, book)
    return Automatic(
        config.respond.automatic,
        Sieve(config.respond.automatic, chooser, find, children),
        cases,
        tools.drafting,
        equipment,
        lambda: (*own_arns(config), *callers()),
        answers,
    )


def own_arns(config: Config) -> list[str]:
    """Whom the configuration names as trailwatch itself; who acts at AWS is asked besides."""
    roles = [*(one.role_arn for one in config.account), *(one.role_arn for one in config.respond.account)]
    return [role for role in (*roles, *config.self.role) if role]


def enabled_playbooks(config: Config, known: PlaybookSet) -> dict[str, Playbook]:
    """The playbooks that may run by themselves, by name.

    Raises:
        ConfigError: one of them cannot be used.
    """
    enabled = {}
    for name in config.respond.automatic.playbooks:
        if name not in known.playbooks:
            why = next((f": {one.text}" for one in known.problems if name in one.origin), "")
            raise ConfigError(
                f"respond.automatic.playbooks.{name}",
                f"there is no such playbook{why}",
                f"there are {', '.join(sorted(known.playbooks))}",
            )
        enabled[name] = known.playbooks[name]
    return enabled
