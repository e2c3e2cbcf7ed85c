"""What follows where some rules held together: which of them only feed others, and what notes the event for these."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from trailwatch.detect.compiled_rule import CompiledRule
from trailwatch.detect.glance import Taking
from trailwatch.detect.notes import Noter
from trailwatch.detect.signals import SignalMaker

TOGETHER_KEPT = 4096
"""So many sets of rules that held together are remembered with what follows."""


class Feeding(NamedTuple):
    """What follows where some rules held together."""

    said: tuple[str, ...]
    """Ids of those that need not be asked: they give signals, and no script has a say."""
    noter: Noter | None
    """What notes the event; None where it is told or asked more."""


class Feeders:
    """The rules that give signals and no matches.

    Args:
        ids: theirs.
        maker: makes the signals.
        noting: whether events may be noted instead, where the maker does that.
    """

    def __init__(self, ids: Collection[str], maker: SignalMaker, *, noting: bool = True) -> None:
        self.ids = frozenset(ids)
        self._maker = maker
        self._noting = noting
        self._known: dict[Sequence[CompiledRule], Feeding] = {}

    def of(self, held: tuple[CompiledRule, ...]) -> Feeding:
        """What follows where these rules held together."""
        return self._known.get(held) or self._found(held)

    def taking(self, held: tuple[CompiledRule, ...]) -> Taking | None:
        """How events to which these rules say yes, and no other, are taken as rows; None where they are not."""
        noter = self.of(held).noter
        return None if noter is None else noter.taking

    def _found(self, held: tuple[CompiledRule, ...]) -> Feeding:
        if len(self._known) >= TOGETHER_KEPT:
            self._known.clear()
        said = tuple(one.rule.info.id for one in held if one.rule.script is None and one.rule.info.id in self.ids)
        noter = self._maker.noter(said) if self._noting and len(said) == len(held) else None
        feeding = self._known[held] = Feeding(said, noter)
        return feeding
