"""The table that the configuration names."""

from __future__ import annotations

from trailwatch.aws import accesses
from trailwatch.config.schema import Config
from trailwatch.dynamo.table import Table


def configured_table(config: Config) -> Table | None:
    """The function's table, reached with the credentials of the first account; None where there is none.

    Raises:
        ConfigError: there is no such profile.
    """
    name = config.aws_lambda.table
    if not name:
        return None
    access = accesses(config.account[:1])[0]
    return Table(access.client("dynamodb", access.default_region), name)
