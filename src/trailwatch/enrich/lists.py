"""The user's own lists of addresses: text or CSV, as offices, VPN providers and threat feeds give them.

Each line that is not empty and no comment (`#`, `;` or `//`) holds an address, a network (`198.51.100.0/24`) or a
range (`198.51.100.1-198.51.100.9`). In a CSV file, which has commas, semicolons or tabs, the first cell of a line
that is one of these counts; a first line without any is taken for the heading.
"""

from __future__ import annotations

import csv
import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path

from trailwatch.enrich.networks import Network
from trailwatch.errors import ConfigError

_COMMENT = re.compile(r"\s*(#|;|//)|\s+(#|;|//)")
_HEADING = re.compile(r"[,;\t]|^[A-Za-z_ ]+$")
_LONGEST = 4096


def read_list(path: Path) -> list[Network]:
    """The networks of the file, in its order.

    Raises:
        ConfigError: it cannot be read, or a line has no address; the line is named.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror}", "correct addresses.list") from error
    networks: list[Network] = []
    heading = True
    for number, line in enumerate(text.splitlines(), start=1):
        content = _without_comment(line)
        if not content:
            continue
        found = next((found for cell in _cells(content) if (found := _networks(cell))), None)
        if found is None and not (heading and _HEADING.search(content)):
            raise ConfigError(
                f"{path}:{number}", f"no address, network or range in {content[:80]!r}", "correct or remove the line"
            )
        heading = False
        networks.extend(found or ())
    return networks


def _without_comment(line: str) -> str:
    found = _COMMENT.search(line[:_LONGEST])
    return (line[: found.start()] if found else line[:_LONGEST]).strip()


def _cells(content: str) -> Iterator[str]:
    separator = next((mark for mark in (",", ";", "\t") if mark in content), None)
    if separator is None:
        yield content.split(maxsplit=1)[0]
        return
    for row in csv.reader([content], delimiter=separator):
        yield from (cell.strip() for cell in row)


def _networks(cell: str) -> list[Network] | None:
    """The networks that a cell stands for; None where it is no address."""
    try:
        if "-" in cell:
            first, _, last = cell.partition("-")
            begin, end = ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
            if isinstance(begin, ipaddress.IPv4Address) and isinstance(end, ipaddress.IPv4Address):
                return list(ipaddress.summarize_address_range(begin, end))
            if isinstance(begin, ipaddress.IPv6Address) and isinstance(end, ipaddress.IPv6Address):
                return list(ipaddress.summarize_address_range(begin, end))
            return None
        return [ipaddress.ip_network(cell, strict=False)]
    except (ValueError, TypeError):
        return None
