"""Where the constants of a Python rule file stand."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from trailwatch.rules.placed import Placed


class Constants(Placed):
    """The constants of a Python file as a Sigma document would hold them, with their places.

    Args:
        data: what they say, by Sigma's keys.
        text: the file's content.
        path: its name in messages.
        spelling: the constant's name for each of Sigma's keys; other keys are the name in lower case.
    """

    def __init__(self, data: Any, text: str, path: str, spelling: Mapping[str, str]) -> None:
        super().__init__(data, f"{path}:1:1")
        self._path = path
        self._spelling = spelling
        self._values: dict[str, tuple[ast.expr, ast.expr]] = {}
        for node in ast.parse(text).body:
            targets = node.targets if isinstance(node, ast.Assign) else ()
            for target in targets:
                if isinstance(target, ast.Name) and isinstance(node, ast.Assign):
                    self._values[target.id] = (target, node.value)

    def at(self, *steps: str | int) -> str:
        """`path:line:column` of the key or item that the steps lead to, or of the last step that exists."""
        first, *rest = steps[1:] if steps[:1] == ("trailwatch",) and len(steps) > 1 else steps
        known = self._values.get(self._spelling.get(str(first), str(first).upper()))
        if known is None:
            return super().at()
        found, node = known
        for step in rest:
            if isinstance(node, ast.Dict):
                keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
                if step not in keys:
                    break
                number = keys.index(step)
                found, node = node.keys[number] or found, node.values[number]
            elif isinstance(node, ast.List | ast.Tuple) and isinstance(step, int) and step < len(node.elts):
                found = node = node.elts[step]
            else:
                break
        return f"{self._path}:{found.lineno}:{found.col_offset + 1}"
