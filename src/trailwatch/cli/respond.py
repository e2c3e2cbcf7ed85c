"""`trailwatch respond`: lock an intruder out, and be able to undo it."""

from __future__ import annotations

import click

from trailwatch.cli.lazy_group import Entry, LazyGroup

LAZY: dict[str, Entry] = {
    "plan": Entry("trailwatch.cli.respond_plan", "Show every call that would be made, and what it would cut off."),
    "apply": Entry("trailwatch.cli.respond_apply", "Carry a plan out, or go on with one that was cut off."),
    "status": Entry("trailwatch.cli.respond_status", "What was done, and how far it got."),
    "undo": Entry("trailwatch.cli.respond_undo", "Put back what was there before."),
    "approve": Entry("trailwatch.cli.respond_approve", "Say yes to what waits to be done automatically."),
    "decline": Entry("trailwatch.cli.respond_decline", "Say no to it."),
    "freeze": Entry("trailwatch.cli.respond_freeze", "Stop every response, or let them go on."),
    "export": Entry("trailwatch.cli.respond_export", "Write the journal of a plan as evidence."),
    "playbooks": Entry("trailwatch.cli.respond_playbooks", "List playbooks, and what is wrong with them."),
}


@click.group(cls=LazyGroup, lazy=LAZY)
def command() -> None:
    """Lock an intruder out, and be able to undo it."""
