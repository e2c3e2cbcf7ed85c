"""A baseline as a file: what rules with a memory have learned, to be taken to another machine or scan.

Gzipped JSON lines: a heading, then one line for each combination of values.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from trailwatch.errors import ConfigError
from trailwatch.model.sighting import DAY, Remembered
from trailwatch.ports import SightingState

FORMAT = 2
_KNOWN_DAYS = 2
"""What was learned counts as known from the day after on, so it is dated at least so many days back."""
Numberer = Callable[[Remembered], int]


class Heading(msgspec.Struct, frozen=True):
    """The first line."""

    trailwatch_baseline: int
    until: int
    """When it was made: what came before is learned. Seconds since 1970."""
    learned: dict[str, dict[str, int]]
    """For each account and look-up, the time from which on what it shows is known."""


class Baseline(msgspec.Struct, frozen=True):
    """Everything that was learned; the rows by the numbers that stand for them."""

    heading: Heading
    rows: dict[int, Remembered]

    def teach(self, state: SightingState) -> None:
        """Adds it to what a state knows; what was seen until the end counts as known."""
        latest = self.heading.until // DAY - _KNOWN_DAYS
        known = state.sightings(self.rows)
        changed = {}
        for number, row in self.rows.items():
            seen = row.seen.until(latest)
            before = known.get(number)
            changed[number] = msgspec.structs.replace(row, seen=seen if before is None else before.joined(seen))
        state.see(changed)
        for account, lookups in self.heading.learned.items():
            for lookup, since in lookups.items():
                state.learn(account, since, lookup)


def heading_of(learned: Mapping[tuple[str, str], int], until: int) -> Heading:
    """The heading.

    Args:
        learned: from `SightingState.learned`.
        until: when it was made.
    """
    found: dict[str, dict[str, int]] = {}
    for (account, lookup), since in sorted(learned.items()):
        found.setdefault(account, {})[lookup] = since
    return Heading(FORMAT, until, found)


def write_baseline(path: Path, rows: Iterable[Remembered], heading: Heading) -> int:
    """Writes the file; how many combinations are in it.

    Raises:
        ConfigError: it cannot be written.
    """
    encode = msgspec.json.Encoder().encode
    count = 0
    try:
        with gzip.open(path, "wb") as stream:
            stream.write(encode(heading) + b"\n")
            for row in rows:
                stream.write(encode(row) + b"\n")
                count += 1
    except OSError as error:
        raise ConfigError(str(path), f"cannot be written: {error.strerror}", "name another file") from error
    return count


def read_baseline(path: Path, number_of: Numberer) -> Baseline:
    """The baseline of a file.

    Args:
        path: a file of `write_baseline`.
        number_of: what stands for a combination, see `trailwatch.detect.first_seen.number_of_row`.

    Raises:
        ConfigError: it cannot be read, or is none.
    """
    remedy = "make one with `trailwatch baseline export FILE`"
    try:
        with gzip.open(path, "rb") as stream:
            heading = msgspec.json.decode(stream.readline(), type=Heading)
            if heading.trailwatch_baseline != FORMAT:
                raise ConfigError(
                    str(path), f"has format {heading.trailwatch_baseline}, this trailwatch reads {FORMAT}", remedy
                )
            decode = msgspec.json.Decoder(Remembered).decode
            rows = [decode(line) for line in stream]
    except (OSError, EOFError, msgspec.MsgspecError) as error:
        raise ConfigError(str(path), f"cannot be read as a baseline: {error}", remedy) from error
    return Baseline(heading, {number_of(row): row for row in rows})
