"""Loads folders of rules: whatever stands in them, good rules run and everything else is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from trailwatch.errors import RuleError
from trailwatch.rules import cache
from trailwatch.rules.correlated import choose, sound
from trailwatch.rules.quiet import quiet_things
from trailwatch.rules.rule import Correlation, Problem, Rule, RuleSet, Script
from trailwatch.rules.rule_files import PATTERN_SUFFIX, PYTHON_SUFFIX, RuleFile, content, roots, rule_files

PROFILES = ("core", "standard")
"""Profiles of the shipped rules, from the fewest rules to the most."""
DUPLICATE = "same rule id twice"
NO_RULE_FILE = "Python file without rule(event)"


def load_rules(
    dirs: Sequence[Path] = (),
    *,
    shipped: bool = True,
    profile: str = "standard",
    disabled: Collection[str] = (),
    only: Collection[str] = (),
    cache_dir: Path | None = None,
    placeholders: Mapping[str, Sequence[str]] | None = None,
    pipelines: Sequence[Path] = (),
    examples: bool = True,
) -> RuleSet:
    """Every rule that can run, and what its authors should know about the others.

    Args:
        dirs: folders or single files of the user's own rules.
        shipped: whether the shipped rules load too.
        profile: which of the shipped rules: `core` or `standard`.
        disabled: ids or slugs that are left out; a name that no rule has is a problem.
        only: ids or slugs; when given, nothing else is loaded, whatever its profile.
        cache_dir: where compiled rules are kept between runs; nowhere when None.
        placeholders: values for `%name%` in Sigma values with the modifier `expand`.
        pipelines: pySigma processing pipelines for Sigma rules.
        examples: whether the rules' examples are wanted; without them rules come faster from the cache.

    Raises:
        RuleError: a folder or pipeline does not exist, a profile is unknown, or `only` names a rule that is not
            there.
    """
    if profile not in PROFILES:
        raise RuleError("profile", f"expected {' or '.join(PROFILES)}, got {profile!r}", "choose one of them")
    for path in pipelines:
        if not path.is_file():
            raise RuleError(str(path), "there is no such processing pipeline", "correct the path")
    problems: list[Problem] = []
    skipped: Counter[str] = Counter()
    files = list(rule_files(roots(dirs, shipped=shipped), skipped, problems))
    chosen = [*(placeholders or {}).items()], [path.read_bytes() for path in pipelines]
    digest = cache.digest_of([repr(chosen).encode(), *(part for file in files for part in content(file))])
    scripts: dict[str, Script] = {}
    read = _cached(cache_dir, digest, lambda: _read(files, scripts, placeholders, pipelines), examples=examples)
    problems += read.problems
    skipped.update(read.skipped)
    rules = [*read.rules, *_with_scripts(read.scripted, files, scripts, problems)]
    origins = {file.name for file in files if file.shipped}
    unique = _unique([*rules, *read.correlations], problems, skipped)
    single = [one for one in unique if isinstance(one, Rule)]
    correlations = [one for one in unique if isinstance(one, Correlation)]
    keep = _choice(origins, profile, disabled, only)
    quiet = quiet_things(rule for rule in single if only or keep(rule)) if shipped else None
    return _choose(
        single,
        sound(single, [*correlations, *([quiet] if quiet else [])], problems),
        shipped=origins,
        keep=keep,
        named=[*only],
        switched_off=[*disabled],
        base=RuleSet(problems=tuple(problems), skipped=dict(sorted(skipped.items())), digest=digest),
    )


def _cached(
    folder: Path | None, digest: str, read: Callable[[], cache.CachedRules], *, examples: bool
) -> cache.CachedRules:
    found = cache.load(folder, digest, examples=examples) if folder else None
    if found is None:
        found = read()
        if folder:
            cache.keep(folder, digest, found)
    return found


def _read(
    files: Sequence[RuleFile],
    scripts: dict[str, Script],
    placeholders: Mapping[str, Sequence[str]] | None,
    pipelines: Sequence[Path],
) -> cache.CachedRules:
    """Everything in the files; the functions of Python rules go into `scripts`, because they are no data."""
    if not files:
        return cache.CachedRules()
    from trailwatch.rules.sigma import SigmaReader

    reader = SigmaReader(placeholders, pipelines)
    rules: list[Rule] = []
    scripted: dict[str, Rule] = {}
    for file in files:
        if file.path.suffix == PYTHON_SUFFIX:
            rule = _read_python(file, reader.problems, reader.skipped)
            if rule is not None and rule.script is not None:
                scripts[file.name] = rule.script
                scripted[file.name] = msgspec.structs.replace(rule, script=None)
        elif file.path.name.endswith(PATTERN_SUFFIX):
            rules += _read_patterns(file, reader.problems, reader.skipped)
        else:
            reader.read(file.text, file.name, file.path.stem, shipped=file.shipped)
    reader.finish([*scripted.values(), *rules])
    return cache.CachedRules(
        [*reader.rules, *rules], scripted, reader.correlations, reader.problems, dict(reader.skipped)
    )


def _with_scripts(
    scripted: Mapping[str, Rule], files: Sequence[RuleFile], scripts: Mapping[str, Script], problems: list[Problem]
) -> Iterator[Rule]:
    """Python rules with their functions; a file that was only read from the cache is imported now."""
    from trailwatch.rules.python_rule import load_script

    for file in files:
        rule = scripted.get(file.name)
        if rule is None:
            continue
        try:
            script = scripts.get(file.name) or load_script(file.path, file.text, file.name)[1]
        except RuleError as error:
            problems.append(_problem(error))
        else:
            yield msgspec.structs.replace(rule, script=script)


def _read_python(file: RuleFile, problems: list[Problem], skipped: Counter[str]) -> Rule | None:
    from trailwatch.rules.python_rule import is_rule_file, load_rule

    if not is_rule_file(file.text):
        skipped[NO_RULE_FILE] += 1
        return None
    try:
        rule, found = load_rule(file.path, file.text, file.name)
    except RuleError as error:
        problems.append(_problem(error))
        return None
    problems.extend(found)
    return rule


def _problem(error: RuleError) -> Problem:
    return Problem(error.origin, str(error).removeprefix(f"{error.origin}: "), error=True)


def _read_patterns(file: RuleFile, problems: list[Problem], skipped: Counter[str]) -> Iterator[Rule]:
    from trailwatch.rules.filter_pattern import load_each
    from trailwatch.rules.sigma import RETIRED

    try:
        for one in load_each(file.text, file.name, file.path.name.removesuffix(PATTERN_SUFFIX)):
            if isinstance(one, RuleError):
                problems.append(_problem(one))
            elif one is None:
                skipped[RETIRED] += 1
            else:
                yield one
    except RuleError as error:
        problems.append(_problem(error))


def _unique(
    rules: Sequence[Rule | Correlation], problems: list[Problem], skipped: Counter[str]
) -> list[Rule | Correlation]:
    """One rule for each id and one slug for each rule; the first file wins, the others are told."""
    by_id: dict[str, Rule | Correlation] = {}
    slugs: set[str] = set()
    for rule in rules:
        info, slug, number = rule.info, rule.info.slug, 2
        while slug in slugs:
            slug, number = f"{info.slug}-{number}", number + 1
        if info.id in by_id and info.id != info.slug:
            skipped[DUPLICATE] += 1
            text = f"rule id {info.id!r} is taken by {by_id[info.id].info.origin}; give it another"
            problems.append(Problem(info.origin, text, error=True))
            continue
        if info.id in by_id:
            text = f"there is no id, and {info.slug!r} names {by_id[info.id].info.origin}; {slug!r} names this one"
            problems.append(Problem(info.origin, f"{text}; give it an id", error=False))
        named = msgspec.structs.replace(info, slug=slug, id=slug if info.id in by_id else info.id)
        slugs.add(slug)
        by_id[named.id] = rule if slug == info.slug else msgspec.structs.replace(rule, info=named)
    return list(by_id.values())


def _choice(
    shipped: Collection[str], profile: str, disabled: Collection[str], only: Collection[str]
) -> Callable[[Rule | Correlation], bool]:
    wanted, unwanted, profiles = frozenset(only), frozenset(disabled), PROFILES[: PROFILES.index(profile) + 1]

    def keep(rule: Rule | Correlation) -> bool:
        names = _names(rule)
        if wanted:
            return not wanted.isdisjoint(names)
        if not unwanted.isdisjoint(names):
            return False
        if rule.info.origin.rpartition(":")[0] not in shipped:
            return True
        return not set(rule.info.profiles).isdisjoint(profiles)

    return keep


def _names(rule: Rule | Correlation) -> set[str]:
    return {rule.info.id, rule.info.slug, rule.name} - {""}


def _choose(
    rules: Sequence[Rule],
    correlations: Sequence[Correlation],
    *,
    shipped: Collection[str],
    keep: Callable[[Rule | Correlation], bool],
    named: Sequence[str],
    switched_off: Sequence[str],
    base: RuleSet,
) -> RuleSet:
    known = {name for rule in rules for name in _names(rule)} | {name for one in correlations for name in _names(one)}
    for name in named:
        if name not in known:
            from trailwatch.rules.names import meant

            raise RuleError(
                "rule", f"there is no rule {name!r}", meant(name, known) or "`trailwatch rules list` shows them"
            )
    problems = [*base.problems]
    problems += [
        Problem("rules.disabled", f"there is no rule {name!r} to switch off", error=False)
        for name in switched_off
        if name not in known
    ]
    chosen = choose(rules, correlations, keep, shipped)
    return RuleSet(
        rules=tuple(rule for rule in chosen.rules if not rule.remembers),
        correlations=tuple(chosen.correlations),
        first_seen=tuple(rule for rule in chosen.rules if rule.remembers),
        problems=tuple(problems),
        skipped=base.skipped,
        digest=base.digest,
    )
