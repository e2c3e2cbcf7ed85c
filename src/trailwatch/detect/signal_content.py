"""Signals as a state keeps them: their keys as numbers, and what else is known of them packed."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec


class Content(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a signal: of an event its brief, of a lower correlation's moment that one's key."""

    key: tuple[str, ...]
    brief: tuple[Any, ...]
    """The values of a `Brief` in order; empty for a lower correlation's moment."""
    lower: tuple[str, ...] = ()


def number_of(texts: Sequence[str]) -> int:
    """63 bits that stand for these texts."""
    raw = "\0".join(texts).encode("utf-8", "surrogatepass")
    if raw.count(0) != len(texts) - 1:
        # a NUL within a text must not look like the border between two
        raw = b"".join(
            len(part).to_bytes(8, "big") + part for part in (t.encode("utf-8", "surrogatepass") for t in texts)
        )
    return int.from_bytes(blake2b(raw, digest_size=8).digest(), "big") >> 1


class Keys(dict[tuple[str, ...], tuple[int, bytes]]):
    """For each key its number and its place in a content."""

    def __missing__(self, key: tuple[str, ...]) -> tuple[int, bytes]:
        value = self[key] = number_of(key), ENCODE(key)
        return value


ENCODE = msgspec.msgpack.Encoder().encode
THREE, NONE = b"\x93", b"\x90"
"""In MessagePack the beginning of a list of three, and an empty list: contents are put together from parts."""
DECODE = msgspec.msgpack.Decoder(Content).decode
