"""Rules on trial, kept in the store: what each rule asks, since when, and since when it tells people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from trailwatch.store.database import Database


class Trial(msgspec.Struct, frozen=True):
    """What is known of one rule. Times are seconds since 1970."""

    rule_id: str
    slug: str
    condition: str
    """A digest of what it asks."""
    since: int
    """When it was first seen with this condition."""
    live: int | None
    """Since when it tells people; None while it is on trial."""


class Trials:
    """The table `rule_trial`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[str, Trial]:
        """Every rule that was ever loaded while trials were asked for, by id."""
        rows = self._database.all("SELECT rule_id, slug, condition, since, live FROM rule_trial")
        return {row["rule_id"]: Trial(*row) for row in rows}

    def on_trial(self) -> list[Trial]:
        """Those that tell nobody, those first that have been so for longest."""
        rows = self._database.all(
            "SELECT rule_id, slug, condition, since, live FROM rule_trial WHERE live IS NULL ORDER BY since, slug"
        )
        return [Trial(*row) for row in rows]

    def keep(self, trials: Iterable[Trial]) -> None:
        with self._database.transaction():
            self._database.executemany(
                "INSERT OR REPLACE INTO rule_trial (rule_id, slug, condition, since, live) VALUES (?, ?, ?, ?, ?)",
                [msgspec.structs.astuple(one) for one in trials],
            )

    def end(self, rule_ids: Iterable[str], now: int) -> None:
        """From now on these tell people."""
        with self._database.transaction():
            self._database.executemany(
                "UPDATE rule_trial SET live = ? WHERE rule_id = ? AND live IS NULL", [(now, one) for one in rule_ids]
            )

    def judged(self, conditions: Mapping[str, tuple[str, str]], now: int, *, first: bool) -> None:
        """Puts new and changed rules on trial; all others stay as they are.

        Args:
            conditions: rule id to slug and digest of what it asks, of every rule that is loaded.
            now: seconds since 1970.
            first: whether trials are asked for only now: then what is loaded counts as tried.
        """
        known = self.all()
        changed = [
            Trial(rule_id, slug, condition, now, now if first else None)
            for rule_id, (slug, condition) in conditions.items()
            if rule_id not in known or known[rule_id].condition != condition
        ]
        self.keep(changed)
