"""The files that rules are read from, each known by what it holds, so that what was compiled can be found again."""

from __future__ import annotations

import importlib.util
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from trailwatch.errors import RuleError
from trailwatch.rules.rule import Problem

SIGMA_SUFFIXES = (".yml", ".yaml")
PATTERN_SUFFIX = ".pattern.yml"
PYTHON_SUFFIX = ".py"
LONGEST_FILE = 2 * 1024 * 1024
SEAL = "SEAL"
"""A file beside the shipped rules with a digest of them all, for packages that give files times of their own."""
UNREADABLE = "file that cannot be read"


class RuleFile:
    """A file of rules.

    Args:
        where: its path.
        name: how messages call it: the path as the user gave it, or below `rulepack/` for a shipped one.
        mark: what it is known by: its content, or for a shipped file, of which there are many and which only
            an upgrade changes, its size and time.
        shipped: whether it ships with the program.
        text: its content, where it was read already.
    """

    def __init__(self, where: str, name: str, mark: bytes, *, shipped: bool, text: str | None = None) -> None:
        self.where, self.name, self.mark, self.shipped, self._text = where, name, mark, shipped, text

    @property
    def path(self) -> Path:
        return Path(self.where)

    @property
    def text(self) -> str:
        """Its content.

        Raises:
            RuleError: a shipped file cannot be read.
        """
        if self._text is None:
            try:
                self._text = _read_text(self.where)
            except (OSError, ValueError) as error:
                raise RuleError(self.name, f"cannot be read: {error}", "install trailwatch again") from None
        return self._text


def roots(dirs: Sequence[Path], *, shipped: bool) -> Iterator[tuple[Path, bool]]:
    """Where rules are, and whether they ship.

    Raises:
        RuleError: a place of the user's does not exist.
    """
    if shipped:
        spec = importlib.util.find_spec("trailwatch.rulepack")
        for place in (spec.submodule_search_locations if spec else None) or ():
            yield Path(place), True
    for path in dirs:
        if not path.exists():
            raise RuleError(str(path), "there is no such file or folder of rules", "correct the path")
        yield path, False


def rule_files(
    roots: Iterator[tuple[Path, bool]], skipped: Counter[str], problems: list[Problem]
) -> Iterator[RuleFile]:
    """Every file of rules there; one that cannot be read is counted and told."""
    for root, shipped in roots:
        cut = 0 if root.is_file() else len(str(root)) + 1
        sealed = _seal(root) if shipped else b""
        for where in _walk(root):
            name = f"rulepack/{where[cut:].replace(os.sep, '/')}" if shipped else where
            try:
                if shipped:
                    yield RuleFile(where, name, sealed or _size_and_time(where), shipped=True)
                else:
                    text = _read_text(where)
                    yield RuleFile(where, name, text.encode(), shipped=False, text=text)
            except (OSError, ValueError) as error:
                skipped[UNREADABLE] += 1
                problems.append(Problem(f"{name}:1:1", f"cannot be read: {error}", error=True))


def _seal(root: Path) -> bytes:
    """What a package says of all its rules that was built once and never changes; empty for any other."""
    try:
        return (root / SEAL).read_bytes()
    except OSError:
        return b""


def _size_and_time(where: str) -> bytes:
    found = os.stat(where)  # noqa: PTH116 half the price of a Path, hundreds of times at each start
    return b"%d %d" % (found.st_size, found.st_mtime_ns)


def _read_text(where: str) -> str:
    """Raises OSError or ValueError with what is wrong with the file."""
    with open(where, "rb") as file:  # noqa: PTH123 as above
        body = file.read(LONGEST_FILE + 1)
    if len(body) > LONGEST_FILE:
        raise ValueError(f"larger than {LONGEST_FILE} bytes")
    return body.decode("utf-8-sig").replace("\r\n", "\n")


def _walk(root: Path) -> Iterator[str]:
    if root.is_file():
        yield str(root)
        return
    suffixes = (*SIGMA_SUFFIXES, PYTHON_SUFFIX)
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__pycache__")
        for name in sorted(names):
            if name.endswith(suffixes) and not name.startswith((".", "__")):
                yield os.path.join(folder, name)  # noqa: PTH118 as above


def content(file: RuleFile) -> Iterator[bytes]:
    """What a file is known by."""
    yield file.name.encode(errors="surrogateescape")
    yield file.mark
