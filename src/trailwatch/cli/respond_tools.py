"""What the commands of `trailwatch respond` have in common: the store, the way to AWS, and who asks."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from trailwatch.cli.main import Invocation
from trailwatch.errors import StoreError, UsageError
from trailwatch.model.severity import Severity

if TYPE_CHECKING:
    from trailwatch.archive import Archive
    from trailwatch.config.schema import Config
    from trailwatch.dynamo.table import Table
    from trailwatch.model.case import Case
    from trailwatch.model.response import Order
    from trailwatch.ports import Journal
    from trailwatch.respond.assembly import Responding
    from trailwatch.respond.cases import Cases
    from trailwatch.respond.freeze import Freeze
    from trailwatch.respond.request import Wish
    from trailwatch.store.store import Store

PLANS_SHOWN = 10


class Bench(NamedTuple):
    """Everything at hand."""

    config: Config
    store: Store
    archive: Archive | None
    tools: Responding
    journal: Journal


@contextmanager
def bench(invocation: Invocation) -> Iterator[Bench]:
    """Opens the store and the way to AWS; nothing is called yet."""
    import msgspec

    from trailwatch import wiring
    from trailwatch.clock import SystemClock
    from trailwatch.respond.assembly import responding
    from trailwatch.respond.freeze import first_reason, freeze_path

    config, environment = invocation.config(), invocation.environment
    archive = wiring.archive_of(config, environment)
    freeze = freeze_path(wiring.state_path(config, environment))
    with wiring.open_store(config, environment) as store:
        book = wiring.addresses_of(config)
        own = store.regions.callers()
        journal, freezes = journal_of(config, store), freezes_of(config, environment)
        tools = responding(config, journal, archive, book, freeze, SystemClock(), own)
        equipment = msgspec.structs.replace(tools.equipment, stopped=lambda: first_reason(freezes))
        yield Bench(config, store, archive, tools._replace(equipment=equipment), journal)


def journal_of(config: Config, store: Store) -> Journal:
    """What was done, also by the function whose table the configuration names."""
    table = _table(config)
    if table is None:
        return store.responses
    from trailwatch.dynamo.journal import TableJournal
    from trailwatch.respond.journals import Journals

    return Journals(store.responses, TableJournal(table))


def freezes_of(config: Config, environment: Mapping[str, str]) -> list[Freeze]:
    """Every place where responses are frozen: beside the state file, and in the function's table."""
    from trailwatch import wiring
    from trailwatch.respond.freeze import FileFreeze, freeze_path

    found: list[Freeze] = [FileFreeze(freeze_path(wiring.state_path(config, environment)))]
    table = _table(config)
    if table is not None:
        from trailwatch.dynamo.freeze import TableFreeze

        found.append(TableFreeze(table))
    return found


def cases_of(config: Config, store: Store) -> list[Cases]:
    """Every place where cases of automatic response are."""
    from trailwatch import wiring

    notices = [name for name, least in wiring.routes_of(config).items() if least <= Severity.HIGH]
    found: list[Cases] = [store.automatic.telling(notices)]
    table = _table(config)
    if table is not None:
        from trailwatch.dynamo.cases import TableCases

        found.append(TableCases(table))
    return found


def answer_case(invocation: Invocation, case_id: str, *, approved: bool) -> Case:
    """The case after the answer of whoever asks.

    Raises:
        UsageError: there is no such case, or it does not wait.
    """
    from datetime import UTC, datetime

    from trailwatch import wiring
    from trailwatch.respond.cases import Answer, decide

    config = invocation.config()
    with wiring.open_store(config, invocation.environment) as store:
        places = cases_of(config, store)
        home = next((one for one in places if one.find(case_id) is not None), places[0])
        return decide(home, case_id, Answer(approved, asking()), int(datetime.now(UTC).timestamp()))


def _table(config: Config) -> Table | None:
    if not config.aws_lambda.table:
        return None
    from trailwatch.dynamo.opening import configured_table

    return configured_table(config)


def asking() -> str:
    """Who asks, for the journal: login and host."""
    try:
        login = getpass.getuser()
    except (KeyError, OSError):
        login = f"uid {os.getuid()}"
    return f"{login}@{socket.gethostname()}"


def confirm(question: str, *, yes: bool) -> None:
    """Nothing, when it may go on.

    Raises:
        UsageError: there is nobody to ask.
        click.Abort: the answer was no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("--yes", "there is no terminal to ask at", "give --yes if you want it done")
    click.confirm(question, abort=True, err=True)


def target_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say more of WHAT."""
    for option in reversed(
        (
            click.option("--account", default="", help="Number of the account, for a name or key without one."),
            click.option(
                "--reset-password", is_flag=True, help="Also give the user a password that nobody knows. Final."
            ),
            click.option(
                "--remove-mfa",
                "devices",
                multiple=True,
                metavar="SERIAL",
                help="Also take this second factor away from the user; may be repeated. Final.",
            ),
        )
    ):
        function = option(function)
    return function


def wish_of(
    place: Bench, whats: Sequence[str], account: str, *, reset_password: bool, devices: tuple[str, ...]
) -> Wish:
    """What is to be done about everything that a person names, as one.

    Raises:
        StoreError: one is no alert and no incident, or more than one.
        UsageError: a final step was asked for about somebody who is no user.
    """
    from datetime import UTC, datetime

    import msgspec

    from trailwatch.respond.reach import not_read
    from trailwatch.respond.request import joined

    wishes = [_wish_of(place, one, account, reset_password=reset_password, devices=devices) for one in whats]
    unsure = not_read(place.store.coverage.lookups(), int(datetime.now(UTC).timestamp()))
    wish = joined(wishes)
    return msgspec.structs.replace(wish, notes=(*wish.notes, unsure)) if unsure and wish.chosen.orders else wish


def _wish_of(place: Bench, what: str, account: str, *, reset_password: bool, devices: tuple[str, ...]) -> Wish:
    """What is to be done about WHAT.

    Raises:
        StoreError: it is no alert and no incident, or more than one.
        UsageError: a final step was asked for about somebody who is no user.
    """
    from trailwatch.model.response import TargetKind
    from trailwatch.respond.request import is_name, named, wish_for_target

    children = _children(place.store)
    if not is_name(what):
        if reset_password or devices:
            raise UsageError(what, "what nobody can take back is done about a user that you name", "name user/NAME")
        return _wish_for_alerts(place, what)
    cloud = place.tools.cloud
    target = named(what, lambda: account or cloud.own_account(), cloud)
    if (reset_password or devices) and target.kind is not TargetKind.USER:
        raise UsageError(what, "only a user has a password and second factors", "name user/NAME")
    final = tuple(_final(target, reset_password=reset_password, devices=devices))
    return wish_for_target(target, children, cloud, final)


def _final(target: Any, *, reset_password: bool, devices: tuple[str, ...]) -> Iterator[Order]:
    import msgspec

    from trailwatch.model.response import Order

    if reset_password:
        yield Order("reset-password", target)
    for device in devices:
        yield Order("remove-mfa", msgspec.structs.replace(target, of=(("device", device),)))


def _children(store: Store) -> Callable[[str], Any]:
    from datetime import UTC, datetime

    from trailwatch.respond.reach import LONGEST_SESSION_SECONDS

    since = int(datetime.now(UTC).timestamp()) - LONGEST_SESSION_SECONDS
    return lambda node: store.lineage.children(node, since)


def _wish_for_alerts(place: Bench, what: str) -> Wish:
    from trailwatch.cli.alert_choice import find_alert, find_incident
    from trailwatch.cli.incidents import whole_incident
    from trailwatch.respond.assembly import refuse_problems
    from trailwatch.respond.request import wish_for_alerts

    refuse_problems(place.tools.playbooks)
    store, chooser, children = place.store, place.tools.chooser, _children(place.store)
    prefix = what.strip().lower()
    is_incident, is_alert = bool(store.incidents.find(prefix, 1)), bool(store.alerts.find(prefix, 1))
    if is_incident and is_alert:
        raise StoreError(what, "an alert and an incident begin so", "write more of it")
    if is_incident:
        incident = whole_incident(store, find_incident(store, what))
        return wish_for_alerts(f"incident {incident.id}", incident.alerts, incident, chooser, children)
    alert = find_alert(store, what)
    kept = store.incidents.get(alert.incident) if alert.incident else None
    incident_of_it = whole_incident(store, kept) if kept is not None else None
    return wish_for_alerts(f"alert {alert.id}", [alert], incident_of_it, chooser, children)


def find_plan(journal: Journal, prefix: str) -> str:
    """The id of the plan that begins so.

    Raises:
        StoreError: there is none, or more than one.
    """
    found = journal.find(prefix.strip().lower(), PLANS_SHOWN)
    if len(found) == 1:
        return found[0]
    where = f"plan {prefix!r}"
    if not found:
        raise StoreError(where, "the journal has none with this id", "`trailwatch respond status` lists them")
    raise StoreError(where, f"more than one begins so: {', '.join(found)}", "write more of it")
