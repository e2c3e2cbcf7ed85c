"""Folders of suppressions: one YAML file each, checked key by key; a broken one hides nothing and is told.

name: Nightly backup                          unique
owner: platform@example.com                   who answers for it
reason: It reads every password at 02:00.
expires: 2027-01-31                           the last day on which it holds, UTC
rules: [secrets_read_in_bulk]                 ids or slugs; "*" for every rule
accounts: ["111122223333"]
actor: arn:aws:iam::111122223333:role/backup  the principal's key or the actor's; * and ? are wild
networks: [198.51.100.0/24]
selection: {eventName: GetSecretValue}        a Sigma selection, or a list of them of which one must hold

Everything that is named must hold. The last four may be absent, but a suppression of every rule needs one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trailwatch.errors import RuleError
from trailwatch.rules import cache
from trailwatch.rules.names import meant
from trailwatch.rules.predicate import Const, Predicate
from trailwatch.rules.rule import Problem
from trailwatch.rules.suppression import DAY, EVERY_RULE, Suppression

if TYPE_CHECKING:
    from trailwatch.rules.sigma_yaml import Document

SUFFIXES = (".yml", ".yaml")
REQUIRED = ("name", "owner", "reason", "expires", "rules")
KEYS = frozenset({*REQUIRED, "accounts", "actor", "networks", "selection"})
LONGEST_FILE = 256 * 1024
LONGEST_NAME = 200


class SuppressionSet(msgspec.Struct):
    """What some folders gave: good suppressions, and what is wrong with the others."""

    suppressions: tuple[Suppression, ...] = ()
    """By name."""
    problems: tuple[Problem, ...] = ()


def load_suppressions(places: Iterable[Path], *, cache_dir: Path | None = None) -> SuppressionSet:
    """Every suppression in these folders and files; a file that cannot be used is a problem and hides nothing.

    Args:
        places: folders, whose YAML files are read, or single files; one that is not there is a problem.
        cache_dir: where what was read is kept between runs; nowhere when None.
    """
    problems: list[Problem] = []
    files = list(_read(_files(places, problems), problems))
    if not files:
        return SuppressionSet(problems=tuple(problems))
    digest = cache.digest_of(part for path, text in files for part in (str(path).encode(), text.encode()))
    found = _kept(cache_dir, digest)
    if found is None:
        found = _parse(files)
        if cache_dir is not None:
            cache.keep_bytes(cache_dir, _PREFIX, digest, msgspec.json.encode(found))
    return SuppressionSet(found.suppressions, (*problems, *found.problems))


def parse_suppression(text: str, path: str) -> Suppression:
    """The suppression that a file holds.

    Raises:
        RuleError: it is none; the first thing that is wrong, with its place.
    """
    from trailwatch.rules.sigma_yaml import read_documents

    try:
        documents = read_documents(text, path)
    except ValueError as error:
        place, _, what = str(error).partition(": ")
        raise RuleError(f"{path}:{place}", what, "correct it") from None
    if len(documents) != 1:
        raise RuleError(f"{path}:1:1", f"expected one suppression, got {len(documents)}", "write one file for each")
    return _suppression(documents[0])


_PREFIX = "suppressions"


def _kept(folder: Path | None, digest: str) -> SuppressionSet | None:
    content = cache.load_bytes(folder, _PREFIX, digest) if folder is not None else None
    try:
        return None if content is None else msgspec.json.decode(content, type=SuppressionSet)
    except msgspec.MsgspecError:
        return None


def _files(places: Iterable[Path], problems: list[Problem]) -> Iterator[Path]:
    for place in places:
        try:
            if place.is_dir():
                names = sorted(path for path in place.iterdir() if path.suffix in SUFFIXES)
                yield from (path for path in names if not path.name.startswith("."))
            elif place.exists():
                yield place
            else:
                text = "there is no such file or folder of suppressions; correct [suppressions] or the option"
                problems.append(Problem(str(place), text, error=True))
        except OSError as error:
            problems.append(Problem(str(place), f"cannot be read: {error.strerror}", error=True))


def _read(paths: Iterable[Path], problems: list[Problem]) -> Iterator[tuple[Path, str]]:
    for path in paths:
        try:
            if path.stat().st_size > LONGEST_FILE:
                raise ValueError(f"larger than {LONGEST_FILE} bytes")  # noqa: TRY301 one place tells both causes
            yield path, path.read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            problems.append(Problem(f"{path}:1:1", f"cannot be read: {error}", error=True))


def _parse(files: Sequence[tuple[Path, str]]) -> SuppressionSet:
    found: dict[str, Suppression] = {}
    problems: list[Problem] = []
    for path, content in files:
        try:
            one = parse_suppression(content, str(path))
        except RuleError as error:
            problems.append(Problem(error.origin, str(error).removeprefix(f"{error.origin}: "), error=True))
            continue
        if one.name in found:
            text = f"the name {one.name!r} is taken by {found[one.name].origin}; give it another"
            problems.append(Problem(one.origin, text, error=True))
            continue
        found[one.name] = one
    return SuppressionSet(tuple(found[name] for name in sorted(found)), tuple(problems))


def _suppression(document: Document) -> Suppression:
    data = document.data
    if not isinstance(data, dict):
        raise RuleError(document.at(), f"expected a mapping, got {data!r:.80}", "write name, owner, reason, ...")
    for place, key in document.duplicates():
        raise RuleError(place, f'key "{key}" stands twice in its mapping', "keep one")
    for key in data:
        if key not in KEYS:
            hint = meant(str(key), KEYS) or "it may have " + ", ".join(sorted(KEYS))
            raise RuleError(document.at(key), f"unknown key {key!r:.80}", hint)
    for key in REQUIRED:
        if key not in data:
            raise RuleError(document.at(), f"{key} is missing", "add it")
    one = Suppression(
        name=_text(document, "name"),
        owner=_text(document, "owner"),
        reason=_text(document, "reason"),
        expires=_expires(document),
        rules=_texts(document, "rules"),
        condition=_condition(document),
        actor=_texts(document, "actor"),
        networks=_networks(document),
        accounts=_texts(document, "accounts"),
        origin=document.at().rpartition(":")[0],
    )
    _refuse_blindness(document, one)
    return one


def _refuse_blindness(document: Document, one: Suppression) -> None:
    if any(set(pattern) <= {"*", "?"} for pattern in one.actor):
        raise RuleError(document.at("actor"), "it holds for everybody", "name somebody, or leave actor out")
    if not one.rules:
        raise RuleError(document.at("rules"), "no rule is named", f'name one, or "{EVERY_RULE}" for all')
    narrow = one.actor or one.networks or one.accounts or one.condition != Const(value=True)
    if EVERY_RULE in one.rules and not narrow:
        remedy = "add accounts, actor, networks or selection"
        raise RuleError(document.at("rules"), "it would hide every alert there is", remedy)


def _text(document: Document, key: str) -> str:
    value = document.data[key]
    if not isinstance(value, str) or not value.strip():
        raise RuleError(document.at(key), f"expected a text for {key}, got {value!r:.80}", "write one, in quotes")
    if key == "name" and len(value) > LONGEST_NAME:
        raise RuleError(document.at(key), f"a name of {len(value)} characters", f"at most {LONGEST_NAME}")
    return value.strip()


def _texts(document: Document, key: str) -> tuple[str, ...]:
    if key not in document.data:
        return ()
    value = document.data[key]
    items = value if isinstance(value, list) else [value]
    for at, item in enumerate(items):
        if not isinstance(item, str) or not item.strip():
            place = document.at(key, at) if isinstance(value, list) else document.at(key)
            raise RuleError(place, f"expected a text in {key}, got {item!r:.80}", "put it in quotes")
    if not items:
        raise RuleError(document.at(key), f"an empty list for {key}", "leave it out, or name something")
    return tuple(item.strip() for item in items)


def _expires(document: Document) -> int:
    value = document.data["expires"]
    try:
        day = date.fromisoformat(value)
        return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) + DAY
    except (TypeError, ValueError):
        raise RuleError(
            document.at("expires"), f"expected a date such as 2027-01-31, got {value!r:.80}", "correct it"
        ) from None


def _networks(document: Document) -> tuple[str, ...]:
    networks = _texts(document, "networks")
    for at, text in enumerate(networks):
        place = (
            document.at("networks", at) if isinstance(document.data["networks"], list) else document.at("networks")
        )
        try:
            network = ip_network(text)
        except ValueError as error:
            raise RuleError(place, f"no network: {error}", "write it as 192.0.2.0/24") from None
        if not network.prefixlen:
            raise RuleError(place, f"{text} is every address", "leave networks out, or name a smaller one")
    return networks


def _condition(document: Document) -> Predicate:
    if "selection" not in document.data:
        return Const(value=True)
    selection: Any = document.data["selection"]
    if not isinstance(selection, dict | list) or not selection:
        remedy = "write field: value below it"
        raise RuleError(
            document.at("selection"), f"expected a mapping or a list of them, got {selection!r:.80}", remedy
        )
    if isinstance(selection, list) and not all(isinstance(one, dict) and one for one in selection):
        raise RuleError(document.at("selection"), "keywords hide too much", "name the fields that must hold")
    from trailwatch.rules.selection import condition_of

    return condition_of(document, selection, "selection")
