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
import functools
import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from trailwatch.errors import RuleError
from trailwatch.model.severity import Severity
from trailwatch.rules.placed import Placed
from trailwatch.rules.predicate import Const, Predicate
from trailwatch.rules.python_places import Constants
from trailwatch.rules.rule import Problem, Rule, Script
from trailwatch.rules.selection import as_lists, condition_of

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
    return any("rule" in _names_of(node) for node in tree.body)


def _names_of(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


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
    except (Exception, SystemExit) as error:  # noqa: BLE001 what a user's file raises is told with its line
        line = traceback.extract_tb(sys.exc_info()[2])[-1].lineno
        what = f"raised {type(error).__name__} when it was loaded: {error}"
        raise RuleError(f"{name}:{line}:1", what, "correct the file") from None
    functions: dict[str, Any] = {}
    for function in FUNCTIONS:
        defined = getattr(module, function, None)
        if defined is not None and not callable(defined):
            raise RuleError(f"{name}:1:1", f"expected a function {function}(event), got {type(defined).__name__}")
        functions[function] = None if defined is None else _contained(defined)
        if defined is not None and (wrong := _unfit(defined)):
            raise RuleError(f"{name}:{_line(defined)}:1", f"{function}(event) {wrong}")
    if functions["rule"] is None:
        raise RuleError(f"{name}:1:1", "there is no function rule(event)", "define it")
    return module, Script(**functions)


def _contained(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function, of which even `sys.exit` ends no more than this one call."""

    @functools.wraps(function)
    def contained(event: Any) -> Any:
        try:
            return function(event)
        except SystemExit as error:
            raise RuntimeError(f"it called exit({error.code!r})") from None

    return contained


def _unfit(function: Callable[..., Any]) -> str:
    """Why the function cannot be asked about an event; empty when it can."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return "is a generator, which counts as true for every event; return the answer"
    if inspect.iscoroutinefunction(function):
        return "is a coroutine, which counts as true for every event; write it without async"
    try:
        inspect.signature(function).bind(None)
    except TypeError as error:
        return f"is called with the event alone: {error}"
    except ValueError:
        return ""  # written in C, without a signature
    return ""


def load_rule(path: Path, text: str, name: str) -> tuple[Rule, list[Problem]]:
    """The rule of a Python file, and what its author should know.

    Raises:
        RuleError: it is no usable rule.
    """
    from trailwatch.rules.sigma_extras import ExtraError, rule_examples, rule_info, says_alerting

    module, script = load_script(path, text, name)
    place = f"{name}:{_line(script.rule)}"
    document = Constants(_as_sigma(module), text, name, {key: constant for constant, key in CONSTANTS.items()})
    if not isinstance(document.data.get("title"), str):
        raise RuleError(document.at("title"), f"expected TITLE to be a text, got {document.data.get('title')!r}")
    level = str(document.data.get("level", "medium")).lower()
    if level not in {severity.value for severity in Severity}:
        known = ", ".join(severity.value for severity in Severity)
        raise RuleError(document.at("level"), f"expected SEVERITY to be one of {known}, got {level!r:.80}")
    try:
        info = rule_info(document, path.stem, place)
        examples = rule_examples(document)
    except ExtraError as error:
        raise RuleError(error.place, str(error), "correct the constant") from None
    problems = []
    if not hasattr(module, "WHEN"):
        missing = "there is no WHEN, so rule(event) runs for every event; add a Sigma selection"
        problems.append(Problem(f"{place}:1", missing, error=False))
    when = _when(getattr(module, "WHEN", None), document)
    return Rule(info, when, script, examples, name=path.stem, alone=says_alerting(document)), problems


def _as_sigma(module: ModuleType) -> dict[str, Any]:
    data = {key: getattr(module, constant) for constant, key in CONSTANTS.items() if hasattr(module, constant)}
    data.setdefault("description", (module.__doc__ or "").strip())
    data["trailwatch"] = {name.lower(): as_lists(getattr(module, name)) for name in EXTRAS if hasattr(module, name)}
    return data


def _when(selection: object, document: Placed) -> Predicate:
    """The condition of a WHEN; true for none."""
    return Const(value=True) if selection is None else condition_of(document, selection, "WHEN")


def _line(function: Callable[..., Any]) -> int:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return int(code.co_firstlineno) if code else 1
