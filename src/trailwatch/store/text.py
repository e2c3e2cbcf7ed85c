"""What may go into a column: texts that SQLite and JSON can hold, of bounded length.

Decoding guarantees valid text; this is the second door, because one lone surrogate would undo a whole transaction.
"""

from __future__ import annotations

import hashlib

TEXT_KEPT = 8192
RECORD_KEPT = 256 * 1024
"""CloudTrail's own limit for one event."""
ID_KEPT = 128


def storable(text: str, kept: int = TEXT_KEPT) -> str:
    """The text's first `kept` characters; a lone surrogate becomes U+FFFD."""
    short = text if len(text) <= kept else text[: kept - 3] + "..."
    if short.isascii():
        return short  # in a fraction of the time
    try:
        short.encode()
    except UnicodeEncodeError:
        return short.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return short


def storable_id(text: str) -> str:
    """The id itself, or a digest of one that is longer than any real one, so that two long ones stay two."""
    if len(text) <= ID_KEPT:
        return storable(text)
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
