"""Values as bytes that fit into an item: JSON, packed."""

from __future__ import annotations

import zlib
from typing import TypeVar

import msgspec

from trailwatch.errors import StoreError

LARGEST_BYTES = 390_000
"""An item may have 400 KB with all its names."""
_INFLATED_BYTES = 64 << 20
_Kind = TypeVar("_Kind")


def packed(value: object, where: str) -> bytes:
    """The value as bytes.

    Raises:
        StoreError: there are too many for an item.
    """
    body = zlib.compress(msgspec.json.encode(value), 6)
    if len(body) > LARGEST_BYTES:
        raise StoreError(where, f"{len(body):,} bytes, an item has room for {LARGEST_BYTES:,}", "act by hand")
    return body


def unpacked(body: object, kind: type[_Kind], where: str) -> _Kind:
    """The value of such bytes.

    Raises:
        StoreError: they hold no such value.
    """
    try:
        text = zlib.decompressobj().decompress(bytes(body), _INFLATED_BYTES)  # type: ignore[call-overload]  # TypeError is caught
        return msgspec.json.decode(text, type=kind)
    except (zlib.error, TypeError, msgspec.MsgspecError) as error:
        raise StoreError(where, f"cannot be read: {error}", "it was written by something else") from error
