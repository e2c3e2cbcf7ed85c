from collections.abc import Callable, Sequence
from typing import Any

SKIP: int
TEXT: int
FLAG: int
NAME: int
IDENT: int
TIME: int

class Glance:
    def __init__(
        self,
        members: Sequence[tuple[str, int, int]],
        first: int,
        classify: Sequence[Callable[[Any], int]],
        begin: Callable[[tuple[int, ...], str], Any],
        name: int,
        nothing: object,
        longest: int,
    ) -> None: ...
    def forget(self) -> None: ...
    def promising(self, text: bytes) -> tuple[list[tuple[int, int, int, Any]], int, bool] | None: ...

class Parts:
    def __init__(self, parts: Sequence[str]) -> None: ...
    def __call__(self, text: str, /) -> int: ...
