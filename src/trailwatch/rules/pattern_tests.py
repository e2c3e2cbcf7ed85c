"""The tests that filter patterns are made of."""

from __future__ import annotations

from trailwatch.rules.predicate import Field, Op, Or, Predicate, any_of


def presence(path: str) -> Field:
    """The test that a text, number or boolean stands at `path`: what `= *` means, and half of `!=`."""
    return Field(path, Op.LIKE, ("*",), cased=True, strict=True)


def joined(*items: Predicate) -> Predicate:
    """`any_of`, with neighbours that compare the same path for equality made one field with several values."""
    kept: list[Predicate] = []
    for item in items:
        last = kept[-1] if kept else None
        if _is_equality(item) and _is_equality(last) and isinstance(last, Field) and isinstance(item, Field):
            if last.path == item.path:
                kept[-1] = Field(item.path, Op.EQ, last.values + item.values, cased=True, strict=True)
                continue
        elif isinstance(item, Or):
            kept.extend(item.items)
            continue
        kept.append(item)
    return any_of(*kept)


def _is_equality(item: object) -> bool:
    return isinstance(item, Field) and item.op is Op.EQ and item.strict


def text_test(path: str, text: str) -> Field:
    """Equality with a text, in which every `*` is any run of characters."""
    if "*" not in text:
        return Field(path, Op.EQ, (text,), cased=True, strict=True)
    pattern = text.replace("\\", "\\\\").replace("?", "\\?")
    return Field(path, Op.LIKE, (pattern,), cased=True, strict=True)
