"""Many IP networks with a label each, asked for the labels of one address."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Generic, TypeVar

Label = TypeVar("Label")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Networks(Generic[Label]):
    """Networks may overlap; a question costs one look-up for each length of prefix that occurs."""

    def __init__(self) -> None:
        self._tables: dict[int, dict[int, dict[int, list[Label]]]] = {4: {}, 6: {}}
        """By version, then by the number of host bits: the network's leading bits and its labels."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, network: Network, label: Label) -> None:
        """The network gets one more label; the same one twice counts once."""
        rest = network.max_prefixlen - network.prefixlen
        labels = self._tables[network.version].setdefault(rest, {}).setdefault(int(network[0]) >> rest, [])
        if label not in labels:
            labels.append(label)
            self._count += 1

    def find(self, address: Address) -> Iterator[Label]:
        """The labels of every network that holds the address, narrowest network first."""
        number = int(address)
        for rest, table in sorted(self._tables[address.version].items()):
            yield from table.get(number >> rest, ())


def parse_address(text: str) -> Address | None:
    """The address, or None for what is none, such as the host name of a service.

    IPv4 in IPv6 (`::ffff:192.0.2.1`) is read as the IPv4 address that it is.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def network_of(address: Address) -> str:
    """The /24 or /48 that the address lies in."""
    length = 24 if address.version == 4 else 48  # noqa: PLR2004 IPv4 and IPv6
    return str(ipaddress.ip_network((int(address), length), strict=False)) if length == 48 else _v4(address)  # noqa: PLR2004 IPv6


def _v4(address: Address) -> str:
    return f"{address.exploded.rpartition('.')[0]}.0/24"
