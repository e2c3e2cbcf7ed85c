"""The lists of one's own that shipped rules ask for: placeholders, whose rules are off while they are empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class OwnList(NamedTuple):
    """One row of the table."""

    name: str
    """What it is called under `[rules.placeholders]`."""
    sentence: str
    example: tuple[str, ...]
    """Values with which the examples of its rules hold."""


OWN_LISTS: tuple[OwnList, ...] = (
    OwnList(
        "decoy_users", "Names of IAM users that nobody uses, there to be found by an intruder.", ("backup-admin",)
    ),
    OwnList(
        "decoy_keys",
        "Access key ids that nobody uses, such as those left in a file or a repository on purpose.",
        ("AKIAIOSFODNN7DECOY00",),
    ),
    OwnList("decoy_buckets", "Names of buckets that nobody uses.", ("example-payroll-archive",)),
    OwnList(
        "decoy_secrets",
        "Names of secrets and parameters that nobody reads, or the part of their ARNs that tells them apart.",
        ("payroll/master",),
    ),
    OwnList("decoy_roles", "Names of roles that nobody assumes.", ("legacy-administrator",)),
    OwnList(
        "guarded_roles",
        "Names of roles for emergencies: each time one is assumed, somebody should know.",
        ("break-glass",),
    ),
    OwnList(
        "guarded_groups",
        "Ids of security groups that only pipelines change.",
        ("sg-0f00d0f00d0f00d01",),
    ),
    OwnList(
        "unwanted_images", "Ids of machine images that must not be started any more.", ("ami-0bad0bad0bad0bad0",)
    ),
    OwnList(
        "allowed_regions", "The regions that you work in; changes in others are told.", ("eu-west-1", "us-east-1")
    ),
)


def example_lists() -> Mapping[str, tuple[str, ...]]:
    """Values for every list, so that all shipped rules load: for tests and for the generated pages."""
    return {one.name: one.example for one in OWN_LISTS}
