"""Rule files whose condition is a CloudWatch Logs filter pattern: `NAME.pattern.yml`.

    title: Root account used
    id: 6c5f6c0e-...                 the file's name where absent
    level: high
    tags: [attack.initial-access, attack.t1078.004]
    pattern: >-
      { $.userIdentity.type = "Root" && $.userIdentity.invokedBy NOT EXISTS }

All other keys are those of a Sigma rule file: description, references, falsepositives, author, date, status, and the
keys below `trailwatch:`. A file may hold several documents, one rule each. `parse` and `to_text` are the language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from trailwatch.errors import RuleError
from trailwatch.rules.names import meant
from trailwatch.rules.pattern_grammar import parse
from trailwatch.rules.pattern_scanner import Locate
from trailwatch.rules.pattern_text import to_text
from trailwatch.rules.rule import Rule
from trailwatch.rules.sigma_check import RETIRED_STATUS, TRAILWATCH_KEYS
from trailwatch.rules.sigma_extras import ExtraError, rule_examples, rule_info
from trailwatch.rules.sigma_yaml import Document, read_documents

__all__ = ["SUFFIX", "load_file", "load_text", "parse", "to_text"]

SUFFIX = ".pattern.yml"
KEYS = frozenset(
    {
        "title",
        "id",
        "name",
        "status",
        "description",
        "license",
        "references",
        "author",
        "date",
        "modified",
        "fields",
        "falsepositives",
        "level",
        "tags",
        "pattern",
        "trailwatch",
    }
)
_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|\r?\n[ \t]*|.)|.", re.DOTALL)
_BLANK_ESCAPES = frozenset("nrtNLP_ \t")


def load_file(path: Path) -> list[Rule]:
    """The rules of one file.

    Raises:
        RuleError: the file cannot be read, or a rule in it is wrong; the error names the exact place.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise RuleError(str(path), f"cannot be read: {error}", "give a YAML file in UTF-8") from None
    return load_text(text, str(path), path.name.removesuffix(SUFFIX))


def load_text(text: str, path: str, stem: str) -> list[Rule]:
    """The rules of one file's text; `path` is its name in messages, `stem` the slug of its first rule.

    Raises:
        RuleError: a rule is wrong; the error names the exact place.
    """
    rules: list[Rule] = []
    for one in load_each(text, path, stem):
        if isinstance(one, RuleError):
            raise one
        if one is not None:
            rules.append(one)
    return rules


def load_each(text: str, path: str, stem: str) -> Iterator[Rule | RuleError | None]:
    """For each document of the text the rule, or what is wrong with it; None for one that is retired.

    Raises:
        RuleError: it is no YAML; the error names the exact place.
    """
    try:
        documents = read_documents(text, path)
    except ValueError as error:
        place, _, what = str(error).partition(": ")
        raise RuleError(f"{path}:{place}", what, "correct the YAML") from None
    for at, document in enumerate(documents):
        try:
            rule = _rule(document, stem if at == 0 else f"{stem}-{at + 1}", text)
        except RuleError as error:
            yield error
        else:
            yield None if str(document.data.get("status", "")).lower() in RETIRED_STATUS else rule


def _rule(document: Document, slug: str, text: str) -> Rule:
    _check_keys(document)
    node = next(value for key, value in document.node.value if key.value == "pattern")
    if not isinstance(document.data["pattern"], str):
        raise RuleError(document.at("pattern"), f"expected a filter pattern, got {document.data['pattern']!r:.80}",
                        "put it in quotes: YAML reads a bare { as a mapping")  # fmt: skip
    condition = parse(node.value, place_in_file(node, text, document.path))
    try:
        info = rule_info(document, slug, document.at().rpartition(":")[0])
        examples = rule_examples(document)
    except ExtraError as error:
        raise RuleError(error.place, str(error)) from None
    except ValueError as error:
        raise RuleError(
            document.at("level"), str(error), "use informational, low, medium, high or critical"
        ) from None
    return Rule(info=info, condition=condition, examples=examples, name=str(document.data.get("name") or ""))


def _check_keys(document: Document) -> None:
    if not isinstance(document.data, dict):
        raise RuleError(
            document.at(), "expected a mapping with title and pattern", "see the guide on filter patterns"
        )
    for place, key in document.duplicates():
        raise RuleError(place, f'key "{key}" stands twice in its mapping', "keep one")
    for key in ("title", "pattern"):
        if key not in document.data:
            raise RuleError(document.at(), f"a filter pattern rule needs {key}", f"add {key}:")
    extra = document.data.get("trailwatch")
    for steps, keys, known in (
        ((), document.data, KEYS),
        (("trailwatch",), extra if isinstance(extra, dict) else (), TRAILWATCH_KEYS),
    ):
        for key in keys:
            if key not in known:
                remedy = meant(str(key), known) or "it may have " + ", ".join(sorted(known))
                raise RuleError(document.at(*steps, key), f'unknown key "{key}"', remedy)


def place_in_file(node: yaml.ScalarNode, text: str, path: str) -> Locate:
    """Where a character of a YAML text stands in the file.

    YAML folds lines and takes indents away, but it keeps every sign that is no blank, in order; so the n-th such sign
    of the value is the n-th of the source.
    """

    def locate(at: int) -> str:
        wanted = sum(not sign.isspace() for sign in node.value[:at])
        signs = list(_signs(node, text))
        if wanted < len(signs):
            line, column = signs[wanted]
        elif signs:
            line, column = signs[-1][0], signs[-1][1] + 1
        else:
            line, column = node.start_mark.line, node.start_mark.column
        return f"{path}:{line + 1}:{column + 1}"

    return locate


def _signs(node: yaml.ScalarNode, text: str) -> Iterator[tuple[int, int]]:
    """Line and column, from 0, of every sign of the scalar's content that is no blank."""
    lines = text.splitlines(keepends=True)
    start, end = node.start_mark, node.end_mark
    first, column = start.line, start.column
    if node.style in {"|", ">"}:
        first, column = start.line + 1, 0
    elif node.style in {"'", '"'}:
        column += 1
    escapes = {'"': _ESCAPE, "'": re.compile(r"''|.", re.DOTALL)}.get(node.style or "", re.compile(".", re.DOTALL))
    for number in range(first, min(end.line + 1, len(lines))):
        since = column if number == first else 0
        until = end.column if number == end.line else len(lines[number])
        for found in escapes.finditer(lines[number], since, until):
            sign = found.group()
            escaped_blank = len(sign) > 1 and sign[0] == "\\" and (sign[1:].isspace() or sign[1] in _BLANK_ESCAPES)
            if not sign.isspace() and not escaped_blank:
                yield number, found.start()
