"""Writes the generated parts of the pages from the code; with `--check` it only says which are stale.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end of generated -->`. What it says is taken from
config/schema.py (settings), the commands themselves, errors.py (exit codes) and the rules that ship.
"""

from __future__ import annotations

import argparse
import ast
import functools
import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

DOCS = Path(__file__).parent
PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end of generated -->)", re.DOTALL)

EXIT_CODES = {
    0: "Done.",
    1: "Failed: a source, the state file or the work itself.",
    2: "The command line, the configuration or a rule is wrong; nothing was done.",
    3: "Done, but something was skipped, such as a region that cannot be read; the output says what.",
    10: "`--fail-on SEVERITY` was given and an alert of that severity or above was found.",
}


def settings() -> str:
    """Every setting with its sentence, type and default, one table for each section."""
    from trailwatch.config import schema
    from trailwatch.config.load import LISTS

    out = []
    for heading, kind in _sections(schema):
        sentences = _sentences_of(kind)
        out.append(f"### {heading}\n\n{_section_sentence(sentences[''])}\n")
        out.append("| Setting | Type | Default | What it is |\n|---|---|---|---|")
        hints = typing.get_type_hints(kind, include_extras=True)
        for field in msgspec.structs.fields(kind):
            hint = hints[field.name]
            if (kind is schema.Config and field.name in LISTS) or _is_section(hint):
                continue
            text = sentences.get(field.name, "")
            out.append(f"| `{field.name}` | {_type(hint)} | {_default(field, hint)} | {_cell(text)} |")
        out.append("")
    return "\n".join(out)


def commands() -> str:
    """Every command with its arguments and options."""
    from trailwatch.cli import main

    out = [
        "Before the command: `--config FILE`, `--debug` (show the traceback of an error), `--version`, `--help`.\n"
    ]
    for name in main.COMMANDS:
        command = main.main.get_command(click.Context(main.main), name)
        if command is not None:
            out.extend(_command(f"trailwatch {name}", command, level=2))
    return "\n".join(out)


def exit_codes() -> str:
    """What each exit code says."""
    rows = [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    return "\n".join(["| Exit code | Meaning |", "|---|---|", *rows, ""])


def shipped_rules() -> str:
    """The rules that ship, most severe first."""
    return _rule_table(_shipped())


def core_rules() -> str:
    """The rules of the profile `core`."""
    return _rule_table(one for one in _shipped() if "core" in one.info.profiles)


def standard_rules() -> str:
    """The alerting rules of the profile `standard` that `core` leaves out."""
    return _rule_table(one for one in _shipped() if "core" not in one.info.profiles and one.info.alerting)


def catalogue() -> str:
    """What rule sets in general detect, and the rule here that does, or why there is none."""
    import csv

    from trailwatch import rulepack

    with (Path(rulepack.__path__[0]) / "coverage.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    known = [row for row in rows if row["list"] != "own"]
    counts = [f"{sum(row['how'] == how for row in known)} {text}" for how, text in _HOW.items()]
    lines = [
        f"| {row['row']} | {_HOW[row['how']]} | {', '.join(f'`{slug}`' for slug in row['rules'].split())} | "
        f"{_cell(row['reason'])} |"
        for row in rows
    ]
    further = f"{len(rows) - len(known)} further ones, at the end, are this project's own."
    head = [
        f"{len(known)} detections: {', '.join(counts)}. {further}",
        "",
        "| Detection | Here | Rules | Reason |",
    ]
    return "\n".join([*head, "|---|---|---|---|", *lines, ""])


_HOW = {
    "rule": "found",
    "event": "the event alone is found",
    "signal": "feeds other rules",
    "none": "left out",
}


@functools.cache
def _shipped() -> tuple[Any, ...]:
    """Every rule that ships, over one event or several, most severe first."""
    from trailwatch.rules.catalog import load_rules
    from trailwatch.rules.own_lists import example_lists

    rules = load_rules([], placeholders=example_lists())
    every = [*rules.rules, *rules.first_seen, *rules.correlations]
    return tuple(sorted(every, key=lambda one: (-one.info.severity.rank, one.info.slug)))


def _rule_table(rules: Iterable[Any]) -> str:
    from trailwatch.rules.rule import Correlation

    rows = []
    for rule in rules:
        info = rule.info
        kind = "over time" if isinstance(rule, Correlation) else "unusual" if rule.remembers else "event"
        alerts = info.severity.value if info.alerting else f"{info.severity.value}, feeds others"
        rows.append(f"| `{info.slug}` | {alerts} | {kind} | {_cell(info.title)} | {', '.join(info.techniques)} |")
    return "\n".join(["| Rule | Severity | Kind | What it finds | ATT&CK |", "|---|---|---|---|---|", *rows, ""])


def derived_fields() -> str:
    """What rules can ask that no record says outright."""
    from trailwatch.rules.derived_names import DERIVED_NAMES

    rows = [f"| `{name.path}` | {name.kind} | {_cell(name.sentence)} |" for name in DERIVED_NAMES]
    return "\n".join(["| Field | Kind | What it says |", "|---|---|---|", *rows, ""])


def own_lists() -> str:
    """The lists of one's own that shipped rules ask for."""
    from trailwatch.rules.own_lists import OWN_LISTS

    rows = [f"| `{one.name}` | {_cell(one.sentence)} |" for one in OWN_LISTS]
    return "\n".join(["| List | What stands in it |", "|---|---|", *rows, ""])


PARTS: dict[str, Callable[[], str]] = {
    "own_lists": own_lists,
    "settings": settings,
    "commands": commands,
    "exit_codes": exit_codes,
    "shipped_rules": shipped_rules,
    "core_rules": core_rules,
    "standard_rules": standard_rules,
    "catalogue": catalogue,
    "derived_fields": derived_fields,
}


def main(arguments: list[str] | None = None) -> int:
    """0 when every page is up to date in the end; 1 when `--check` found a stale one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a page is stale")
    parser.add_argument("--picture", type=Path, help="take the README's picture from this recording of the demo")
    options = parser.parse_args(arguments)
    if options.picture:
        picture = readme_picture(options.picture.read_text(encoding="utf-8"))
        (DOCS / "img" / "demo.svg").write_text(picture, encoding="utf-8")
    check = options.check
    stale = 0
    for page in sorted(DOCS.glob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = PART.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n{found[3]}", before)
        if after == before:
            continue
        if check:
            stale += 1
            print(f"{page.name}: stale; run `make docs`", file=sys.stderr)
        else:
            page.write_text(after, encoding="utf-8")
            print(page.name)
    return 1 if stale else 0


def readme_picture(recording: str) -> str:
    """The recorded screen down to the mail, without fonts from elsewhere."""
    local = re.sub(r"@font-face \{.*?\}\s*", "", recording, flags=re.DOTALL)
    mail = re.search(r'<text [^>]*y="([\d.]+)"[^>]*>&#160;the&#160;mail,', local)
    if mail is None:
        raise SystemExit("the recording shows no mail: run `make demo` first")
    end = float(mail[1])
    texts = re.compile(r'<(text|rect) [^>]*? y="([\d.]+)"[^>]*?(?:/>|>.*?</text>)', re.DOTALL)
    local = texts.sub(lambda found: "" if float(found[2]) >= end - 1 else found[0], local)
    local = re.sub(r'(viewBox="0 0 [\d.]+ )[\d.]+', rf"\g<1>{end + 16:.0f}", local, count=1)
    local = re.sub(r'(<rect fill="#\w+" stroke=[^>]*? height=")[\d.]+', rf"\g<1>{end + 14:.0f}", local, count=1)
    return "\n".join(line.rstrip() for line in local.splitlines()) + "\n"


def _sections(schema: Any) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    from trailwatch.config.automatic import AutomaticPlaybook
    from trailwatch.config.notifiers import NotifySettings, Route

    yield "At the top of the file", schema.Config
    yield from _nested(schema.Config, "")
    yield "`[[addresses.list]]`", schema.AddressList
    yield "`[[account]]`", schema.Account
    yield "`[[respond.account]]`", schema.Responder
    yield "`[respond.automatic.playbooks.NAME]`", AutomaticPlaybook
    for kind in typing.get_args(NotifySettings):
        yield f'`[[notify]]`, `type = "{kind.__struct_config__.tag}"`', kind
    yield "`[[route]]`", Route


def _nested(kind: Any, prefix: str) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """Every section below it, such as `[respond]` and `[respond.automatic]`."""
    for name, inner in typing.get_type_hints(kind, include_extras=True).items():
        if _is_section(inner):
            yield f"`[{prefix}{name}]`", inner
            yield from _nested(inner, f"{prefix}{name}.")


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _section_sentence(text: str) -> str:
    """The class's docstring without the part that the heading says already."""
    said = text.split(": ", 1)[-1].strip() if text.startswith("`[") else text.strip()
    return said[:1].upper() + said[1:]


def _sentences_of(kind: type) -> dict[str, str]:
    """Attribute -> its sentence, also of what the class inherits; `""` -> the class's docstring."""
    found: dict[str, str] = {}
    for parent in reversed(kind.__mro__):
        if parent.__module__.startswith("trailwatch."):
            found |= _sentences(Path(str(sys.modules[parent.__module__].__file__))).get(parent.__name__, {})
    return found


@functools.cache
def _sentences(path: Path) -> dict[str, dict[str, str]]:
    """Class -> attribute -> the string below it; `""` -> the class's docstring."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.ClassDef):
            continue
        found[node.name] = {"": ast.get_docstring(node) or ""}
        for item, after in zip(node.body, node.body[1:], strict=False):
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and isinstance(after, ast.Expr):
                found[node.name][item.target.id] = str(ast.literal_eval(after.value))
    return found


def _type(hint: Any) -> str:
    from trailwatch.config.kinds import Bytes, Seconds

    if hint == Seconds:
        return "duration"
    if hint == Bytes:
        return "size"
    if typing.get_origin(hint) is tuple:
        return "list of tables" if _is_section(typing.get_args(hint)[0]) else "list of texts"
    if typing.get_origin(hint) is dict:
        return "table of tables" if _is_section(typing.get_args(hint)[1]) else "table of lists of texts"
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(f"`{choice}`" for choice in typing.get_args(hint) if choice)
    return {str: "text", int: "number", bool: "true or false"}.get(hint, "severity")


def _default(field: Any, hint: Any) -> str:
    from trailwatch.config.kinds import Seconds
    from trailwatch.config.units import format_duration

    if field.required:
        return "required"
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    if isinstance(value, tuple) and value:
        return ", ".join(f"`{getattr(one, 'value', one)}`" for one in value)
    if hint == Seconds:
        return f"`{format_duration(value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (str, tuple, dict)) and not value:
        return "empty"
    return f"`{getattr(value, 'value', value)}`"


def _command(path: str, command: click.Command, *, level: int) -> Iterator[str]:
    context = click.Context(command, info_name=path)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"{'#' * level} `{path}`\n"
    yield f"{_prose(command.help or '')}\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            sub = command.get_command(context, name)
            if sub is not None:
                yield from _command(f"{path} {name}", sub, level=level + 1)
        return
    yield f"    {path} {usage}\n"
    options = [param for param in command.params if isinstance(param, click.Option)]
    rows = [record for param in options if (record := param.get_help_record(context)) is not None]
    if rows:
        yield "| Option | What it does |\n|---|---|"
        yield from (f"| `{_cell(option)}` | {_cell(text)} |" for option, text in rows)
        yield ""


def _prose(text: str) -> str:
    return inspect.cleandoc(text.replace("\b\n", ""))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
