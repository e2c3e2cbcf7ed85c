"""Everything that the user's tables say of an address, each table read when the first address is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from trailwatch.config.schema import AddressList, AddressSettings
from trailwatch.enrich import hosting
from trailwatch.enrich.aws_ranges import ANY_SERVICE, AwsRange, read_aws_ranges
from trailwatch.enrich.lists import read_list
from trailwatch.enrich.networks import Address, Networks, network_of, parse_address
from trailwatch.errors import ConfigError
from trailwatch.model.address import AddressFacts

if TYPE_CHECKING:
    from trailwatch.enrich.mmdb import Mmdb

ADDRESSES_KEPT = 65_536
PEOPLE_ELSEWHERE = frozenset({"vpn", "proxy", "tor", "hosting"})
"""Kinds of lists that say no person sits at the address."""

T = TypeVar("T")


class Addresses:
    """The user's tables as `trailwatch.ports.AddressBook`.

    A table that cannot be read costs only itself: what is wrong stands in `problems`, the others go on.

    Args:
        settings: `[addresses]`.
    """

    def __init__(self, settings: AddressSettings) -> None:
        self._settings = settings
        self._tables: _Tables | None = None
        self._facts: dict[str, AddressFacts | None] = {}

    def look_up(self, text: str) -> AddressFacts | None:
        """What is known of an address; None for what is no address."""
        try:
            return self._facts[text]
        except KeyError:
            pass
        if len(self._facts) >= ADDRESSES_KEPT:
            self._facts.clear()
        address = parse_address(text)
        facts = self._facts[text] = None if address is None else self._read().facts(address)
        return facts

    def network(self, text: str) -> str:
        """The autonomous system as `AS64500` where it is known, else the /24 or /48; empty for no address."""
        facts, address = self.look_up(text), parse_address(text)
        if facts is None or address is None:
            return ""
        return f"AS{facts.asn}" if facts.asn else network_of(address)

    def problems(self) -> list[str]:
        """What is wrong with the tables, for people; reads them."""
        if self._settings == AddressSettings():
            return []
        return self._read().problems

    def missing(self) -> list[str]:
        """What can be told to be wrong without reading anything: files that are not there."""
        settings = self._settings
        paths = (*settings.mmdb, settings.aws_ranges, *(one.path for one in settings.list))
        return [
            f"{path}: cannot be read; correct [addresses] or put the file there"
            for path in paths
            if path and not os.access(_path(path), os.R_OK)
        ]

    def about(self) -> list[str]:
        """One line for each table that could be read."""
        return self._read().about

    def tells(self) -> frozenset[str]:
        """The names of `AddressFacts` that some table says something of."""
        return self._read().tells()

    def _read(self) -> _Tables:
        if self._tables is None:
            self._tables = _Tables(self._settings)
        return self._tables


def _mmdb(path: Path) -> Mmdb:
    from trailwatch.enrich.mmdb import Mmdb  # dear to import, and most users have no such table

    return Mmdb(path)


class _Tables:
    def __init__(self, settings: AddressSettings) -> None:
        self.problems: list[str] = []
        self.about: list[str] = []
        self._mmdb = [table for path in settings.mmdb if (table := self._try(_mmdb, _path(path))) is not None]
        self._aws = self._try(read_aws_ranges, _path(settings.aws_ranges)) if settings.aws_ranges else None
        self._lists: Networks[AddressList] = Networks()
        self.about += [table.about for table in self._mmdb]
        if self._aws is not None:
            self.about.append(f"AWS ranges: {len(self._aws)}")
        for one in settings.list:
            networks = self._try(read_list, _path(one.path)) or []
            for network in networks:
                self._lists.add(network, one)
            self.about.append(f"list {one.name} ({one.kind}): {len(networks)}")

    def _try(self, read: Callable[[Path], T], path: Path) -> T | None:
        try:
            return read(path)
        except ConfigError as error:
            self.problems.append(str(error))
            return None

    def facts(self, address: Address) -> AddressFacts:
        lists = list(dict.fromkeys(self._lists.find(address)))
        known = AddressFacts(
            lists=tuple(one.name for one in lists),
            kinds=tuple(dict.fromkeys(one.kind for one in lists)),
            is_aws=self._is_aws(address),
        )
        if address.is_global:
            for table in reversed(self._mmdb):
                known = msgspec.structs.replace(known, **table.facts(address))
            known = self._with_aws(known, address)
        hosted = known.is_aws or known.asn in hosting.HOSTING or not PEOPLE_ELSEWHERE.isdisjoint(known.kinds)
        return msgspec.structs.replace(known, hosting=bool(hosted))

    def tells(self) -> frozenset[str]:
        found = frozenset[str]().union(*(table.tells() for table in self._mmdb))
        return found | {"is_aws"} if self._aws is not None or "asn" in found else found

    def _is_aws(self, address: Address) -> bool | None:
        if self._aws is None or not address.is_global:
            return None
        return any(True for _ in self._aws.find(address))

    def _with_aws(self, known: AddressFacts, address: Address) -> AddressFacts:
        if self._aws is None:
            return msgspec.structs.replace(known, is_aws=known.asn in hosting.AWS) if known.asn else known
        ranges = sorted(self._aws.find(address), key=_vague)
        if not ranges:
            return known
        return msgspec.structs.replace(known, aws_service=ranges[0].service, aws_region=ranges[0].region)


def _vague(one: AwsRange) -> bool:
    return one.service == ANY_SERVICE


def _path(text: str) -> Path:
    return Path(text).expanduser()
