"""The kinds of values that settings have besides those of Python."""

from __future__ import annotations

from typing import Annotated

import msgspec

Seconds = Annotated[float, msgspec.Meta(description="duration", ge=0)]
Bytes = Annotated[int, msgspec.Meta(description="size", ge=0)]
