"""One record, whatever it holds, as a dict."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

from trailwatch.decode.mend import mend
from trailwatch.errors import DecodeError

_DECODER = msgspec.json.Decoder(dict[str, Any])
_SHOWN = 60


def to_mapping(raw: bytes | msgspec.Raw, origin: str = "") -> dict[str, Any]:
    """The JSON object as a dict that holds only valid text.

    Lone surrogates and invalid UTF-8 become U+FFFD, NaN and infinities null, numbers that no float can hold their
    text; of a repeated name the last value counts.

    Raises:
        DecodeError: it is no JSON object, or is nested too deeply.
    """
    try:
        return _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    except RecursionError:
        raise _too_deep(origin) from None
    text = mend(bytes(raw)).text
    try:
        value = json.loads(text, parse_int=_integer, parse_float=_number, parse_constant=_no_constant)
    except ValueError as error:
        raise DecodeError(origin, f"no JSON: {error}, in {_start(text)}") from None
    except RecursionError:
        raise _too_deep(origin) from None
    if not isinstance(value, dict):
        raise DecodeError(origin, f"expected a JSON object, got {_start(text)}")
    return value


def _integer(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def _number(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text


def _no_constant(_: str) -> None:
    return None


def _too_deep(origin: str) -> DecodeError:
    return DecodeError(origin, "nested too deeply to be a CloudTrail record")


def _start(text: bytes) -> str:
    shown = repr(text[:_SHOWN])[1:]
    return shown if len(text) <= _SHOWN else shown + "..."
