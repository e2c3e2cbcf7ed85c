"""What a cycle does besides reading event history: each thing in a module of its own, asked for by the settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trailwatch.service.places import AccountAccess
from trailwatch.service.report import CycleReport
from trailwatch.service.tasks import Place


class Companion(Protocol):
    """One such thing, made anew for each cycle; all is called by the main thread."""

    def begin(self, deadline: float, reach_back: int) -> None:
        """Called first, with the monotonic time after which nothing new is begun and how far back is asked for."""

    def beside(self, access: AccountAccess, places: Sequence[Place]) -> None:
        """Called for each account while event history is read; what takes time belongs into threads."""

    def read(self, report: CycleReport) -> None:
        """Called when event history was read and before anything is told."""

    def conclude(self, report: CycleReport, notices: Sequence[str]) -> None:
        """Called when the report says how far every region is; `notices` names who is told of trailwatch itself."""

    def follow_up(self, report: CycleReport, notices: Sequence[str]) -> bool:
        """Called each time after alerts were told; whether there is something more to send."""


class Quiet:
    """A companion that does nothing, for others to begin with."""

    def begin(self, deadline: float, reach_back: int) -> None:
        """Nothing."""

    def beside(self, access: AccountAccess, places: Sequence[Place]) -> None:
        """Nothing."""

    def read(self, report: CycleReport) -> None:
        """Nothing."""

    def conclude(self, report: CycleReport, notices: Sequence[str]) -> None:
        """Nothing."""

    def follow_up(self, report: CycleReport, notices: Sequence[str]) -> bool:  # noqa: ARG002 one shape for all
        """Nothing."""
        return False
