"""What the addresses that are set aside for documentation stand for in examples of rules.

| Network | In examples |
|---|---|
| 198.51.100.0/24 | people in London, AS64500 |
| 198.51.100.66 | a machine in London that is on a list of threats |
| 203.0.113.0/24 | people in Sydney, AS64501 |
| 192.0.2.0/24 | instances at AWS |
"""

from __future__ import annotations

from trailwatch.enrich.networks import network_of, parse_address
from trailwatch.model.address import AddressFacts

_THREAT = AddressFacts(country="GB", city="London", asn=64500, is_aws=False, lists=("feed",), kinds=("threat",))
_FACTS = {
    "198.51.100.66": _THREAT,
    "198.51.100.0/24": AddressFacts(
        country="GB", city="London", latitude=51.51, longitude=-0.13, asn=64500, as_org="Example", is_aws=False
    ),
    "203.0.113.0/24": AddressFacts(
        country="AU", city="Sydney", latitude=-33.87, longitude=151.21, asn=64501, as_org="Example", is_aws=False
    ),
    "192.0.2.0/24": AddressFacts(
        country="US", asn=16509, as_org="Amazon", is_aws=True, aws_service="EC2", aws_region="us-east-1", hosting=True
    ),
}


class ExampleAddresses:
    """`trailwatch.ports.AddressBook` for examples and tests of rules."""

    def look_up(self, text: str) -> AddressFacts | None:
        address = parse_address(text)
        if address is None:
            return None
        return _FACTS.get(str(address)) or _FACTS.get(network_of(address), AddressFacts())

    def network(self, text: str) -> str:
        facts, address = self.look_up(text), parse_address(text)
        if facts is None or address is None:
            return ""
        return f"AS{facts.asn}" if facts.asn else network_of(address)
