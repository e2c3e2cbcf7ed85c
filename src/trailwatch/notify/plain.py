"""Text from a log made harmless for people: no control characters, no direction tricks, links or secrets; short."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from trailwatch.model.fieldpath import find_values

TEXT_LIMIT = 300
_SHORTEST_SECRET = 6
_SECRET_NAMES = (
    "password",
    "secretaccesskey",
    "sessiontoken",
    "secretstring",
    "secretbinary",
    "privatekey",
    "authtoken",
)
_MASK = "****"


def inert(text: str, limit: int = TEXT_LIMIT, *, lines: bool = False, links: bool = False) -> str:
    r"""The text with every character that could act written as its escape, `\x1b` for one.

    Web addresses lose their `://`, so that no mail reader makes a link of what an intruder wrote.

    Args:
        text: anything, lone surrogates included.
        limit: characters to keep; what was cut is counted.
        lines: keep line feeds and tabs.
        links: keep web addresses; for what a rule's author wrote.
    """
    kept = text[:limit]
    shown = "".join(c if _is_harmless(c) or (lines and c in "\n\t") else _escaped(c) for c in kept)
    if not links:
        shown = shown.replace("://", "[:]//").replace("www.", "www[.]")
    return shown if len(text) <= limit else f"{shown}... ({len(text):,} characters)"


def _is_harmless(character: str) -> bool:
    # C: control, format (direction marks, zero width), surrogate, private, unassigned; Zl, Zp: line breaks
    category = unicodedata.category(character)
    return category[0] != "C" and category not in ("Zl", "Zp")


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 Python's own forms


def read_record(raw: bytes) -> Mapping[str, Any]:
    """The record as a mapping; empty where it is none, because evidence may outlive the decoder that read it."""
    try:
        record = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


class Masking:
    """Shows texts with the secrets of some records left out, wherever in a text they stand."""

    def __init__(self, records: Iterable[Mapping[str, Any]]) -> None:
        found = {secret for record in records for secret in _secrets(record)}
        self._secrets = sorted(found, key=len, reverse=True)

    def __call__(self, text: str, limit: int = TEXT_LIMIT) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        return inert(text, limit)

    def values(self, record: Mapping[str, Any], path: str) -> list[str]:
        """The texts of the values at a dotted path, masked."""
        return [self(_text_of(value)) for value in find_values(record, path)]


def _text_of(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode(errors="replace")


def _secrets(value: object, *, named: bool = False) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _secrets(item, named=named or key.lower().endswith(_SECRET_NAMES))
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(item, named=named)
    elif named and isinstance(value, str) and len(value) >= _SHORTEST_SECRET:
        yield value
