'''Rules written in Python, for what neither Sigma nor a filter pattern can say.

A rule file is an ordinary module. It runs with the rights of trailwatch, so load only files you would run.

    """The description, as the module's docstring."""

    TITLE = "A name that looks like an account id"
    SEVERITY = "medium"
    WHEN = {"eventSource": "iam.amazonaws.com", "eventName": ["CreateUser", "CreateRole"]}

    def rule(event):
        return str(event.path("requestParameters.userName", "")).isdigit()

    def title(event): ...       a text for this alert
    def severity(event): ...    informational, low, medium, high or critical
    def dedup(event): ...       a text; alerts with the same text in the same period are one
    def context(event): ...     a mapping of further facts

`WHEN` is a Sigma selection, or a list of them of which one must hold; `rule` runs only where it holds, so a rule
without it sees every event and slows all of them down. `event` is a read-only mapping: `.get`, `.path("a.b")`,
`.paths("a.b")`, `.derived["policy.public"]`, `.principal`, `.time`.

Constants, all but TITLE optional: ID (default: the file's stem), SEVERITY (medium), DESCRIPTION, TAGS (such as
`attack.t1562.008`), REFERENCES, FALSE_POSITIVES, TRIAGE, FIELDS, DEDUP (`{"by": [paths], "period": "1h"}`),
ALERTING (True), PROFILES, RESPOND, EXAMPLES (as in Sigma files: `[{"name", "matches", "event"}]`).
'''

from __future__ import annotations

import ast
import hashlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from trailwatch.errors import RuleError
from trailwatch.rules.placed import Placed
from trailwatch.rules.predicate import Const, Predicate
from trailwatch.rules.rule import Problem, Rule, Script

CONSTANTS = {
    "ID": "id",
    "TITLE": "title",
    "SEVERITY": "level",
    "DESCRIPTION": "description",
    "TAGS": "tags",
    "REFERENCES": "references",
    "FALSE_POSITIVES": "falsepositives",
}
EXTRAS = ("TRIAGE", "FIELDS", "DEDUP", "ALERTING", "PROFILES", "RESPOND", "EXAMPLES")
FUNCTIONS = ("rule", "title", "severity", "dedup", "context")


def is_rule_file(text: str) -> bool:
    """Whether a Python file defines a rule: a function `rule` at its top level. Nothing is run."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True  # a broken file is reported as a rule that cannot be loaded, never skipped in silence
    return any(isinstance(node, ast.FunctionDef) and node.name == "rule" for node in tree.body)


def load_script(path: Path, text: str, name: str) -> tuple[ModuleType, Script]:
    """The imported module and its functions.

    Args:
        path: the file.
        text: its content, which is what runs.
        name: how messages call it.

    Raises:
        RuleError: it does not compile, raises on import, or has no function `rule`.
    """
    module = ModuleType("trailwatch_rule_" + hashlib.sha256(str(path).encode()).hexdigest()[:16])
    module.__file__ = str(path)
    try:
        exec(compile(text, str(path), "exec", dont_inherit=True), module.__dict__)  # noqa: S102 a rule file is code
    except SyntaxError as error:
        raise RuleError(f"{name}:{error.lineno}:{error.offset}", f"no Python: {error.msg}") from None
    except Exception as error:  # noqa: BLE001 what a user's file raises is told with its line
        line = traceback.extract_tb(sys.exc_info()[2])[-1].lineno
        what = f"raised {type(error).__name__} when it was loaded: {error}"
        raise RuleError(f"{name}:{line}:1", what, "correct the file") from None
    functions: dict[str, Any] = {}
    for function in FUNCTIONS:
        defined = getattr(module, function, None)
        if defined is not None and not callable(defined):
            raise RuleError(f"{name}:1:1", f"expected a function {function}(event), got {type(defined).__name__}")
        functions[function] = defined
    if functions["rule"] is None:
        raise RuleError(f"{name}:1:1", "there is no function rule(event)", "define it")
    return module, Script(**functions)


def load_rule(path: Path, text: str, name: str) -> tuple[Rule, list[Problem]]:
    """The rule of a Python file, and what its author should know.

    Raises:
        RuleError: it is no usable rule.
    """
    from trailwatch.rules.sigma_extras import ExtraError, rule_examples, rule_info, says_alerting

    module, script = load_script(path, text, name)
    place = f"{name}:{_line(script.rule)}"
    document = Placed(_as_sigma(module), f"{place}:1")
    if not isinstance(document.data.get("title"), str):
        raise RuleError(f"{name}:1:1", f"expected TITLE to be a text, got {document.data.get('title')!r}")
    try:
        info = rule_info(document, path.stem, place)
        examples = rule_examples(document)
    except (ExtraError, ValueError) as error:
        raise RuleError(f"{name}:1:1", str(error), "correct the constant") from None
    problems = []
    if not hasattr(module, "WHEN"):
        text = "there is no WHEN, so rule(event) runs for every event; add a Sigma selection"
        problems.append(Problem(f"{place}:1", text, error=False))
    when = _when(getattr(module, "WHEN", None), name)
    return Rule(info, when, script, examples, name=path.stem, alone=says_alerting(document)), problems


def _as_sigma(module: ModuleType) -> dict[str, Any]:
    data = {key: getattr(module, constant) for constant, key in CONSTANTS.items() if hasattr(module, constant)}
    data.setdefault("description", (module.__doc__ or "").strip())
    data["trailwatch"] = {name.lower(): _plain(getattr(module, name)) for name in EXTRAS if hasattr(module, name)}
    return data


def _plain(value: Any) -> Any:
    """Tuples as lists, because the readers of examples and lists know YAML's types."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _when(selection: object, name: str) -> Predicate:
    """The condition of a WHEN; true for none."""
    if selection is None:
        return Const(value=True)
    from sigma.exceptions import SigmaError
    from sigma.rule import SigmaDetections

    from trailwatch.rules.predicate import any_of
    from trailwatch.rules.sigma_check import check_selection
    from trailwatch.rules.sigma_detection import PlaceholderMissingError, UnsupportedError, to_predicate

    wrong = list(check_selection(Placed({"WHEN": selection}, f"{name}:1:1"), ("WHEN",), _plain(selection)))
    if wrong:
        raise RuleError(wrong[0].origin, f"WHEN: {wrong[0].text}")
    try:
        detections = SigmaDetections.from_dict({"when": _plain(selection), "condition": "when"})
        return any_of(*(to_predicate(condition.parsed, {}) for condition in detections.parsed_condition))
    except (SigmaError, UnsupportedError, PlaceholderMissingError, TypeError, AttributeError) as error:
        raise RuleError(f"{name}:1:1", f"WHEN is no Sigma selection: {error}", "correct it") from None


def _line(function: Callable[..., Any]) -> int:
    code = getattr(function, "__code__", None)
    return int(code.co_firstlineno) if code else 1
