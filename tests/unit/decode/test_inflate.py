import gzip
import time
import zlib

import pytest
from zlib_ng import zlib_ng

from trailwatch.decode.inflate import inflate, inflate_prefix, is_gzip
from trailwatch.errors import DecodeError


def test_every_member_of_a_gzip_body_is_read():
    body = gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two")

    assert inflate(body) == b"one two"


def test_zeros_after_the_last_member_are_padding():
    assert inflate(gzip.compress(b"one") + bytes(1000)) == b"one"


def test_bytes_after_the_last_member_are_told_with_their_place():
    body = gzip.compress(b"one")

    with pytest.raises(DecodeError, match=f"a.gz: bytes that are no gzip member at byte {len(body)}"):
        inflate(body + b"rest", origin="a.gz")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(gzip.compress(b"one") * 2, id="twice"),
        pytest.param(gzip.compress(b"") + gzip.compress(b"one"), id="empty first"),
        pytest.param(gzip.compress(b"one") + gzip.compress(b""), id="empty last"),
        pytest.param(gzip.compress(b"one") + gzip.compress(b"one") + bytes(3), id="padded"),
        pytest.param(gzip.compress(bytes(range(256)) * 70_000), id="large"),
        pytest.param(gzip.compress(b"\x1f\x8b\x08 within", 0), id="magic within"),
    ],
)
def test_a_body_of_any_members_is_what_the_standard_library_makes_of_it(body):
    assert inflate(body) == gzip.decompress(body)


@pytest.mark.parametrize("at", range(0, 60, 3))
def test_a_flipped_bit_anywhere_is_never_taken_for_content(at):
    body = bytearray(gzip.compress(bytes(range(40)), mtime=0))
    body[min(at, len(body) - 1)] ^= 0x40
    inflated = inflate_prefix(bytes(body))
    try:
        expected = gzip.decompress(bytes(body))
    except (OSError, EOFError, ValueError, zlib.error):
        assert inflated.broken
    else:
        assert inflated.broken or inflated.body == expected


@pytest.mark.parametrize("lost", [1, 4, 8, 20])
def test_a_torn_member_is_told_and_what_came_before_is_kept(lost):
    whole, torn = gzip.compress(b"whole\n"), gzip.compress(bytes(range(256)) * 10)

    inflated = inflate_prefix(whole + torn[:-lost], origin="a.gz")

    assert inflated.body.startswith(b"whole\n")
    assert "ends early" in str(inflated.broken)


def test_a_corrupt_member_is_told_with_its_place():
    first, second = gzip.compress(b"first"), bytearray(gzip.compress(b"second" * 100))
    second[15] ^= 0xFF

    with pytest.raises(DecodeError, match=f"corrupt gzip member at byte {len(first)}"):
        inflate(first + bytes(second))


def test_a_body_larger_than_the_limit_is_refused_without_being_made():
    body = gzip.compress(bytes(50_000_000), 9)

    with pytest.raises(DecodeError, match="more than 1,000,000 bytes"):
        inflate(body, limit_bytes=1_000_000)


def test_a_gzip_bomb_is_refused_by_its_ratio():
    packer = zlib_ng.compressobj(9, zlib_ng.DEFLATED, 31)
    zeros = bytes(1 << 20)
    body = b"".join(packer.compress(zeros) for _ in range(200)) + packer.flush()

    with pytest.raises(DecodeError, match="a gzip bomb"):
        inflate(body)


def test_many_small_members_take_time_in_proportion_to_their_number():
    body = gzip.compress(b"{}\n") * 20_000
    started = time.process_time()

    assert inflate(body) == b"{}\n" * 20_000
    assert time.process_time() - started < 5


def test_a_body_of_exactly_the_limit_is_read():
    assert len(inflate(gzip.compress(bytes(1000)), limit_bytes=1000)) == 1000


def test_gzip_is_told_by_its_first_bytes():
    assert is_gzip(gzip.compress(b""))
    assert not is_gzip(b"{}")
