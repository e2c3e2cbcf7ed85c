"""Actor: who it began with, found by following links back from what a record says."""

from __future__ import annotations

import msgspec

ARROW = " -> "
"""Between the parts of an actor's text."""


class Actor(msgspec.Struct, frozen=True):
    """Where the links from one identity lead."""

    key: str
    """Stable text to group by: the identity at which the links end."""
    text: str
    """For people: `alice (IAM user) in 111122223333 -> role Admin -> role Deploy in account 222233334444`."""
    chain: tuple[str, ...]
    """The texts of its parts, the beginning first."""
    path: tuple[str, ...]
    """Every identity on the way, where it ended up last; a link to one of them that comes late may lead elsewhere."""
    why: str = ""
    """Why the origin was not seen; empty where it was."""


def node_text(node: str) -> str:
    """An identity of a link for people, with its account where it has one; empty for a key, which says nothing."""
    scheme, _, rest = node.partition(":")
    if scheme == "arn":
        return _arn_text(node)
    if scheme in _SAYS_NOTHING:
        return ""
    form, separator = _FORMS.get(scheme, ("", ""))
    if not form:
        return node
    if separator == "@":
        name, _, account = rest.rpartition("@")
        return _in(form.format(name), account)
    name, _, provider = rest.partition("|")
    return form.format(name) + (f" of {provider}" if provider else "")


_SAYS_NOTHING = ("key", "login", "shared")
_FORMS = {
    "service": ("AWS service {}", "@"),
    "machine": ("machine {}", "@"),
    "id": ("principal {}", "@"),
    "sso": ("{} (Identity Center)", "|"),
    "sso-id": ("user {} (Identity Center)", "|"),
    "saml": ("{} (SAML)", "|"),
    "web": ("{} (web identity)", "|"),
    "source": ("{} (source identity)", "|"),
}
"""For each scheme of identities its text, and what stands before the account or the provider."""


def _arn_text(arn: str) -> str:
    parts = arn.split(":", 5)
    if len(parts) < 6:  # noqa: PLR2004 arn:aws:iam::account:resource
        return arn
    account, resource = parts[4], parts[5]
    kind, _, name = resource.partition("/")
    form = _KINDS.get(kind if name else resource.partition(":")[0])
    if form is None:
        return arn
    if kind == "assumed-role":
        name = name.partition("/")[0]
    elif kind in ("user", "role"):
        name = name.rpartition("/")[2]
    elif not name:
        name = resource.partition(":")[2]
    return _in(form.format(name), account)


_KINDS = {
    "root": "root",
    "user": "{} (IAM user)",
    "role": "role {}",
    "assumed-role": "role {}",
    "federated-user": "federated user {}",
    "function": "function {}",
}


def _in(text: str, account: str) -> str:
    return f"{text} in {account}" if account else text
