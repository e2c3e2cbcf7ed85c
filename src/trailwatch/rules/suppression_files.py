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

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from trailwatch.errors import RuleError
from trailwatch.rules import cache
from trailwatch.rules.predicate import Const
from trailwatch.rules.reviewed_files import condition_at, only_document, problem_of, text_at, texts_at, texts_in
from trailwatch.rules.rule import Problem
from trailwatch.rules.suppression import DAY, EVERY_RULE, Suppression

if TYPE_CHECKING:
    from trailwatch.rules.sigma_yaml import Document

REQUIRED = ("name", "owner", "reason", "expires", "rules")
KEYS = frozenset({*REQUIRED, "accounts", "actor", "networks", "selection"})
MISSING = "there is no such file or folder of suppressions; correct [suppressions] or the option"
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
    files = list(texts_in(places, MISSING, problems))
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
    return _suppression(only_document(text, path, "suppression", KEYS, REQUIRED))


_PREFIX = "suppressions"


def _kept(folder: Path | None, digest: str) -> SuppressionSet | None:
    content = cache.load_bytes(folder, _PREFIX, digest) if folder is not None else None
    try:
        return None if content is None else msgspec.json.decode(content, type=SuppressionSet)
    except msgspec.MsgspecError:
        return None


def _parse(files: Sequence[tuple[Path, str]]) -> SuppressionSet:
    found: dict[str, Suppression] = {}
    problems: list[Problem] = []
    for path, content in files:
        try:
            one = parse_suppression(content, str(path))
        except RuleError as error:
            problems.append(problem_of(error))
            continue
        if one.name in found:
            text = f"the name {one.name!r} is taken by {found[one.name].origin}; give it another"
            problems.append(Problem(one.origin, text, error=True))
            continue
        found[one.name] = one
    return SuppressionSet(tuple(found[name] for name in sorted(found)), tuple(problems))


def _suppression(document: Document) -> Suppression:
    one = Suppression(
        name=_name(document),
        owner=text_at(document, "owner"),
        reason=text_at(document, "reason"),
        expires=_expires(document),
        rules=texts_at(document, "rules"),
        condition=condition_at(document, "selection"),
        actor=texts_at(document, "actor"),
        networks=_networks(document),
        accounts=texts_at(document, "accounts"),
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


def _name(document: Document) -> str:
    name = text_at(document, "name")
    if len(name) > LONGEST_NAME:
        raise RuleError(document.at("name"), f"a name of {len(name)} characters", f"at most {LONGEST_NAME}")
    return name


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
    networks = texts_at(document, "networks")
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
