"""Which calls CloudTrail records as reading only, and which it does not keep in event history, by their names."""

from __future__ import annotations

READ_VERBS = ("BatchGet", "Describe", "Get", "Head", "List", "Lookup", "Search", "Simulate")
READ_ONLY = frozenset(
    {
        "AssumeRole",
        "AssumeRoleWithSAML",
        "AssumeRoleWithWebIdentity",
        "AssumeRoot",
        "Decrypt",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "DecodeAuthorizationMessage",
    }
)
"""Recorded with `readOnly: true` although their names do not sound like it."""
NOT_READ_ONLY = frozenset({"GetFederationToken", "GetSigninToken"})
"""Recorded with `readOnly: false`, so the poll of what changes something shows them."""
DATA_EVENTS = frozenset(
    {
        "BatchGetItem",
        "GetItem",
        "GetObject",
        "GetObjectAcl",
        "GetObjectTagging",
        "GetRecords",
        "HeadObject",
        "ListObjects",
        "ListObjectsV2",
        "ListObjectVersions",
    }
)
"""Data events: event history does not hold them, so no look-up finds them."""


def is_read_only(name: str) -> bool:
    """Whether events of this name are recorded with `readOnly: true`."""
    if name in NOT_READ_ONLY:
        return False
    return name in READ_ONLY or name.startswith(READ_VERBS)
