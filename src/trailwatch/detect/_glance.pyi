from collections.abc import Callable, Mapping, Sequence
from typing import Any

SKIP: int
TEXT: int
FLAG: int
NAME: int
IDENT: int
TIME: int
ANY: int

class Glance:
    def __init__(
        self,
        fields: Sequence[tuple[str, int, int]],
        members: Sequence[tuple[int, bytes]],
        first: int,
        classify: Sequence[Callable[[Any], int]],
        begin: Callable[[tuple[int, ...], str], Any],
        name: int,
        nothing: object,
        longest: int,
        taking: Callable[[Any], tuple[Sequence[tuple[int, bytes | None, Mapping[Any, Any] | None]], bool] | None],
        plain: Sequence[int],
        callers: Sequence[int],
        caller: Callable[[tuple[Any, ...]], Any],
    ) -> None: ...
    def forget(self) -> None: ...
    def promising(
        self, text: bytes, origin: str
    ) -> tuple[list[tuple[int, int, int, Any]], list[tuple[Any, list[tuple[Any, ...]]]], int, bool] | None: ...

class Masks:
    def __init__(
        self,
        present: int,
        equal: dict[str, int],
        equal_cased: dict[str, int],
        contained: Callable[[str], int] | None,
        starts: list[tuple[int, tuple[str, ...]]],
        ends: list[tuple[int, tuple[str, ...]]],
        searched: list[tuple[int, tuple[str, ...], Callable[[Any], bool]]],
        tests: list[tuple[int, Callable[[Any], bool]]],
    ) -> None: ...
    def __call__(self, value: str | float, /) -> int: ...

class Parts:
    def __init__(self, parts: Sequence[str]) -> None: ...
    def __call__(self, text: str, /) -> int: ...
