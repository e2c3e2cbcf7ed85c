"""One record, decoded as far as somebody asks."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from trailwatch.decode.records import to_mapping
from trailwatch.detect.derived import derive
from trailwatch.detect.schema import PLAIN_FIELDS
from trailwatch.model.fieldpath import find_values, parse_path
from trailwatch.ports import AddressBook

_ABSENT: Any = object()
_ANY = msgspec.json.Decoder()
DERIVED = "derived."


class Record(Mapping[str, Any]):
    """A record's values by path; whatever was decoded or derived is kept for the next question.

    As a mapping it is the whole record, of which `get` decodes only the field that is asked for.

    Args:
        raw: the record, one JSON object, or what finds it when somebody asks for more than its struct has.
        plain: its struct from `trailwatch.detect.schema`, if it fits one.
        book: the tables of addresses, where there are any.
    """

    __slots__ = ("_book", "_derived", "_full", "_plain", "_raw", "_roots", "_texts")

    def __init__(
        self,
        raw: bytes | msgspec.Raw | Callable[[], msgspec.Raw],
        plain: Any = None,
        book: AddressBook | None = None,
    ) -> None:
        self._raw = raw
        self._book = book
        self._plain = plain
        self._full: dict[str, Any] | None = None
        self._roots: dict[str, Any] = {}
        self._texts: dict[str, bytes] = {}
        self._derived: dict[str, list[Any]] = {}

    @property
    def plain(self) -> Any:
        """Its struct; None where it fits none."""
        return self._plain

    @property
    def raw(self) -> bytes | msgspec.Raw:
        """The record's JSON text."""
        if callable(self._raw):
            self._raw = self._raw()
        return self._raw

    @property
    def full(self) -> dict[str, Any]:
        """The whole record.

        Raises:
            DecodeError: it is no JSON object.
        """
        if self._full is None:
            self._full = to_mapping(self.raw)
        return self._full

    def __getitem__(self, name: str) -> Any:
        return self.full[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.full)

    def __len__(self) -> int:
        return len(self.full)

    def get(self, name: str, default: Any = None) -> Any:
        """The value of one top-level field; null is read as not there."""
        if self._full is not None:
            return self._full.get(name, default)
        value = self._roots.get(name, _ABSENT)
        if value is _ABSENT:
            value = self._roots[name] = self._root(name)
        return default if value is None else value

    def _root(self, name: str) -> Any:
        part = getattr(self._plain, name, _ABSENT)
        try:
            if type(part) is msgspec.Raw:
                return _ANY.decode(part)
            if type(part) is str or type(part) is bool:
                return part
            if part is msgspec.UNSET or part is None:
                return None
            return _root_decoder(name).decode(self.raw).value
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self.full.get(name)

    def text_of(self, name: str) -> bytes:
        """JSON text that holds everything below a top-level field, and more where it is not at hand alone."""
        text = self._texts.get(name)
        if text is None:
            part = getattr(self._plain, name, None)
            text = self._texts[name] = bytes(part if type(part) is msgspec.Raw else self.raw)
        return text

    def derived(self, path: str) -> list[Any]:
        """The values of a derived field, computed once."""
        values = self._derived.get(path)
        if values is None:
            values = self._derived[path] = derive(path, self, self._book)
        return values


@functools.lru_cache(maxsize=256)
def _root_decoder(name: str) -> msgspec.json.Decoder[Any]:
    """Decodes one top-level field and skips the others, which is a third of the work of decoding all."""
    struct = msgspec.defstruct("Root", [("value", Any, None)], rename={"value": name}, gc=False)
    return msgspec.json.Decoder(struct)


def getter(path: str) -> Callable[[Record], list[Any]]:
    """What finds every value that is not null at a path, as `fieldpath.find_values` does."""
    if not path:
        return lambda record: [record.full]
    if path.startswith(DERIVED):
        return lambda record: record.derived(path)
    if path in PLAIN_FIELDS:
        return _plain_getter(path)
    return _free_getter(path)


def _plain_getter(path: str) -> Callable[[Record], list[Any]]:
    in_struct, anywhere = operator.attrgetter(path), _free_getter(path)

    def values(record: Record) -> list[Any]:
        plain = record.plain
        if plain is None:
            return anywhere(record)
        try:
            value = in_struct(plain)
        except AttributeError:
            return anywhere(record)  # no rule tests it, so the struct leaves it out
        return [] if value is None or value is msgspec.UNSET else [value]

    return values


def _free_getter(path: str) -> Callable[[Record], list[Any]]:
    first, *rest = parse_path(path)
    if not isinstance(first, str):
        return lambda _record: []
    names = [segment for segment in rest if isinstance(segment, str)]
    if len(names) != len(rest):
        return lambda record: find_values(record.full, path)

    def values(record: Record) -> list[Any]:
        value = record.get(first)
        for at, name in enumerate(names):
            if type(value) is dict:
                value = value.get(name)
            elif type(value) is list:
                return _through_list(value, names[at:])
            else:
                return []
        if type(value) is list:
            return _through_list(value, [])
        return [] if value is None else [value]

    return values


def _through_list(value: Any, names: list[str]) -> list[Any]:
    if isinstance(value, list):
        return [found for element in value for found in _through_list(element, names)]
    if not names:
        return [] if value is None else [value]
    if isinstance(value, Mapping) and names[0] in value:
        return _through_list(value[names[0]], names[1:])
    return []


def strict_getter(path: str) -> Callable[[Record], Any]:
    """The one value at a path as CloudWatch reads it, or `is_absent`: lists only by index, null kept."""
    if path.startswith(DERIVED):
        return lambda record: next(iter(record.derived(path)), _ABSENT)
    segments = parse_path(path)

    def value(record: Record) -> Any:
        at: Any = record.full
        for segment in segments:
            if isinstance(segment, int):
                if not isinstance(at, list) or segment >= len(at):
                    return _ABSENT
                at = at[segment]
            elif isinstance(at, dict) and segment in at:
                at = at[segment]
            else:
                return _ABSENT
        return at

    return value


def is_absent(value: object) -> bool:
    """Whether a strict getter found nothing at all, not even null."""
    return value is _ABSENT
