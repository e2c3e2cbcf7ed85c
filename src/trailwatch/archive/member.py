"""One append to an archive file: a gzip member that says in its header how long it is.

The length stands in the header's extra field (RFC 1952 2.3.1.1, subfield `TW`, eight bytes, little-endian), as BGZF
does it. Every gzip reader skips it; the archive hops from member to member by it, so that it finds out without
inflating whether the last append is complete.

Source: https://www.rfc-editor.org/rfc/rfc1952
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from zlib_ng import zlib_ng

_HEADER = struct.Struct("<4s4xxBH2sHQ")
_MAGIC = b"\x1f\x8b\x08\x04"
_UNKNOWN_SYSTEM = 255
_EXTRA_BYTES = 12
_SUBFIELD = b"TW"
_LENGTH_BYTES = 8
_TRAILER = struct.Struct("<II")
_LEVEL = 6
_GZIP_ONLY = 31
_CHUNK = 1 << 16


def pack(content: bytes) -> bytes:
    """The content as one member."""
    deflate = zlib_ng.compressobj(_LEVEL, zlib_ng.DEFLATED, -15)
    packed = deflate.compress(content) + deflate.flush()
    length = _HEADER.size + len(packed) + _TRAILER.size
    header = _HEADER.pack(_MAGIC, _UNKNOWN_SYSTEM, _EXTRA_BYTES, _SUBFIELD, _LENGTH_BYTES, length)
    return header + packed + _TRAILER.pack(zlib_ng.crc32(content), len(content) & 0xFFFFFFFF)


def end_of_members(file: BinaryIO, size: int) -> int:
    """Where the last complete member of the file ends; less than `size` where what follows is torn.

    Lengths are believed for all members but the last, which is inflated; members of other writers are inflated too.
    """
    at = 0
    while at < size:
        length = _length(file, at)
        end = at + length if length else 0
        if not end or end > size or (end == size and not _inflates(file, at, end)):
            end = _inflated_end(file, at, size)
            if not end:
                return at
        at = end
    return at


def _length(file: BinaryIO, at: int) -> int:
    """What the member at this place says of its length; 0 where it is not one of ours."""
    file.seek(at)
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return 0
    magic, system, extra, subfield, width, length = _HEADER.unpack(header)
    ours = (magic, system, extra, subfield, width) == (
        _MAGIC,
        _UNKNOWN_SYSTEM,
        _EXTRA_BYTES,
        _SUBFIELD,
        _LENGTH_BYTES,
    )
    return length if ours and length > _HEADER.size else 0


def _inflates(file: BinaryIO, at: int, end: int) -> bool:
    return _inflated_end(file, at, end) == end


def _inflated_end(file: BinaryIO, at: int, size: int) -> int:
    """Where the member that begins here ends, found by inflating it; 0 where it is torn or corrupt."""
    member = zlib_ng.decompressobj(_GZIP_ONLY)
    file.seek(at)
    try:
        while not member.eof:
            chunk = file.read(min(_CHUNK, size - at))
            if not chunk:
                return 0
            at += len(chunk)
            while chunk and not member.eof:
                member.decompress(chunk, _CHUNK)
                chunk = member.unconsumed_tail
    except zlib_ng.error:  # type: ignore[misc]  # its stub gives an instance for the class
        return 0
    return at - len(member.unused_data)
