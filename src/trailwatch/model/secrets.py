"""Secrets that records hold, masked before anybody sees them.

CloudTrail hides most of what is secret, not all: AssumeRole answers hold session tokens, user data scripts hold
passwords, environments of functions hold keys. The names of fields tell.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

MASK = "***"
_SHORTEST_QUOTED = 6
"""A shorter secret is not looked for in other texts: it would mask half of every sentence."""
_GIVEN_AWAY_BY = 12
"""Characters at its start by which a longer secret is recognised where a text cut it short."""

_SECRET_NAME = re.compile(
    r"(?:password|passwd|passphrase|secret|secretstring|secretbinary|secretaccesskey|sessiontoken|securitytoken"
    r"|authtoken|accesstoken|refreshtoken|idtoken|bearertoken|apikey|privatekey|privatekeymaterial|keymaterial"
    r"|plaintext|credentials?value|connectionstring|userdata|webidentitytoken|samlassertion|tokencode"
    r"|authorization)$",
    re.IGNORECASE,
)
# these hold names and values that the caller chose: every value is masked
_ENVIRONMENT_NAMES = frozenset({"environmentvariables", "variables"})
_SIGNED_QUERY = re.compile(r"(?i)((?:x-amz-signature|x-amz-security-token|x-amz-credential)=)[^&\s\"']+")
_LONGEST_NAME_KEPT = 100
_SEPARATORS = re.compile(r"[-_ .]")


def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds a secret, whatever its spelling: `SecretAccessKey`, `secret_access_key`."""
    return _SECRET_NAME.search(_SEPARATORS.sub("", name)) is not None


def masked(value: Any) -> Any:
    """A copy of decoded JSON with `***` for every secret; booleans, null and empty texts stay, they tell no secret.

    Not recursive, so no nesting is too deep.
    """
    top: list[Any] = [None]
    pending: list[tuple[Any, Any, Any, bool]] = [(value, top, 0, False)]
    while pending:
        item, parent, key, secret = pending.pop()
        if isinstance(item, Mapping):
            copy: dict[str, Any] = dict.fromkeys(item)
            parent[key] = copy
            pending.extend((inner, copy, name, secret or _hides(name)) for name, inner in item.items())
        elif isinstance(item, list):
            copies: list[Any] = [None] * len(item)
            parent[key] = copies
            pending.extend((inner, copies, at, secret) for at, inner in enumerate(item))
        elif secret and item not in (None, True, False, ""):
            parent[key] = MASK
        else:
            parent[key] = masked_text(item) if isinstance(item, str) else item
    return top[0]


class Mask:
    """Masks, in any text, the secrets that some records hold; call it with the text.

    Args:
        records: decoded records; a text such as a reason may quote from them.
    """

    def __init__(self, *records: Any) -> None:
        found = {secret for record in records for secret in _secrets(record)}
        self._secrets = sorted(found, key=lambda secret: (-len(secret), secret))

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = _without(text, secret)
        return masked_text(text)


def _without(text: str, secret: str) -> str:
    """The text without the secret, whole or cut short; a mere likeness, such as another ARN, stays."""
    start = secret[:_GIVEN_AWAY_BY]
    at = text.find(start)
    while at >= 0:
        end = at + len(start)
        while end < len(text) and text[end] == secret[end - at : end - at + 1]:
            end += 1
        whole, cut = end - at == len(secret), end == len(text) or text.startswith("...", end)
        if whole or cut:
            text = text[:at] + MASK + text[end:]
            end = at + len(MASK)
        at = text.find(start, end)
    return text


def masked_text(text: str) -> str:
    """The text with the signatures of presigned addresses masked."""
    return _SIGNED_QUERY.sub(rf"\g<1>{MASK}", text) if "=" in text else text


def _secrets(value: Any) -> Iterator[str]:
    pending: list[tuple[Any, bool]] = [(value, False)]
    while pending:
        item, secret = pending.pop()
        if isinstance(item, Mapping):
            pending.extend((inner, secret or _hides(name)) for name, inner in item.items())
        elif isinstance(item, list):
            pending.extend((inner, secret) for inner in item)
        elif secret and isinstance(item, str) and len(item) >= _SHORTEST_QUOTED:
            yield item


def _hides(name: str) -> bool:
    return _hides_known(name) if len(name) <= _LONGEST_NAME_KEPT else _tells_of_secrets(name)


def _tells_of_secrets(name: str) -> bool:
    return is_secret_name(name) or name.lower() in _ENVIRONMENT_NAMES


# records name few fields, and a caller who makes up names cannot fill the memory with them
_hides_known = functools.lru_cache(maxsize=4096)(_tells_of_secrets)
