"""Why a rule cannot be said in another language."""

from __future__ import annotations

from trailwatch.errors import TrailwatchError


class Inexpressible(TrailwatchError):  # noqa: N818 it names a property of the rule, not a fault
    """The target cannot say exactly what the rule says; the text gives the reason. Nothing is ever approximated."""

    exit_code = 3
