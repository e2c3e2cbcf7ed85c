"""Which event names AWS's services log, from a table made of botocore's models by tools/generate_api_names.py.

The table is wider than the models: it has the spellings that logs carry and models do not, such as
`CreateFunction20150331` or `GetBucketPublicAccessBlock`, and sign-in names such as `ConsoleLogin`.
"""

from __future__ import annotations

import difflib
import functools
import gzip
import json
from collections import defaultdict
from importlib import resources


class ApiNames:
    """The table.

    Args:
        names: event source to its event names.
        scalars: name of a request parameter to `s`, `n` or `b`, a text, number or boolean in every API.
        version: botocore's version that it was made from.
    """

    def __init__(self, names: dict[str, frozenset[str]], scalars: dict[str, str], version: str) -> None:
        self.names = names
        self.scalars = scalars
        self.version = version
        self._spellings: dict[str, set[str]] = defaultdict(set)
        for known in names.values():
            for name in known:
                self._spellings[name.lower()].add(name)

    def spellings(self, name: str) -> tuple[str, ...]:
        """How logs spell an event name that is given in any case; empty for one that no service has."""
        return tuple(sorted(self._spellings.get(name.lower(), ())))

    def sources_of(self, name: str) -> tuple[str, ...]:
        """The event sources that log an event name, given in any case."""
        spelled = self.spellings(name)
        return tuple(source for source, known in self.names.items() if not known.isdisjoint(spelled))

    def near(self, name: str, sources: tuple[str, ...] = ()) -> str:
        """The event name that looks most like `name` among those of `sources`, or of all for none; empty for none."""
        tables = [self.names.get(source, frozenset()) for source in sources] if sources else self.names.values()
        known = sorted({one for table in tables for one in table} - {name})
        dated = [one for one in known if one.startswith(name) and one[len(name) :][:1].isdigit()]
        close = dated or difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        return close[0] if close else ""


@functools.cache
def api_names() -> ApiNames:
    """The shipped table, read at the first call."""
    body = json.loads(gzip.decompress(resources.files("trailwatch.rules").joinpath("api_names.json.gz").read_bytes()))
    names = {source: frozenset(known.split()) for source, known in body["names"].items()}
    return ApiNames(names, body["scalars"], body["botocore"])
