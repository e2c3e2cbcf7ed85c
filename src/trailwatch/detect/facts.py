"""What a rule shows of a record besides its plain fields: derived values, as text.

They are taken when a match is made, because whoever shows an alert has the record and nothing that stands around it:
no tables of addresses, no own accounts, no names of what trailwatch depends on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from trailwatch.decode.records import to_mapping
from trailwatch.detect.derived import derive
from trailwatch.detect.leaf import text_of
from trailwatch.errors import DecodeError
from trailwatch.model.match import Match
from trailwatch.model.rule import RuleInfo
from trailwatch.ports import AddressBook
from trailwatch.rules.derived_names import PREFIX


def facts_of(info: RuleInfo, record: Mapping[str, Any], book: AddressBook | None) -> dict[str, str]:
    """The derived fields that the rule shows and that say something here, by path."""
    if not any(path.startswith(PREFIX) for path in info.fields):
        return {}
    told = {path: derive(path, record, book) for path in info.fields if path.startswith(PREFIX)}
    return {path: ", ".join(map(text_of, values)) for path, values in told.items() if values}


def with_facts(matches: Sequence[Match], book: Callable[[], AddressBook | None]) -> list[Match]:
    """The matches of rules with a memory, with the derived fields that they show.

    Args:
        matches: those with a record.
        book: gives what stands around records; asked only where a rule shows such a field.
    """
    return [_with_facts(match, book) for match in matches]


def _with_facts(match: Match, book: Callable[[], AddressBook | None]) -> Match:
    if not match.record or not any(path.startswith(PREFIX) for path in match.rule.fields):
        return match
    try:
        record = to_mapping(match.record)
    except DecodeError:
        return match
    return msgspec.structs.replace(match, context={**facts_of(match.rule, record, book()), **match.context})
