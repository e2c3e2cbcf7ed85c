"""Tables of addresses in the MaxMind DB format, whoever made them.

GeoLite2 and GeoIP2, DB-IP, IPinfo and the tables of ip-location-db write the same facts under different names; all of
them are read, so that a country table and a table of autonomous systems can stand side by side.

Source: https://maxmind.github.io/MaxMind-DB/
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import maxminddb

from trailwatch.enrich.networks import Address
from trailwatch.errors import ConfigError

ROWS_TRIED = 500
"""What none of so many rows tells, the table is taken not to tell."""
_NUMBER = re.compile(r"(?:AS)?([0-9]{1,10})", re.IGNORECASE)


class Mmdb:
    """One open table.

    Args:
        path: the file, which is mapped into memory and not read as a whole.

    Raises:
        ConfigError: it cannot be read, or is no such table.
    """

    def __init__(self, path: Path) -> None:
        remedy = "name a table in the MaxMind DB format in addresses.mmdb, or leave the setting out"
        try:
            self._reader = maxminddb.open_database(str(path))
        except OSError as error:
            raise ConfigError(str(path), f"cannot be read: {error.strerror or error}", remedy) from error
        except (maxminddb.InvalidDatabaseError, ValueError) as error:
            raise ConfigError(str(path), f"is no MaxMind DB: {error}", remedy) from error

    @property
    def about(self) -> str:
        """Its kind and the day on which it was built, in seconds since 1970: `GeoLite2-City 1577145600`."""
        metadata = self._reader.metadata()
        return f"{metadata.database_type} {metadata.build_epoch}"

    def facts(self, address: Address) -> dict[str, Any]:
        """What it says, by the names of `AddressFacts`; empty where it says nothing."""
        if address.version == 6 and self._reader.metadata().ip_version == 4:  # noqa: PLR2004 IPv6 in a table of IPv4
            return {}
        try:
            row = self._reader.get(address)
        except (maxminddb.InvalidDatabaseError, ValueError):
            return {}
        return _facts(row) if isinstance(row, Mapping) else {}

    def tells(self) -> frozenset[str]:
        """The names of `AddressFacts` that its first rows say something of."""
        found: set[str] = set()
        with contextlib.suppress(maxminddb.InvalidDatabaseError, ValueError):
            for _, row in itertools.islice(self._reader, ROWS_TRIED):
                found.update(_facts(row) if isinstance(row, Mapping) else ())
        return frozenset(found)

    def close(self) -> None:
        self._reader.close()


def _facts(row: Mapping[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "country": _country(row),
        "city": _name(row.get("city")),
        "asn": _asn(row),
        "as_org": _first_text(row, "autonomous_system_organization", "as_name", "as_organization", "asname", "org"),
    }
    place = row.get("location") if isinstance(row.get("location"), Mapping) else row
    latitude, longitude = _degrees(place, "latitude", "lat"), _degrees(place, "longitude", "lng", "lon")
    if latitude is not None and longitude is not None:
        facts |= {"latitude": latitude, "longitude": longitude}
    return {name: value for name, value in facts.items() if value not in ("", 0)}


def _country(row: Mapping[str, Any]) -> str:
    for name in ("country", "registered_country"):
        value = row.get(name)
        code = value.get("iso_code") if isinstance(value, Mapping) else value
        if isinstance(code, str) and len(code) == 2:  # noqa: PLR2004 ISO 3166 alpha 2
            return code.upper()
    code = row.get("country_code")
    return code.upper() if isinstance(code, str) and len(code) == 2 else ""  # noqa: PLR2004 ISO 3166 alpha 2


def _name(value: object) -> str:
    if isinstance(value, Mapping):
        names = value.get("names")
        value = names.get("en") if isinstance(names, Mapping) else None
    return value if isinstance(value, str) else ""


def _asn(row: Mapping[str, Any]) -> int:
    for name in ("autonomous_system_number", "asn", "as_number"):
        value = row.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        found = _NUMBER.fullmatch(value) if isinstance(value, str) else None
        if found:
            return int(found.group(1))
    return 0


def _first_text(row: Mapping[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := row.get(name), str) and value), "")


def _degrees(place: Any, *names: str) -> float | None:
    for name in names:
        value = place.get(name)
        try:
            if value is not None and not isinstance(value, bool):
                return float(value)
        except (TypeError, ValueError):
            continue
    return None
