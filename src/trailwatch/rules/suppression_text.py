"""Suppressions as text: a new file each, never an edit of another. Values come from logs; nothing in them is wild."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from trailwatch.errors import ConfigError
from trailwatch.rules.suppression import Suppression
from trailwatch.rules.suppression_files import LONGEST_NAME, parse_suppression

_WILD = re.compile(r"[\\*?]")
_NO_STEM = re.compile(r"[^a-z0-9]+")
_LONGEST_STEM = 60
_FILES_TRIED = 100


class Draft(msgspec.Struct, frozen=True):
    """What is to be written."""

    name: str
    owner: str
    reason: str
    expires: str
    """The last day on which it holds, such as `2027-01-31`."""
    rules: tuple[str, ...]
    accounts: tuple[str, ...] = ()
    actor: tuple[str, ...] = ()
    """Literal names; what is wild in a pattern is escaped."""
    networks: tuple[str, ...] = ()
    selection: tuple[Mapping[str, str | Sequence[str]], ...] = ()
    """Field, with its modifiers, to literal values; one of the mappings must hold."""


def text_of(draft: Draft) -> str:
    """The file's text, which reads back as what it says.

    Raises:
        RuleError: a suppression cannot be like that, such as one of every rule without any condition.
    """
    import yaml

    content: dict[str, Any] = {
        "name": draft.name[:LONGEST_NAME],
        "owner": draft.owner,
        "reason": draft.reason,
        "expires": draft.expires,
        "rules": list(draft.rules),
        "accounts": list(draft.accounts),
        "actor": [literal(name) for name in draft.actor],
        "networks": list(draft.networks),
        "selection": [_selection(one) for one in draft.selection],
    }
    text = yaml.safe_dump({key: value for key, value in content.items() if value}, sort_keys=False, width=100)
    parse_suppression(text, draft.name)
    return text


def literal(value: str) -> str:
    """The value as a pattern that only it satisfies."""
    return _WILD.sub(lambda found: "\\" + found[0], value)


def parsed(draft: Draft) -> Suppression:
    """The suppression as it will be read."""
    return parse_suppression(text_of(draft), draft.name)


def write_new(folder: Path, text: str, stem: str) -> Path:
    """The new file; no file that is there is touched.

    Args:
        folder: made where it is not there.
        text: from `text_of`.
        stem: what the file's name is made of; anything.

    Raises:
        ConfigError: the folder cannot be written.
    """
    plain = _NO_STEM.sub("-", stem.lower()).strip("-")[:_LONGEST_STEM].strip("-") or "suppression"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, _FILES_TRIED):
            path = folder / (f"{plain}.yml" if number == 1 else f"{plain}-{number}.yml")
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            except FileExistsError:
                continue
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            return path
    except OSError as error:
        raise ConfigError(
            str(folder), f"cannot be written: {error.strerror}", "put the text there yourself"
        ) from error
    raise ConfigError(str(folder / f"{plain}.yml"), "there are a hundred such files", "give it another name")


def _selection(one: Mapping[str, str | Sequence[str]]) -> dict[str, Any]:
    return {
        field: literal(value) if isinstance(value, str) else [literal(item) for item in value]
        for field, value in one.items()
    }
