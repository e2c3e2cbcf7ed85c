"""Text from a log made harmless for people: no control characters, no direction tricks, links or secrets; short."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from trailwatch.decode.records import to_mapping
from trailwatch.errors import DecodeError
from trailwatch.model.fieldpath import find_values
from trailwatch.model.inert import for_terminal
from trailwatch.model.secrets import Mask

TEXT_LIMIT = 300


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
    shown = "\n".join(map(_line, kept.split("\n"))) if lines else for_terminal(kept)
    if not links:
        shown = shown.replace("://", "[:]//").replace("www.", "www[.]")
    return shown if len(text) <= limit else f"{shown}... ({len(text):,} characters)"


def _line(text: str) -> str:
    return for_terminal(text.replace("\t", "    "))


def read_record(raw: bytes) -> Mapping[str, Any]:
    """The record as a mapping; empty where it is none, because evidence may outlive the decoder that read it."""
    try:
        return to_mapping(raw)
    except DecodeError:
        return {}


class Masking:
    """Shows texts inert and without the secrets of some records, wherever in a text they stand.

    Args:
        records: as recorded, not masked.
    """

    def __init__(self, records: Iterable[Mapping[str, Any]]) -> None:
        self._mask = Mask(*records)

    def __call__(self, text: str, limit: int = TEXT_LIMIT) -> str:
        return inert(self._mask(text), limit)


def values_at(record: Mapping[str, Any], path: str) -> list[str]:
    """The texts of the values at a dotted path."""
    return [_text_of(value) for value in find_values(record, path)]


def _text_of(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode(errors="replace")
