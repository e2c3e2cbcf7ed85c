"""Walks over the text of a filter pattern, and says where it is."""

from __future__ import annotations

import re
from collections.abc import Callable

from trailwatch.errors import RuleError

Locate = Callable[[int], str]
"""Turns a character's offset in the pattern into `file:line:column`."""

BARE = re.compile(r"[A-Za-z0-9_.*:/@+-]+")
"""A value without quotes."""
WORD = re.compile(r"[A-Za-z]+")
_BLANK = re.compile(r"\s*")


def in_text(text: str, origin: str) -> Locate:
    """What names a place within a text that is no file: `origin:line:column`, from 1."""

    def locate(at: int) -> str:
        line = text.count("\n", 0, at) + 1
        return f"{origin}:{line}:{at - (text.rfind(chr(10), 0, at) + 1) + 1}"

    return locate


class Scanner:
    """The text and a place in it.

    Args:
        text: the pattern.
        locate: names a place in it for errors.
    """

    def __init__(self, text: str, locate: Locate) -> None:
        self.text = text
        self.locate = locate
        self.at = 0

    def skip(self) -> None:
        blank = _BLANK.match(self.text, self.at)
        self.at = blank.end() if blank else self.at

    def take(self, sign: str) -> bool:
        self.skip()
        if not self.text.startswith(sign, self.at):
            return False
        self.at += len(sign)
        return True

    def word(self) -> str:
        found = WORD.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return found.group() if found else ""

    def next_word(self) -> tuple[int, str]:
        self.skip()
        return self.at, self.word()

    def seen(self, at: int | None = None) -> str:
        """What stands at a place, for an error: a word, a sign, or the end."""
        start = self.at if at is None else at
        found = BARE.match(self.text, start)
        if found is not None:
            return f'"{found.group()[:40]}"'
        return f'"{self.text[start]}"' if start < len(self.text) else "the end of the pattern"

    def quoted(self) -> str:
        start = self.at
        characters: list[str] = []
        self.at += 1
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == '"':
                self.at += 1
                return "".join(characters)
            if character == "\\" and self.text[self.at + 1 : self.at + 2] in {'"', "\\"}:
                self.at += 1
                character = self.text[self.at]
            characters.append(character)
            self.at += 1
        raise self.error(
            "the text that starts here does not end", 'close it with a double quote, write \\" inside', start
        )

    def error(self, what: str, remedy: str, at: int | None = None) -> RuleError:
        return RuleError(self.locate(self.at if at is None else at), what, remedy)
