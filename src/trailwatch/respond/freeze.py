"""The freeze: a file beside the state file; while it is there, nothing is changed at AWS."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from trailwatch.errors import StoreError

NAME = "respond.frozen"
_LONGEST = 1000


class Freeze(Protocol):
    """One place where responses are frozen."""

    def frozen(self) -> str:
        """Why responses are frozen; empty where they are not."""

    def freeze(self, who: str, why: str) -> None:
        """Freezes, also where it is frozen already.

        Raises:
            StoreError: it cannot be kept; likewise from `thaw`.
        """

    def thaw(self) -> bool:
        """Whether it was frozen; it is not any more."""


class FileFreeze:
    """The file of a state file, as `Freeze`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def frozen(self) -> str:
        return frozen(self._path)

    def freeze(self, who: str, why: str) -> None:
        freeze(self._path, who, why)

    def thaw(self) -> bool:
        return thaw(self._path)


def first_reason(freezes: Iterable[Freeze]) -> str:
    """Why responses are frozen, by the first place that says so; empty where none does."""
    return next((reason for one in freezes if (reason := one.frozen())), "")


def freeze_path(state: Path) -> Path:
    """The file for a state file."""
    return state.parent / NAME


def frozen(path: Path) -> str:
    """Why responses are frozen; empty where they are not. A file that cannot be read freezes, too."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")[:_LONGEST].strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"responses count as frozen, because {path} cannot be read: {error.strerror}"
    return f"responses are frozen: {text}" if text else "responses are frozen"


def freeze(path: Path, who: str, why: str) -> None:
    """Freezes, also where it is frozen already.

    Raises:
        StoreError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"by {who}" + (f": {why}" if why else "") + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(str(path), f"cannot be written: {error.strerror}", "check the folder's rights") from error


def thaw(path: Path) -> bool:
    """Whether it was frozen; it is not any more.

    Raises:
        StoreError: the file cannot be removed.
    """
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(str(path), f"cannot be removed: {error.strerror}", "check the folder's rights") from error
    return True
