"""AWS's own address ranges, from a file in the format of https://ip-ranges.amazonaws.com/ip-ranges.json.

Source: https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-syntax.html
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import NamedTuple

import msgspec

from trailwatch.enrich.networks import Networks
from trailwatch.errors import ConfigError

ANY_SERVICE = "AMAZON"


class AwsRange(NamedTuple):
    """What AWS says of one range."""

    service: str
    region: str


class _Prefix4(msgspec.Struct):
    ip_prefix: str
    region: str = ""
    service: str = ANY_SERVICE


class _Prefix6(msgspec.Struct):
    ipv6_prefix: str
    region: str = ""
    service: str = ANY_SERVICE


class _File(msgspec.Struct):
    prefixes: list[_Prefix4]
    ipv6_prefixes: list[_Prefix6] = []


def read_aws_ranges(path: Path) -> Networks[AwsRange]:
    """The ranges of the file.

    Raises:
        ConfigError: it cannot be read, or is not in that format.
    """
    remedy = "get it anew from https://ip-ranges.amazonaws.com/ip-ranges.json, or correct addresses.aws_ranges"
    networks: Networks[AwsRange] = Networks()
    try:
        content = msgspec.json.decode(path.read_bytes(), type=_File)
        for four in content.prefixes:
            networks.add(ipaddress.ip_network(four.ip_prefix), AwsRange(four.service, four.region))
        for six in content.ipv6_prefixes:
            networks.add(ipaddress.ip_network(six.ipv6_prefix), AwsRange(six.service, six.region))
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror}", remedy) from error
    except (ValueError, msgspec.MsgspecError) as error:
        raise ConfigError(str(path), f"is no file of AWS's address ranges: {error}", remedy) from error
    return networks
