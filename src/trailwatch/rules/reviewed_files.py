"""Files that people review: one YAML mapping each, checked key by key, so that a broken one is told with its place.

Suppressions and playbooks are such files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trailwatch.errors import RuleError
from trailwatch.rules.names import meant
from trailwatch.rules.predicate import Const, Predicate
from trailwatch.rules.rule import Problem

if TYPE_CHECKING:
    from trailwatch.rules.sigma_yaml import Document

SUFFIXES = (".yml", ".yaml")
LONGEST_FILE = 256 * 1024


def texts_in(places: Iterable[Path], missing: str, problems: list[Problem]) -> Iterator[tuple[Path, str]]:
    """The text of each file; one that cannot be read is a problem and keeps no other from being read.

    Args:
        places: folders, whose YAML files are read, or single files.
        missing: what is told of a place that is not there.
        problems: where what is wrong is added.
    """
    for path in _paths(places, missing, problems):
        try:
            if path.stat().st_size > LONGEST_FILE:
                raise ValueError(f"larger than {LONGEST_FILE} bytes")  # noqa: TRY301 one place tells both causes
            yield path, path.read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            problems.append(Problem(f"{path}:1:1", f"cannot be read: {error}", error=True))


def problem_of(error: RuleError) -> Problem:
    """What is told of a file that could not be used."""
    return Problem(error.origin, str(error).removeprefix(f"{error.origin}: "), error=True)


def only_document(text: str, path: str, what: str, keys: Collection[str], required: Sequence[str]) -> Document:
    """The one mapping of a file, with the keys that it must have and none that it may not have.

    Args:
        text: of the file.
        path: of the file, for what is told.
        what: it should be, such as `suppression`.
        keys: that it may have.
        required: those of them that it must have.

    Raises:
        RuleError: it is none; the first thing that is wrong, with its place.
    """
    from trailwatch.rules.sigma_yaml import read_documents

    try:
        documents = read_documents(text, path)
    except ValueError as error:
        place, _, wrong = str(error).partition(": ")
        raise RuleError(f"{path}:{place}", wrong, "correct it") from None
    if len(documents) != 1:
        raise RuleError(f"{path}:1:1", f"expected one {what}, got {len(documents)}", "write one file for each")
    document = documents[0]
    if not isinstance(document.data, dict):
        remedy = f"write {', '.join(required)}, ..."
        raise RuleError(document.at(), f"expected a mapping, got {document.data!r:.80}", remedy)
    for place, key in document.duplicates():
        raise RuleError(place, f'key "{key}" stands twice in its mapping', "keep one")
    for key in document.data:
        if key not in keys:
            hint = meant(str(key), keys) or "it may have " + ", ".join(sorted(keys))
            raise RuleError(document.at(key), f"unknown key {key!r:.80}", hint)
    for key in required:
        if key not in document.data:
            raise RuleError(document.at(), f"{key} is missing", "add it")
    return document


def text_at(document: Document, key: str) -> str:
    """The text of a key, without blanks around it.

    Raises:
        RuleError: it is none.
    """
    value = document.data[key]
    if not isinstance(value, str) or not value.strip():
        raise RuleError(document.at(key), f"expected a text for {key}, got {value!r:.80}", "write one, in quotes")
    return value.strip()


def texts_at(document: Document, key: str) -> tuple[str, ...]:
    """The texts of a key that has one or a list of them; empty where it is not there.

    Raises:
        RuleError: one of them is no text, or the list is empty.
    """
    if key not in document.data:
        return ()
    value = document.data[key]
    items: Sequence[Any] = value if isinstance(value, list) else [value]
    for at, item in enumerate(items):
        if not isinstance(item, str) or not item.strip():
            place = document.at(key, at) if isinstance(value, list) else document.at(key)
            raise RuleError(place, f"expected a text in {key}, got {item!r:.80}", "put it in quotes")
    if not items:
        raise RuleError(document.at(key), f"an empty list for {key}", "leave it out, or name something")
    return tuple(item.strip() for item in items)


def condition_at(document: Document, key: str) -> Predicate:
    """The Sigma selection of a key, or the list of them of which one must hold; always true where it is not there.

    Raises:
        RuleError: it is none, or it looks for words in the whole record, where an attacker may write what they like.
    """
    if key not in document.data:
        return Const(value=True)
    selection: Any = document.data[key]
    if not isinstance(selection, dict | list) or not selection:
        remedy = "write field: value below it"
        raise RuleError(document.at(key), f"expected a mapping or a list of them, got {selection!r:.80}", remedy)
    if isinstance(selection, list) and not all(isinstance(one, dict) and one for one in selection):
        raise RuleError(document.at(key), "words without a field hold for too much", "name the fields that must hold")
    from trailwatch.rules.selection import condition_of

    return condition_of(document, selection, key)


def _paths(places: Iterable[Path], missing: str, problems: list[Problem]) -> Iterator[Path]:
    for place in places:
        try:
            if place.is_dir():
                names = sorted(path for path in place.iterdir() if path.suffix in SUFFIXES)
                yield from (path for path in names if not path.name.startswith("."))
            elif place.exists():
                yield place
            else:
                problems.append(Problem(str(place), missing, error=True))
        except OSError as error:
            problems.append(Problem(str(place), f"cannot be read: {error.strerror}", error=True))
