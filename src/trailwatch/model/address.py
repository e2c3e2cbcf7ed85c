"""What is known of an IP address besides the address itself."""

from __future__ import annotations

import msgspec


class AddressFacts(msgspec.Struct, frozen=True):
    """Everything that the loaded tables say; empty, None or 0 where they say nothing."""

    country: str = ""
    """ISO 3166 code of two letters, upper case."""
    city: str = ""
    latitude: float | None = None
    longitude: float | None = None
    asn: int = 0
    as_org: str = ""
    is_aws: bool | None = None
    """None where no table tells."""
    aws_service: str = ""
    """`EC2`, `S3`, ... as AWS names it; `AMAZON` for what it names no further."""
    aws_region: str = ""
    lists: tuple[str, ...] = ()
    """Names of the user's lists that hold it."""
    kinds: tuple[str, ...] = ()
    """What these lists are for: `office`, `vpn`, `scanner`, `tor`, `threat`, ..."""
    hosting: bool = False
    """Whether it belongs to a cloud, hosting, proxy or VPN provider, so that people seldom sit there."""
