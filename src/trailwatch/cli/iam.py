"""`trailwatch iam`: what trailwatch must be allowed, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from trailwatch.cli.main import Invocation

if TYPE_CHECKING:
    from trailwatch.config.schema import Config

MODES = ("check", "watch", "function", "respond")


@click.group()
def command() -> None:
    """What trailwatch must be allowed, and nothing else."""


@command.command()
@click.argument("mode", type=click.Choice(MODES))
@click.option(
    "--partition",
    type=click.Choice(["aws", "aws-cn", "aws-us-gov"]),
    default="aws",
    show_default=True,
    help="Where the accounts are.",
)
@click.pass_obj
def policy(invocation: Invocation, mode: str, partition: str) -> None:
    """Print the IAM policy that MODE needs, with the settings as they are.

    `respond` is for a role of its own, `function` for the role of the AWS Lambda function.
    """
    from trailwatch.respond.grants import policy as document

    config = invocation.config()
    click.echo(json.dumps(document(actions_of(mode, config), partition, named_of(mode, config, partition)), indent=2))


def actions_of(mode: str, config: Config) -> set[str]:
    """The IAM actions of a mode, each declared where the call is made; those of `named_of` besides."""
    from trailwatch import aws
    from trailwatch.respond import held
    from trailwatch.respond.actions.catalog import ACTIONS
    from trailwatch.sources import guardduty, lookup_events

    if mode == "function":
        return set()
    responding = {*held.PERMISSIONS, *(one for action in ACTIONS.values() for one in action.permissions)}
    if mode == "respond":
        return responding
    regions_known = bool(config.check.regions) if not config.account else all(one.regions for one in config.account)
    needed = set(lookup_events.PERMISSIONS)
    if not regions_known:
        needed.update(aws.PERMISSIONS)
    if config.guardduty.enabled:
        needed.update(guardduty.PERMISSIONS)
    if config.respond.automatic.playbooks and not config.respond.account:
        needed.update(responding)  # nobody else is there to act
    return needed


def named_of(mode: str, config: Config, partition: str = "aws") -> dict[str, list[str]]:
    """Further actions, each with the only things on which a mode needs it; the responder's stand with its role."""
    from trailwatch.config.notifiers import Sns

    if mode == "respond":
        return {}
    of_function = _of_function(config, partition) if mode == "function" else {}
    responders = config.respond.account if config.respond.automatic.playbooks else ()
    roles = [*(one.role_arn for one in config.account), *(one.role_arn for one in responders)]
    return {
        "sts:AssumeRole": [arn for arn in roles if arn],
        "sns:Publish": [one.topic_arn for one in config.notify if isinstance(one, Sns)],
        **of_function,
    }


def _of_function(config: Config, partition: str) -> dict[str, list[str]]:
    """What the AWS Lambda function needs on its table and on the buckets with logs."""
    from trailwatch.dynamo import table
    from trailwatch.sources import stored_logs

    settings = config.aws_lambda
    name = settings.table
    tables = [name if name.startswith("arn:") else f"arn:{partition}:dynamodb:*:*:table/{name}"] if name else []
    places = [stored_logs.bare(place) for place in settings.buckets or config.self.bucket]
    objects = [f"arn:{partition}:s3:::{place}/*" for place in places]
    return {**dict.fromkeys(table.PERMISSIONS, tables), **dict.fromkeys(stored_logs.PERMISSIONS, objects)}
