"""Where in its file a part of a rule's condition stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from trailwatch.rules.filter_pattern import SUFFIX, place_in_file
from trailwatch.rules.pattern_text import selector
from trailwatch.rules.predicate import Value
from trailwatch.rules.sigma_yaml import Document, read_documents


class Source:
    """One rule file, read again for places.

    Args:
        path: the file.
        name: how messages call it.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self._is_pattern = path.name.endswith(SUFFIX)
        self._text = ""
        self.documents: list[Document] = []
        try:
            self._text = path.read_text(encoding="utf-8-sig")
            if path.suffix != ".py":
                self.documents = read_documents(self._text, name)
        except (OSError, ValueError):
            return  # the loader tells why a file cannot be read

    def document(self, origin: str) -> Document | None:
        """The document that starts at an origin, `path:line`."""
        return next((one for one in self.documents if one.at().startswith(f"{origin}:")), None)

    def place(self, origin: str, path: str, value: Value | None) -> str:
        """`path:line:column` of a value, else of its field, else of the rule."""
        document = self.document(origin)
        if document is None:
            return f"{origin}:1"
        found = self._in_pattern(document, path, value) if self._is_pattern else _in_detection(document, path, value)
        return found or document.at("pattern" if self._is_pattern else "detection")

    def _in_pattern(self, document: Document, path: str, value: Value | None) -> str:
        node = next((after for key, after in document.node.value if key.value == "pattern"), None)
        if node is None or not path:
            return ""
        name = selector(path)
        at = node.value.find(name)
        if value is not None:
            at = max(at, node.value.find(str(value), at + len(name)))
        return place_in_file(node, self._text, self.name)(at) if at >= 0 else ""


def _in_detection(document: Document, path: str, value: Value | None) -> str:
    first = ""
    for key, values in _items(document.node):
        if key.value.split("|", 1)[0] != path:
            continue
        first = first or _mark(document, key)
        for node in values:
            if value is not None and node.value.lower() == _text(value).lower():
                return _mark(document, node)
    return first


def _items(root: yaml.Node) -> Iterator[tuple[yaml.ScalarNode, list[yaml.ScalarNode]]]:
    """Every (key, scalar values) below `detection` and `filter`."""
    waiting = [
        value for key, value in getattr(root, "value", []) if getattr(key, "value", "") in {"detection", "filter"}
    ]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    nodes = value.value if isinstance(value, yaml.SequenceNode) else [value]
                    yield key, [one for one in nodes if isinstance(one, yaml.ScalarNode)]
                waiting.append(value)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)


def _mark(document: Document, node: yaml.Node) -> str:
    return f"{document.path}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
