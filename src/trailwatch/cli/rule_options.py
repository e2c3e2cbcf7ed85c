"""Options of every command that loads rules."""

from __future__ import annotations

from pathlib import Path

import click

dirs = click.option(
    "--rules",
    "dirs",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A file or folder of rules besides the configured ones; may be repeated.",
)
pipelines = click.option(
    "--pipeline",
    "pipelines",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A pySigma processing pipeline for the rules, besides the configured ones; may be repeated.",
)
