"""`trailwatch rules`: list, show, test, explain; convert and lint live in modules of their own."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trailwatch.cli import rule_options
from trailwatch.cli.lazy_group import Entry, LazyGroup
from trailwatch.cli.main import Invocation
from trailwatch.errors import UsageError

if TYPE_CHECKING:
    from trailwatch.rules.rule import Correlation, Rule, RuleSet

LAZY: dict[str, Entry] = {
    "coverage": Entry("trailwatch.cli.rules_coverage", "Which ATT&CK techniques the rules find."),
    "convert": Entry("trailwatch.cli.rules_convert", "Write a rule in another system's language, or say why not."),
    "lint": Entry("trailwatch.cli.rules_lint", "Find what is wrong or weak in rule files."),
}
_SKIPPED = 3
_FAILED = 1

_profile = click.option(
    "--profile", type=click.Choice(["core", "standard"]), help="Which of the shipped rules; default as configured."
)


@click.group(cls=LazyGroup, lazy=LAZY)
def command() -> None:
    """List, show, test and check rules."""


@command.command("list")
@rule_options.dirs
@rule_options.pipelines
@_profile
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", help="How to print.")
@click.pass_obj
def list_rules(
    invocation: Invocation, dirs: Sequence[Path], pipelines: Sequence[Path], profile: str | None, form: str
) -> None:
    """List the rules that run, by severity; what did not load is told on standard error.

    Exits with 3 when a rule file is broken.
    """
    ruleset = _load(invocation, dirs, pipelines, profile=profile)
    rows = [_row(rule) for rule in _sorted(ruleset)]
    if form == "json":
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
    else:
        width = max((len(row["slug"]) for row in rows), default=0)
        for row in rows:
            click.echo(f"{row['severity']:<13} {row['slug']:<{width}}  {_plain(row['title'])}")
        click.echo(_summary(ruleset), err=True)
    sys.exit(_tell_problems(ruleset))


@command.command()
@click.argument("rule")
@rule_options.dirs
@rule_options.pipelines
@click.pass_obj
def show(invocation: Invocation, rule: str, dirs: Sequence[Path], pipelines: Sequence[Path]) -> None:
    """Show RULE, named by id or slug: what it says, and its condition in words."""
    from trailwatch.rules.rule import Rule

    ruleset = _load(invocation, dirs, pipelines, only=[rule])
    found = _named(ruleset, rule)
    info = found.info
    lines = [("id", info.id), ("slug", info.slug), ("title", info.title), ("severity", info.severity.value)]
    lines += [("file", info.origin), ("description", " ".join(info.description.split()))]
    lines += [("tactics", ", ".join(info.tactics)), ("techniques", ", ".join(info.techniques))]
    lines += [("profiles", ", ".join(info.profiles)), ("alerting", "yes" if info.alerting else "no")]
    lines += [("one alert per", ", ".join(info.dedup.by)), ("and period", f"{info.dedup.period_seconds} s")]
    lines += [("respond", info.respond), ("false positives", "; ".join(info.false_positives))]
    lines += [("references", " ".join(info.references))]
    for name, value in lines:
        if value:
            click.echo(f"{name + ':':<17}{_plain(value)}")
    for number, step in enumerate(info.triage, 1):
        click.echo(f"{'triage ' + str(number) + ':':<17}{_plain(step)}")
    click.echo("condition:")
    for line in _condition(found) if isinstance(found, Rule) else _relation(found, ruleset):
        click.echo(_plain(line))


def _condition(rule: Rule) -> Iterator[str]:
    from trailwatch.rules.describe import outline

    yield from outline(rule.condition, 1)
    if rule.script is not None:
        yield "  and rule(event) in the file says yes"
    if rule.first_seen is not None:
        fields = ", ".join(rule.first_seen.fields)
        yield f"  and {fields} was not seen in {rule.first_seen.history_seconds} s before"
    if rule.travel is not None:
        yield f"  and {', '.join(rule.travel.by)} moved faster than {rule.travel.speed_kmh} km/h"


def _relation(correlation: Correlation, ruleset: RuleSet) -> Iterator[str]:
    from trailwatch.rules.describe import outline_correlation

    every: list[Rule | Correlation] = [*ruleset.rules, *ruleset.first_seen, *ruleset.correlations]
    yield from outline_correlation(correlation, {one.info.id: one.info.slug for one in every}, 1)


@command.command()
@click.argument("rules", nargs=-1)
@rule_options.dirs
@rule_options.pipelines
@click.option("-v", "--verbose", is_flag=True, help="Name the examples that passed too.")
@click.pass_obj
def test(
    invocation: Invocation, rules: Sequence[str], dirs: Sequence[Path], pipelines: Sequence[Path], verbose: bool
) -> None:
    """Run the examples of RULES, or of every rule; exits with 1 when one fails, 3 when a file is broken."""
    from trailwatch.rules.examples import run_examples
    from trailwatch.rules.rule import Correlation
    from trailwatch.rules.stories import run_stories
    from trailwatch.testing import fires, matches

    ruleset = _load(invocation, dirs, pipelines, only=rules)
    chosen: list[Rule | Correlation] = [*ruleset.rules, *ruleset.first_seen]
    outcomes = list(run_examples([*ruleset.rules, *ruleset.first_seen], matches))
    if ruleset.correlations:
        whole = _load(invocation, dirs, pipelines)
        chosen += ruleset.correlations
        rules_told = (*whole.rules, *whole.first_seen)
        outcomes += run_stories(ruleset.correlations, rules_told, lambda one, told: fires(one, whole, told))
    failed = [outcome for outcome in outcomes if not outcome.passed]
    for outcome in outcomes if verbose else failed:
        wanted = "match" if outcome.example.matches else "no match"
        got = outcome.error or ("match" if outcome.matched else "no match")
        verdict = "passed" if outcome.passed else "FAILED"
        name = _plain(outcome.example.name)
        click.echo(f"{verdict} {outcome.rule.info.slug}: {name}: expected {wanted}, got {_plain(got)}")
    without = sum(1 for rule in chosen if not (rule.stories if isinstance(rule, Correlation) else rule.examples))
    click.echo(f"{len(outcomes)} examples of {len(chosen)} rules, {len(failed)} failed, {without} rules have none")
    broken = _tell_problems(ruleset)
    sys.exit(_FAILED if failed else broken)


@command.command()
@click.argument("rule")
@click.option(
    "--event", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file of events."
)
@click.option("--event-id", help="The eventID: of one event in that file, or of one in the archive.")
@rule_options.dirs
@rule_options.pipelines
@click.pass_obj
def explain(
    invocation: Invocation,
    rule: str,
    file: Path | None,
    event_id: str | None,
    dirs: Sequence[Path],
    pipelines: Sequence[Path],
) -> None:
    """Say clause by clause why RULE matches an event or not, with the values seen.

    A correlation is told in words, and each rule that it reads is explained.

    The event comes from a file (a log, a JSON record, or JSON lines; every event in it unless --event-id names one)
    or, with --event-id alone, from the archive of what was polled.
    """
    from trailwatch import wiring
    from trailwatch.decode.records import to_mapping
    from trailwatch.detect.explain import explain as explained
    from trailwatch.detect.explain import outline
    from trailwatch.model.secrets import Mask
    from trailwatch.rules.rule import Rule

    tables = wiring.addresses_of(invocation.config())
    ruleset = _load(invocation, dirs, pipelines, only=[rule])
    found = _named(ruleset, rule)
    if not isinstance(found, Rule):
        click.echo(f"{found.info.slug} speaks of several events:")
        for line in _relation(found, ruleset):
            click.echo(_plain(line))
    asked = [found] if isinstance(found, Rule) else [*ruleset.rules, *ruleset.first_seen]
    for raw, one in itertools.product(_events(invocation, file, event_id), asked):
        explanation = explained(one, raw, tables)
        verdict = "matches" if explanation.matches else "does not match"
        if explanation.matches and one.remembers:
            verdict = "may match, by what was seen before:"
        record = to_mapping(raw)
        mask = Mask(record)
        name = f"{record.get('eventName')} {record.get('eventTime')} {record.get('eventID', '')}"
        click.echo(f"{one.info.slug} {verdict} {_plain(name)}")
        for line in outline(explanation.clauses, 1):
            click.echo(_plain(mask(line)))


def _events(invocation: Invocation, file: Path | None, event_id: str | None) -> list[bytes]:
    if file is None:
        if event_id is None:
            raise UsageError("rules explain", "expected --event or --event-id", "name the event")
        from trailwatch.wiring import archive_of

        archive = archive_of(invocation.config(), invocation.environment)
        archived = archive.find(event_id) if archive else None
        if archived is None:
            raise UsageError("--event-id", f"no event {event_id!r} in the archive", "give its file with --event")
        return [bytes(archived)]
    from trailwatch.decode.containers import split
    from trailwatch.decode.inflate import inflate, is_gzip

    body = file.read_bytes()
    delivered = split(inflate(body) if is_gzip(body) else body, str(file))
    raws = [bytes(raw) for raw in delivered.records]
    if event_id is not None:
        raws = [raw for raw in raws if _id(raw) == event_id]
    if not raws:
        what = f"no event {event_id!r} in it" if event_id else "no event in it"
        reason = f": {delivered.rejects[0].reason}" if delivered.rejects else ""
        raise UsageError(str(file), what + reason, "give a file with CloudTrail records")
    return raws


def _id(raw: bytes) -> Any:
    from trailwatch.decode.records import to_mapping

    return to_mapping(raw).get("eventID")


def _load(
    invocation: Invocation,
    dirs: Sequence[Path],
    pipelines: Sequence[Path],
    *,
    only: Sequence[str] = (),
    profile: str | None = None,
) -> RuleSet:
    from trailwatch.wiring import load_ruleset

    return load_ruleset(
        invocation.config(),
        invocation.environment,
        dirs=list(dirs),
        only=only,
        profile=profile,
        pipelines=list(pipelines),
        examples=True,
    )


def _named(ruleset: RuleSet, name: str) -> Rule | Correlation:
    found = ruleset.named(name)
    if found is None:
        raise UsageError("rule", f"{name!r} did not load", "see what rules lint says of it")
    return found


def _sorted(ruleset: RuleSet) -> list[Rule | Correlation]:
    every: list[Rule | Correlation] = [*ruleset.rules, *ruleset.first_seen, *ruleset.correlations]
    return sorted(every, key=lambda rule: (-rule.info.severity.rank, rule.info.slug))


def _row(rule: Rule | Correlation) -> dict[str, Any]:
    from trailwatch.rules.rule import Correlation

    info = rule.info
    kind = "correlation" if isinstance(rule, Correlation) else "first seen" if rule.first_seen else "event"
    row: dict[str, Any] = {"id": info.id, "slug": info.slug, "title": info.title, "severity": info.severity.value}
    row |= {"kind": kind, "alerting": info.alerting, "tactics": info.tactics, "techniques": info.techniques}
    return row | {"profiles": info.profiles, "origin": info.origin}


def _summary(ruleset: RuleSet) -> str:
    parts = [f"{len(ruleset.rules)} rules"]
    if ruleset.first_seen:
        parts.append(f"{len(ruleset.first_seen)} first-seen rules")
    if ruleset.correlations:
        parts.append(f"{len(ruleset.correlations)} correlations")
    parts += [f"{count} skipped: {reason}" for reason, count in ruleset.skipped.items()]
    return "; ".join(parts)


def _tell_problems(ruleset: RuleSet) -> int:
    """Writes what is wrong with rule files; returns the exit code."""
    for problem in ruleset.problems:
        click.echo(
            f"{'error' if problem.error else 'warning'}: {_plain(problem.origin)}: {_plain(problem.text)}", err=True
        )
    return _SKIPPED if any(problem.error for problem in ruleset.problems) else 0


def _plain(text: str) -> str:
    """Without characters that could act on a terminal."""
    from trailwatch.model.inert import for_terminal

    return for_terminal(text)
