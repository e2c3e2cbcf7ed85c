"""gzip to bytes, member by member, within bounds of size and ratio."""

from __future__ import annotations

from typing import NamedTuple

from isal import isal_zlib

from trailwatch.errors import DecodeError

LIMIT_BYTES = 1 << 30
"""Most that one body may inflate to. CloudTrail's own files have up to 50 MB packed, about 0.7 GB unpacked."""
FREE_BYTES = 16 << 20
"""Up to here the ratio is not looked at."""
LIMIT_RATIO = 300
"""Most bytes out for one byte in; recorded trails have 8 to 40, a bomb 1,000."""

_MAGIC = b"\x1f\x8b"
_GZIP_ONLY = 31
_LATER_CHUNK = 1 << 12


class Inflated(NamedTuple):
    """What came out, and why not everything did."""

    body: bytes
    broken: DecodeError | None
    """None when the input was read to its end."""


def is_gzip(body: bytes) -> bool:
    """By its first bytes, never by a name."""
    return body[:2] == _MAGIC


def inflate(body: bytes, limit_bytes: int = LIMIT_BYTES, origin: str = "") -> bytes:
    """All members of a gzip body, joined; zeros after the last member are padding.

    Raises:
        DecodeError: it is torn, corrupt, or inflates to more than the limits allow.
    """
    inflated = inflate_prefix(body, limit_bytes, origin)
    if inflated.broken is not None:
        raise inflated.broken
    return inflated.body


def inflate_prefix(body: bytes, limit_bytes: int = LIMIT_BYTES, origin: str = "") -> Inflated:
    """What can be inflated before the body breaks; nothing where a limit is passed."""
    view = memoryview(body)
    most = min(limit_bytes, max(FREE_BYTES, LIMIT_RATIO * len(body)))
    out: list[bytes] = []
    at, total = 0, 0
    while at < len(body):
        if body[at : at + 2] != _MAGIC:
            if not body[at:].strip(b"\0"):
                break
            return _broken(out, origin, f"bytes that are no gzip member at byte {at} of {len(body)}")
        start, member = at, isal_zlib.decompressobj(_GZIP_ONLY)
        chunk = _LATER_CHUNK if start else len(body)
        pending: bytes | memoryview = b""
        while not member.eof:
            if not pending:
                pending = view[at : at + chunk]
                at += len(pending)
                chunk *= 2
            ended = not pending
            try:
                piece = member.decompress(pending, most - total + 1)
            except isal_zlib.error as error:  # type: ignore[misc]  # its stub gives an instance for the class
                return _broken(out, origin, f"corrupt gzip member at byte {start}: {error}")
            if ended and not piece:
                return _broken(out, origin, f"the gzip member at byte {start} ends early, at byte {len(body)}")
            pending = member.unconsumed_tail
            total += len(piece)
            if total > most:
                return Inflated(b"", _too_large(origin, total, len(body), limit_bytes))
            out.append(piece)
        at -= len(member.unused_data)
    return Inflated(out[0] if len(out) == 1 else b"".join(out), None)


def _broken(out: list[bytes], origin: str, what: str) -> Inflated:
    return Inflated(b"".join(out), DecodeError(origin, what, "fetch the file again if it was cut on the way"))


def _too_large(origin: str, total: int, consumed: int, limit_bytes: int) -> DecodeError:
    if total > limit_bytes:
        return DecodeError(
            origin, f"inflates to more than {limit_bytes:,} bytes", "split the file and read the parts"
        )
    return DecodeError(
        origin,
        f"{consumed:,} bytes inflate to more than {total:,}, a gzip bomb",
        "no trail packs so well; look at it",
    )
