"""Regular expressions of rules run on RE2, which takes linear time on every text and refuses what could not."""

from __future__ import annotations

import functools
from collections.abc import Callable


@functools.lru_cache(maxsize=4096)
def compile_regex(pattern: str) -> Callable[[str], bool]:
    """Whether the pattern is found in a text.

    Raises:
        ValueError: RE2 refuses it; the text is RE2's own reason.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        search = re2.compile(pattern, options=options).search
    except re2.error as error:
        reason = error.args[0] if error.args else error
        raise ValueError(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from None
    # bytes, because the library turns every place of a text back into characters, at twice the cost of the search
    return lambda text: search(text.encode()) is not None


def regex_refusal(pattern: str) -> str:
    """Why RE2 refuses the pattern; empty when it takes it."""
    try:
        compile_regex(pattern)
    except ValueError as error:
        return str(error)
    return ""
