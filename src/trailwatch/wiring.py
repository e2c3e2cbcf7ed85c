"""Config -> objects: where parts are put together. Imports are lazy; a cron run pays for what it uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trailwatch.config.notifiers import Console, NotifySettings
from trailwatch.config.schema import AddressSettings, Config
from trailwatch.errors import ConfigError
from trailwatch.model.severity import Severity

if TYPE_CHECKING:
    from datetime import tzinfo
    from typing import TextIO

    from trailwatch.announcing import Announcer
    from trailwatch.archive import Archive
    from trailwatch.archive.retention import Removed
    from trailwatch.detect.engine import Engine
    from trailwatch.detect.profile import Profile
    from trailwatch.detect.routing import Routing
    from trailwatch.detect.suppress import Suppressor
    from trailwatch.detect.surroundings import Surroundings
    from trailwatch.enrich.addresses import Addresses
    from trailwatch.ports import AddressBook, Notifier
    from trailwatch.relay import Policy
    from trailwatch.rules.rule import RuleSet
    from trailwatch.rules.suppression import Suppression
    from trailwatch.rules.suppression_files import SuppressionSet
    from trailwatch.store.store import Retention, Store

DEFAULT_NOTIFIER = Console(name="console")
"""Who is told when the configuration names nobody: the terminal, or cron's own mail."""


def state_path(config: Config, environment: Mapping[str, str]) -> Path:
    """The state file's path; nothing is created."""
    if config.store.path:
        return Path(config.store.path).expanduser()
    return _below_home(environment, "XDG_STATE_HOME", ".local/state") / "trailwatch" / "state.sqlite3"


def archive_path(config: Config, environment: Mapping[str, str]) -> Path:
    """The archive's folder; nothing is created."""
    if config.archive.path:
        return Path(config.archive.path).expanduser()
    return state_path(config, environment).parent / "archive"


def cache_path(environment: Mapping[str, str]) -> Path:
    """The folder of what can be made again, such as compiled rules."""
    return _below_home(environment, "XDG_CACHE_HOME", ".cache") / "trailwatch"


def _below_home(environment: Mapping[str, str], variable: str, otherwise: str) -> Path:
    return Path(environment.get(variable) or Path(environment.get("HOME", "/")) / otherwise)


def open_store(config: Config, environment: Mapping[str, str]) -> Store:
    """The store over the configured state file, made and migrated where needed."""
    from trailwatch.store.database import Database
    from trailwatch.store.store import Store

    return Store(Database(state_path(config, environment)))


def prune_archive(config: Config, environment: Mapping[str, str], now: int) -> Removed:
    """Removes from the archive what is older than `archive.keep`."""
    from trailwatch.archive.retention import Removed, prune

    if not config.archive.keep:
        return Removed()
    return prune(archive_path(config, environment), now - int(config.archive.keep))


def archive_of(config: Config, environment: Mapping[str, str]) -> Archive | None:
    """The archive, or None where the configuration turns it off."""
    if not config.archive.enabled:
        return None
    from trailwatch.archive import Archive

    return Archive(archive_path(config, environment))


def load_ruleset(
    config: Config,
    environment: Mapping[str, str],
    *,
    dirs: Sequence[Path] = (),
    only: Sequence[str] = (),
    profile: str | None = None,
    pipelines: Sequence[Path] = (),
    examples: bool = False,
) -> RuleSet:
    """The rules that the configuration and a command's options ask for, with their examples where they are wanted."""
    from trailwatch.rules.catalog import load_rules

    return load_rules(
        [*(Path(folder).expanduser() for folder in config.rules.dirs), *dirs],
        shipped=config.rules.shipped,
        profile=profile or config.rules.profile,
        disabled=config.rules.disabled,
        only=only,
        cache_dir=cache_path(environment) / "rules",
        placeholders=config.rules.placeholders,
        pipelines=[*(Path(file).expanduser() for file in config.rules.pipelines), *pipelines],
        examples=examples,
    )


def load_suppressions(
    config: Config, environment: Mapping[str, str], places: Sequence[Path] | None = None
) -> SuppressionSet:
    """The suppressions that the configuration names, or those in `places` alone where they are given."""
    if places is None:
        places = suppression_places(config)
    from trailwatch.rules.suppression_files import SuppressionSet, load_suppressions

    if not places:
        return SuppressionSet()
    return load_suppressions(places, cache_dir=cache_path(environment) / "suppressions")


def suppression_places(config: Config) -> list[Path]:
    """The folders of suppressions; the first one is made by the first that is written, and need not be there."""
    settings = config.suppressions
    folder = Path(settings.folder).expanduser()
    there = [folder] if settings.folder and folder.exists() else []
    return [*there, *(Path(one).expanduser() for one in settings.dirs)]


def suppressor_of(config: Config, suppressions: Sequence[Suppression]) -> Suppressor:
    """What asks these suppressions, with the tables of addresses that there are."""
    from trailwatch.detect.suppress import Suppressor

    return Suppressor(suppressions, addresses_of(config))


def retention_of(config: Config) -> Retention:
    """How long each table remembers."""
    from trailwatch.store.store import LEAST_SIGHTINGS, LEAST_STAYS, Retention

    kept = config.retention
    return Retention(
        seen=int(kept.seen),
        alerts=int(kept.alerts),
        signals=int(kept.signals),
        messages=int(kept.messages),
        rejects=int(kept.rejects),
        suppressed=int(kept.suppressed),
        links=int(kept.links),
        sightings=max(int(kept.sightings), LEAST_SIGHTINGS),
        dormant=max(int(kept.dormant), LEAST_SIGHTINGS),
        stays=max(int(kept.stays), LEAST_STAYS),
    )


def engine_of(
    ruleset: RuleSet,
    *,
    silent: bool = False,
    tables: AddressBook | None = None,
    links: bool = True,
    gathered: bool = False,
    profile: Profile | None = None,
) -> Engine:
    """The engine; `silent` where nobody asks for matches of rules that only feed others."""
    from trailwatch.detect.engine import Engine

    return Engine(ruleset, silent=silent, tables=tables, links=links, gathered=gathered, profile=profile)


def addresses_of(config: Config, callers: Sequence[str] = ()) -> Surroundings:
    """The tables of addresses, read when the first is asked for, with own accounts and what trailwatch leans on.

    Args:
        config: all settings.
        callers: ARNs that trailwatch's own credentials stand for.
    """
    import msgspec

    from trailwatch.detect.surroundings import Surroundings

    own = (account.role_arn for account in config.account if account.role_arn)
    things = {**msgspec.structs.asdict(config.self), "role": (*config.self.role, *own)}
    return Surroundings(
        tables_of(config),
        accounts=config.organization.accounts,
        organizations=config.organization.ids,
        things=things,
        callers=callers,
        bare=config.addresses == AddressSettings(),
    )


def tables_of(config: Config) -> Addresses:
    """The tables of addresses alone, to ask what is wrong with them."""
    from trailwatch.enrich.addresses import Addresses

    return Addresses(config.addresses)


def notify_settings(config: Config) -> tuple[NotifySettings, ...]:
    return config.notify or (DEFAULT_NOTIFIER,)


def routes_of(config: Config) -> dict[str, Severity]:
    """For each notifier, the least severity that is sent there.

    Raises:
        ConfigError: two notifiers have one name.
    """
    routes: dict[str, Severity] = {}
    for settings in notify_settings(config):
        if settings.name in routes:
            raise ConfigError("notify", f"two notifiers are called {settings.name!r}", "give each a name of its own")
        routes[settings.name] = settings.min_severity
    return routes


def notifiers_of(
    config: Config, environment: Mapping[str, str], stream: TextIO, *, strict: bool = False
) -> dict[str, Notifier]:
    """Every notifier by name.

    Args:
        config: all settings.
        environment: the process's variables.
        stream: where a console notifier writes.
        strict: whether one that cannot be made is an error at once; otherwise it is when it should send.

    Raises:
        ConfigError: with `strict`, a notifier cannot be made.
    """
    from trailwatch.notify.table import Making, notifier_of, notifier_or_reason

    making, make = Making(environment, stream, zone_of(config)), notifier_of if strict else notifier_or_reason
    return {settings.name: make(settings, making) for settings in notify_settings(config)}


def check_notifiers(config: Config, environment: Mapping[str, str]) -> None:
    """Fails now rather than when the first alert has to leave.

    Raises:
        ConfigError: a secret cannot be had, or what a notifier needs is not installed.
    """
    from trailwatch.notify.table import check

    routes_of(config)
    for settings in config.notify:
        check(settings, environment)


def routing_of(config: Config) -> Routing:
    """Which notifiers get which alerts, and which of them hear of trailwatch itself."""
    from trailwatch.detect.routing import Routing

    routes_of(config)
    return Routing.of(notify_settings(config), config.route)


def announcer_of(config: Config, store: Store) -> Announcer:
    """What decides what is told, through which notifier and when."""
    from trailwatch.announcing import Announcer

    return Announcer(store, routing_of(config), config.telling, zone_of(config))


def relay_policy_of(config: Config) -> Policy:
    """What is done about messages that cannot be delivered."""
    from trailwatch.relay import Policy

    telling = config.telling
    return Policy(telling.give_up, telling.attempts, telling.fallback, tuple(routing_of(config).notices()))


def zone_of(config: Config) -> tzinfo | None:
    """The zone for local times; None stands for the machine's.

    Raises:
        ConfigError: there is no such zone.
    """
    if not config.timezone:
        return None
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(config.timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(
            "timezone", f"no such time zone: {config.timezone!r}", "use a name such as Europe/Madrid"
        ) from error
