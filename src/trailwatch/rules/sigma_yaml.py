"""YAML documents with the place of everything in them, so that an error can name its line and column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from trailwatch.rules.placed import Placed

_DEEPEST = 60
_SUSPICIOUS = 300
_NUMBER_TAGS = frozenset({"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"})
_BOOL_TAG = "tag:yaml.org,2002:bool"
_ODD_NUMBER = re.compile(r"^[-+]?0[0-9_]|^[-+]?0[xb]|_|:")
_MERGE = "<<"


class _Loader(yaml.CSafeLoader):
    """YAML 1.1 as Sigma uses it, but a date stays the text that was written."""

    yaml_implicit_resolvers = {  # noqa: RUF012 PyYAML declares it as a plain class attribute
        first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
        for first, pairs in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


class Document(Placed):
    """One YAML document: its data, and where each part of it stands.

    Args:
        data: what it holds, as plain Python values.
        node: the composed node, with marks.
        path: name of the file, for messages.
    """

    def __init__(self, data: Any, node: yaml.Node, path: str) -> None:
        super().__init__(data, f"{path}:1:1")
        self.node = node
        self.path = path

    def at(self, *steps: str | int) -> str:
        """`path:line:column` of the key or item that the steps lead to, or of the last step that exists."""
        node, found = self.node, self.node
        for step in steps:
            if isinstance(node, yaml.MappingNode):
                pair = next(((key, value) for key, value in node.value if key.value == step), None)
                if pair is None:
                    break
                found, node = pair
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                found = node = node.value[step]
            else:
                break
        return self._mark(found)

    def _mark(self, node: yaml.Node) -> str:
        return f"{self.path}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"

    def duplicates(self) -> Iterator[tuple[str, str]]:
        """(place, key) of every key that its mapping holds twice."""
        for node in self._nodes():
            if isinstance(node, yaml.MappingNode):
                keys: set[str] = set()
                for key, _ in node.value:
                    if not isinstance(key, yaml.ScalarNode):
                        continue
                    if key.value in keys and key.value != _MERGE:
                        yield self._mark(key), key.value
                    keys.add(key.value)

    def misread(self) -> Iterator[tuple[str, str, str]]:
        """(place, text, what YAML makes of it) of unquoted scalars that few people would read as YAML does.

        Numbers with a leading zero, with a prefix, with underscores or colons, anywhere; yes, no, on and off below
        `detection` and `filter`, where they may stand for a text.
        """
        for node in self._nodes():
            if isinstance(node, yaml.ScalarNode) and node.tag in _NUMBER_TAGS and _ODD_NUMBER.search(node.value):
                yield self._mark(node), node.value, f"the number {_construct(node)}"
        for part in ("detection", "filter"):
            section = next((value for key, value in self._pairs() if key.value == part), None)
            for inner in self._nodes(section) if section is not None else ():
                if isinstance(inner, yaml.ScalarNode) and inner.tag == _BOOL_TAG:
                    read = str(_construct(inner)).lower()
                    if inner.value.lower() != read:
                        yield self._mark(inner), inner.value, read

    def _pairs(self) -> list[tuple[yaml.Node, yaml.Node]]:
        return self.node.value if isinstance(self.node, yaml.MappingNode) else []

    def _nodes(self, root: yaml.Node | None = None) -> Iterator[yaml.Node]:
        waiting, known = [self.node if root is None else root], set()
        while waiting:
            node = waiting.pop()
            if id(node) in known:
                continue
            known.add(id(node))
            yield node
            if isinstance(node, yaml.MappingNode):
                waiting.extend(part for pair in reversed(node.value) for part in reversed(pair))
            elif isinstance(node, yaml.SequenceNode):
                waiting.extend(reversed(node.value))


def _construct(node: yaml.ScalarNode) -> Any:
    return yaml.SafeLoader("").construct_object(node)


def read_documents(text: str, path: str) -> list[Document]:
    """Every document of the text that holds something.

    Raises:
        ValueError: it is no YAML; the text is `line:column: what`.
    """
    try:
        _check_depth(text)
        loader = _Loader(text)
        documents: list[Document] = []
        try:
            while loader.check_node():
                node = loader.get_node()
                data = loader.construct_document(node)
                if node is not None and data is not None:
                    documents.append(Document(data, node, path))
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{mark.line + 1}:{mark.column + 1}: " if mark else ""
        raise ValueError(f"{place}no YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        raise ValueError(f"1:1: no YAML: {error}") from None
    return documents


def _check_depth(text: str) -> None:
    """The composer recurses in C, so depth is bounded before it runs; only odd texts pay for the extra pass."""
    indent = max((len(line) - len(line.lstrip(" ")) for line in text.splitlines()), default=0)
    if max(text.count("["), text.count("{"), text.count("- "), indent) < _SUSPICIOUS:
        return
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise ValueError(f"nested deeper than {_DEEPEST} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
