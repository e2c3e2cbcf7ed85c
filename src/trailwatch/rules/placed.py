"""Data of a rule file together with the places of its parts."""

from __future__ import annotations

from typing import Any


class Placed:
    """Data whose parts all stand at one place, as the constants of a Python file do.

    Args:
        data: plain Python values.
        place: `path:line:column` for everything in it.
    """

    def __init__(self, data: Any, place: str) -> None:
        self.data = data
        self._place = place

    def at(self, *_steps: str | int) -> str:
        """The place of a part of the data, as far as known: `path:line:column`."""
        return self._place
