"""The function put together from its configuration."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from trailwatch import wiring
from trailwatch.aws import Access, accesses
from trailwatch.aws_lambda.function import Function, Responder
from trailwatch.aws_lambda.telling import Telling, Turns, Unremembered
from trailwatch.clock import SystemClock
from trailwatch.config.load import load
from trailwatch.config.schema import Config
from trailwatch.errors import ConfigError
from trailwatch.ports import AddressBook, Clock
from trailwatch.rules.coverage import forgetful
from trailwatch.rules.rule import RuleSet
from trailwatch.service.suppressing import FolderSifter
from trailwatch.sources.stored_logs import Logs

if TYPE_CHECKING:
    from trailwatch.dynamo.table import Table

PACKAGED_CONFIG = "trailwatch.toml"
"""The configuration that the package holds, where it holds one."""
PACKAGED_CACHE = "cache"
"""The folder of the package with its rules, compiled."""


def assemble(
    environment: Mapping[str, str],
    stream: TextIO | None = None,
    clock: Clock | None = None,
    root: Path | None = None,
) -> Function:
    """The function; nothing is asked of AWS yet.

    Args:
        environment: the process's variables.
        stream: where log lines and a console notifier write; standard output when not given.
        clock: the time; the machine's when not given.
        root: the folder that the package was unpacked to; where this module lies when not given.

    Raises:
        ConfigError: a setting is wrong, or automatic response is on without a table.
    """
    stream, clock = stream or sys.stdout, clock or SystemClock()
    environment = packaged(environment, root or Path(__file__).parents[2])
    config = load(None, environment).config
    refuse_unremembered(config)
    everything = wiring.load_ruleset(config, environment)
    log = functools.partial(write_line, stream)
    log(start_line(everything, config))
    access = accesses(config.account[:1])[0]
    notifiers, routing = wiring.notifiers_of(config, environment, stream), wiring.routing_of(config)
    table, book = _table(config, access), wiring.addresses_of(config)
    turns = _turns(table, config)
    return Function(
        engine=wiring.engine_of(RuleSet(rules=everything.rules), silent=True, tables=book, links=False),
        sifter=FolderSifter(config, environment),
        logs=Logs(_client(access, "s3"), config.aws_lambda.buckets or config.self.bucket),
        telling=lambda owner: Telling(turns(owner), notifiers, routing, clock),
        responder=_responder(table, config, access, book, clock),
        clock=clock,
        log=log,
    )


def packaged(environment: Mapping[str, str], root: Path) -> dict[str, str]:
    """The variables, with the package's own configuration and compiled rules where it has them."""
    found = dict(environment)
    if (root / PACKAGED_CONFIG).is_file():
        found.setdefault("TRAILWATCH_CONFIG", str(root / PACKAGED_CONFIG))
    if (root / PACKAGED_CACHE).is_dir():
        found["XDG_CACHE_HOME"] = str(root / PACKAGED_CACHE)
    return found


def refuse_unremembered(config: Config) -> None:
    """Without a table no invocation knows what others did, so nothing holds its caps or its freeze.

    Raises:
        ConfigError: automatic response is on, and there is no table.
    """
    if config.respond.automatic.playbooks and not config.aws_lambda.table:
        raise ConfigError(
            "respond.automatic.playbooks",
            "a function cannot respond by itself without a table: caps, freeze and journal would not hold",
            "set aws_lambda.table, or remove the playbooks",
        )


def start_line(rules: RuleSet, config: Config) -> dict[str, Any]:
    """What a cold start tells: which rules run, and which cannot, because they need what a function forgets."""
    off = forgetful(rules)
    return {
        "event": "start",
        "rules": sum(rule.info.alerting for rule in rules.rules),
        "off": len(off),
        "off_rules": off,
        "broken_rules": sum(problem.error for problem in rules.problems),
        "table": config.aws_lambda.table or "none: an alert may be told more than once",
    }


def write_line(stream: TextIO, line: Mapping[str, Any]) -> None:
    """One JSON object on one line, in ASCII, whatever an attacker wrote into it."""
    stream.write(json.dumps({"trailwatch": line["event"], **{k: v for k, v in line.items() if k != "event"}}) + "\n")
    stream.flush()


def _table(config: Config, access: Access) -> Table | None:
    if not config.aws_lambda.table:
        return None
    from trailwatch.dynamo.table import Table

    return Table(_client(access, "dynamodb")(), config.aws_lambda.table)


def _client(access: Access, service: str) -> Any:
    return functools.cache(lambda: access.client(service, access.default_region))


def _turns(table: Table | None, config: Config) -> Callable[[str], Turns]:
    if table is None:
        return lambda _owner: Unremembered()
    from trailwatch.dynamo.claims import Claims

    return lambda owner: Claims(table, owner, int(config.retention.alerts))


def _responder(
    table: Table | None, config: Config, access: Access, book: AddressBook, clock: Clock
) -> Callable[[Telling], Responder] | None:
    if table is None or not config.respond.automatic.playbooks:
        return None
    from trailwatch.aws_lambda.responding import Responding, automatic_over

    automatic, cases = automatic_over(table, config, access, book, clock)
    return lambda telling: Responding(automatic, cases, telling)
