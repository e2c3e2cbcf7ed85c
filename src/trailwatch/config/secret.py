"""Secrets: the configuration names where they are, in the environment or in a file, and never holds them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from trailwatch.config.notifiers import Outlet
from trailwatch.errors import ConfigError


def secret(
    where: str, variable: str, file: str, environment: Mapping[str, str], setting: str = "password"
) -> str | None:
    """The secret that settings name by variable or by file; None where they name none.

    Args:
        where: whose it is, for errors.
        variable: name of the environment variable; empty for none.
        file: path of the file; empty for none.
        environment: the process's variables.
        setting: what the settings call it: `password` for `password_env` and `password_file`.

    Raises:
        ConfigError: the variable is not set, or the file cannot be read.
    """
    if variable:
        value = environment.get(variable)
        if not value:
            raise ConfigError(
                where, f"the environment variable {variable} is not set", f"set it, or use {setting}_file"
            )
        return value
    if file:
        try:
            value = Path(file).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ConfigError(where, f"cannot read {file}: {reason}", f"correct {setting}_file") from error
        if not value:
            raise ConfigError(where, f"{file} is empty", f"write the {setting} into it")
        return value
    return None


def secret_of(outlet: Outlet, setting: str, environment: Mapping[str, str]) -> str | None:
    """A notifier's secret, such as its `password`.

    Raises:
        ConfigError: as `secret`.
    """
    variable, file = getattr(outlet, f"{setting}_env"), getattr(outlet, f"{setting}_file")
    return secret(f"notify {outlet.name}", variable, file, environment, setting)
