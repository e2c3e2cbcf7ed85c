"""The command line: a table of commands, each loaded only when it is called."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from trailwatch.cli.lazy_group import Entry, LazyGroup
from trailwatch.version import __version__

if TYPE_CHECKING:
    from trailwatch.config.load import Loaded
    from trailwatch.config.schema import Config


COMMANDS: dict[str, Entry] = {
    "check": Entry(
        "trailwatch.cli.check", "Read event history once, in every region, and tell what matters (also -c)."
    ),
    "watch": Entry("trailwatch.cli.watch", "The same as a service, one cycle a minute."),
    "scan": Entry("trailwatch.cli.scan", "Run the rules over log files, folders or stdin."),
    "status": Entry("trailwatch.cli.status", "Last good cycle, coverage, lag and outbox."),
    "coverage": Entry("trailwatch.cli.coverage", "What was read, what is missing, and which rules can never fire."),
    "canary": Entry("trailwatch.cli.canary", "How long until a call of our own is seen as an event."),
    "alerts": Entry("trailwatch.cli.alerts", "List, show, acknowledge, close, put off and suppress alerts."),
    "suppressions": Entry("trailwatch.cli.suppressions", "What nobody is told of, and what that hid or would hide."),
    "noise": Entry("trailwatch.cli.noise", "Which rules tell too much, and the allowlist that would quiet each."),
    "state": Entry("trailwatch.cli.state", "How large the state file and the archive are; forget what is old."),
    "notify": Entry("trailwatch.cli.notify", "List notifiers, and send a test message through each."),
    "outbox": Entry("trailwatch.cli.outbox", "What waits to be sent or was given up; retry or drop it."),
    "incidents": Entry("trailwatch.cli.incidents", "List and show incidents: the alerts of one actor."),
    "respond": Entry("trailwatch.cli.respond", "Lock an intruder out, and be able to undo it."),
    "events": Entry("trailwatch.cli.events", "Look at events: live, in files or in the archive."),
    "rejects": Entry("trailwatch.cli.rejects", "What could not be read, and why."),
    "rules": Entry("trailwatch.cli.rules", "List, show, test and check rules."),
    "config": Entry("trailwatch.cli.config", "Write, check and show the configuration."),
    "iam": Entry("trailwatch.cli.iam", "Print exactly what trailwatch must be allowed."),
    "baseline": Entry("trailwatch.cli.baseline", "Learn what is usual, so that rules can tell what is not."),
    "lab": Entry("trailwatch.cli.lab", "A simulated AWS account to try everything on."),
}
ALIASES = {"-c": "check"}
_COLLECTED = (50_000, 10, 10)
"""When garbage is collected: at its start a command makes thousands of objects that all stay, and to look through
them as often as Python does by itself is a tenth of that time."""


class Invocation:
    """What the options before the command say; every command gets it as `ctx.obj`."""

    def __init__(self, *, config_path: str | None, debug: bool, environment: Mapping[str, str]) -> None:
        self.config_path = config_path
        self.debug = debug
        self.environment = environment

    def load(self, flags: Mapping[str, Any] | None = None) -> Loaded:
        """All settings with their origins; `flags` are dotted names that the command's own options set."""
        from trailwatch.config.load import load

        return load(self.config_path, self.environment, flags)

    def config(self, flags: Mapping[str, Any] | None = None) -> Config:
        """The settings alone."""
        return self.load(flags).config


@click.command(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trailwatch")
@click.option("--config", "config_path", type=click.Path(dir_okay=False), help="Configuration file to use.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def main(ctx: click.Context, config_path: str | None, debug: bool) -> None:
    """Tell the owner of AWS accounts that an intruder is in, from CloudTrail."""
    ctx.obj = Invocation(config_path=config_path, debug=debug, environment=os.environ)


def run(arguments: list[str] | None = None) -> None:
    """The entry point: runs the command and leaves with its exit code."""
    gc.set_threshold(*_COLLECTED)
    words = list(sys.argv[1:] if arguments is None else arguments)
    words = [ALIASES.get(word, word) if at == _command_at(words) else word for at, word in enumerate(words)]
    try:
        main.main(words, prog_name="trailwatch", standalone_mode=True)
    except Exception as error:
        from trailwatch.errors import TrailwatchError

        if "--debug" in words or not isinstance(error, TrailwatchError):
            raise
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


def _command_at(words: list[str]) -> int:
    """The place of the command among the words: the first that is no option of the group and no value of one."""
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] not in ALIASES:
        at += 2 if words[at] == "--config" else 1
    return at
