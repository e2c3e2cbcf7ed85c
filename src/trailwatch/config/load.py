"""Settings from flags, environment, file and defaults, in that order, each with where it came from."""

from __future__ import annotations

import functools
import tomllib
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from trailwatch.config.kinds import Bytes, Seconds
from trailwatch.config.notifiers import NotifySettings, Route
from trailwatch.config.routes import problems_of
from trailwatch.config.schema import Account, Config
from trailwatch.config.units import parse_duration, parse_size
from trailwatch.errors import ConfigError

ENVIRONMENT_PREFIX = "TRAILWATCH_"
NOT_SETTINGS = frozenset({"TRAILWATCH_CONFIG"})
SUPPRESSIONS = "suppressions.d"
"""The folder of suppressions beside the configuration file."""
PLAYBOOKS = "playbooks.d"
"""The folder of playbooks beside it."""
LISTS = ("account", "notify", "route")
"""Settings that are lists of tables."""
NOTIFIERS: dict[str, type[msgspec.Struct]] = {
    str(kind.__struct_config__.tag): kind for kind in typing.get_args(NotifySettings)
}
"""`type` of a `[[notify]]` table -> its settings."""


class Setting(msgspec.Struct, frozen=True):
    """One value and its origin: `default`, `TRAILWATCH_...`, `--flag` or the file."""

    value: Any
    origin: str


class Loaded(msgspec.Struct, frozen=True):
    """The configuration, and for each dotted name its value with its origin."""

    config: Config
    settings: dict[str, Setting]
    path: Path | None
    """The file that was read, or None where there is none."""


def find_file(explicit: str | None, environment: Mapping[str, str]) -> Path | None:
    """The file to read: `--config`, then TRAILWATCH_CONFIG, XDG_CONFIG_HOME, /etc; never the current directory.

    Raises:
        ConfigError: a file was named and is not there.
    """
    named = explicit or environment.get("TRAILWATCH_CONFIG")
    if named:
        path = Path(named)
        if not path.is_file():
            raise ConfigError(named, "no such configuration file", "correct --config or TRAILWATCH_CONFIG")
        return path
    return next((path for path in usual_places(environment) if path.is_file()), None)


def usual_places(environment: Mapping[str, str]) -> tuple[Path, Path]:
    """Where a configuration file is looked for when none is named, the user's own first."""
    home = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME", "/")) / ".config")
    return Path(home) / "trailwatch" / "trailwatch.toml", Path("/etc/trailwatch/trailwatch.toml")


def load(explicit: str | None, environment: Mapping[str, str], flags: Mapping[str, Any] | None = None) -> Loaded:
    """All settings.

    Args:
        explicit: the value of `--config`, or None.
        environment: the process's environment; `TRAILWATCH_CHECK_PACE=1s` sets `check.pace`.
        flags: dotted name -> value from the command line.

    Raises:
        ConfigError: everything that is wrong, one line each.
    """
    path = find_file(explicit, environment)
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if path is not None:
        layers.append((str(path), _read(path)))
    gathering = _Gathering()
    for origin, tables in layers:
        gathering.take_tables(origin, tables)
    for name, value in _from_environment(environment):
        gathering.take_text(name, value)
    for dotted, value in (flags or {}).items():
        gathering.take(dotted, value, f"--{dotted.split('.')[-1].replace('_', '-')}")
    if path is not None:
        gathering.place_suppressions(path)
        gathering.place_playbooks(path)
    return Loaded(config=gathering.config(), settings=gathering.settings(), path=path)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(str(path), f"cannot be read as TOML: {error}", "correct that line") from error


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in sorted(environment):
        if name.startswith(ENVIRONMENT_PREFIX) and name not in NOT_SETTINGS:
            yield name, environment[name]


def scalar_settings() -> dict[str, Any]:
    """Dotted name -> annotated type of every setting that is one value, not a list of tables."""
    return {dotted: kind for dotted, kind in _below(Config) if dotted not in LISTS}


def _below(section: type) -> Iterator[tuple[str, Any]]:
    for name, kind in _hints(section).items():
        if _is_section(kind):
            yield from ((f"{name}.{dotted}", inner) for dotted, inner in _below(kind))
        else:
            yield name, kind


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


class _Gathering:
    """Takes values layer by layer, remembers origins and gathers every problem."""

    def __init__(self) -> None:
        self._kinds = scalar_settings()
        self._values: dict[str, Setting] = {}
        self._lists: dict[str, tuple[Any, ...]] = dict.fromkeys(LISTS, ())
        self._problems: list[str] = []

    def take_tables(self, origin: str, tables: Mapping[str, Any]) -> None:
        for key, value in tables.items():
            if key in self._lists:
                self._lists[key] = tuple(self._list_item(origin, key, at, item) for at, item in _numbered(value))
            else:
                self._take_section(key, value, origin)

    def _take_section(self, dotted: str, value: Any, origin: str) -> None:
        within = f"{dotted}."
        if isinstance(value, Mapping) and any(name.startswith(within) for name in self._kinds):
            for name, setting in value.items():
                self._take_section(within + name, setting, origin)
        else:
            self.take(dotted, value, origin)

    def take_text(self, variable: str, text: str) -> None:
        """A value from the environment: its type is the setting's, lists are separated by commas."""
        known = {ENVIRONMENT_PREFIX + name.upper().replace(".", "_"): name for name in self._kinds}
        if variable not in known:
            self._refuse(variable, f"unknown setting{_suggest(variable, known)}", "correct or unset it")
            return
        dotted = known[variable]
        kind = self._kinds[dotted]
        value: Any = text
        if kind is bool:
            value = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(
                text.lower(), text
            )
        elif kind is int:
            value = int(text) if text.lstrip("-").isdigit() else text
        elif typing.get_origin(kind) is tuple:
            value = [part.strip() for part in text.split(",") if part.strip()]
        self.take(dotted, value, variable)

    def take(self, dotted: str, value: Any, origin: str) -> None:
        if dotted not in self._kinds:
            self._refuse(
                f"{origin}: {dotted}", f"unknown setting{_suggest(dotted, self._kinds)}", "correct or remove it"
            )
            return
        try:
            self._values[dotted] = Setting(_convert(value, self._kinds[dotted]), origin)
        except (ValueError, msgspec.ValidationError) as error:
            self._refuse(f"{origin}: {dotted}", _with_value(str(error), value), "correct it")

    def place_suppressions(self, path: Path) -> None:
        """Their folders are relative to the configuration file, which they belong to."""
        beside = path.absolute().parent
        folder = self._values.get("suppressions.folder")
        named = Path(folder.value).expanduser() if folder and folder.value else Path(SUPPRESSIONS)
        origin = folder.origin if folder else f"beside {path}"
        self._values["suppressions.folder"] = Setting(str(beside / named), origin)
        dirs = self._values.get("suppressions.dirs")
        if dirs is not None:
            placed = tuple(str(beside / Path(one).expanduser()) for one in dirs.value)
            self._values["suppressions.dirs"] = Setting(placed, dirs.origin)

    def place_playbooks(self, path: Path) -> None:
        """Their folder is beside the configuration file."""
        folder = self._values.get("respond.playbooks")
        named = Path(folder.value).expanduser() if folder and folder.value else Path(PLAYBOOKS)
        origin = folder.origin if folder else f"beside {path}"
        self._values["respond.playbooks"] = Setting(str(path.absolute().parent / named), origin)

    def _list_item(self, origin: str, key: str, at: int, item: Any) -> Any:
        where = f"{origin}: {key}[{at}]"
        if not isinstance(item, Mapping):
            self._refuse(where, f"expected a table, got {item!r}", f"write [[{key}]]")
            return None
        kind: type[msgspec.Struct] = Route if key == "route" else Account
        if key == "notify":
            named = item.get("type")
            if named not in NOTIFIERS:
                choices = ", ".join(sorted(NOTIFIERS))
                self._refuse(
                    f"{where}.type",
                    f"unknown notifier {named!r}{_suggest(str(named), NOTIFIERS)}",
                    f"use one of {choices}",
                )
                return None
            kind = NOTIFIERS[named]
        hints = _hints(kind)
        fields: dict[str, Any] = {}
        for name, value in item.items():
            if name == "type" and key == "notify":
                continue
            if name not in hints:
                self._refuse(f"{where}.{name}", f"unknown setting{_suggest(name, hints)}", "correct or remove it")
                continue
            try:
                fields[name] = _convert(value, hints[name])
            except (ValueError, msgspec.ValidationError) as error:
                self._refuse(f"{where}.{name}", _with_value(str(error), value), "correct it")
        missing = [f.name for f in msgspec.structs.fields(kind) if f.required and f.name not in item]
        for name in missing:
            self._refuse(where, f"{name} is missing", "add it")
        return None if missing or self._problems else kind(**fields)

    def _refuse(self, origin: str, what: str, remedy: str) -> None:
        self._problems.append(str(ConfigError(origin, what, remedy)))

    def config(self) -> Config:
        if self._problems:
            raise ConfigError("", "\n".join(self._problems))
        config: Config = msgspec.structs.replace(self._section(Config, ""), **self._lists)
        if problems := problems_of(config):
            raise ConfigError("", "\n".join(str(problem) for problem in problems))
        return config

    def _section(self, kind: Any, prefix: str) -> Any:
        """The section with the values that were given, and defaults for the others."""
        given: dict[str, Any] = {}
        for name, hint in _hints(kind).items():
            if _is_section(hint):
                given[name] = self._section(hint, f"{prefix}{name}.")
            elif prefix + name in self._values:
                given[name] = self._values[prefix + name].value
        return kind(**given)

    def settings(self) -> dict[str, Setting]:
        defaults = Config()
        found = {}
        for dotted in self._kinds:
            default = functools.reduce(getattr, dotted.split("."), defaults)
            found[dotted] = self._values.get(dotted, Setting(default, "default"))
        return found


def _numbered(value: Any) -> Iterator[tuple[int, Any]]:
    return iter(enumerate(value if isinstance(value, list) else [value], start=1))


def _convert(value: Any, kind: Any) -> Any:
    return msgspec.convert(_with_units(value, kind), kind)


def _with_units(value: Any, kind: Any) -> Any:
    """The value with durations and sizes as numbers, also in tables of tables."""
    if isinstance(value, str) and kind == Seconds:
        return parse_duration(value)
    if isinstance(value, str) and kind == Bytes:
        return parse_size(value)
    inner = typing.get_args(kind)[1] if typing.get_origin(kind) is dict else None
    if isinstance(value, Mapping) and inner is not None and _is_section(inner):
        hints = _hints(inner)
        return {
            name: {key: _with_units(one, hints.get(key)) for key, one in table.items()}
            if isinstance(table, Mapping)
            else table
            for name, table in value.items()
        }
    return value


def _with_value(problem: str, value: Any) -> str:
    text = problem[:1].lower() + problem[1:]
    return text if repr(value) in text else f"{text}, with {value!r}"


def _suggest(name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    import difflib  # only who made a mistake pays for it

    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
