"""An inline policy of a user, role or group: its document, or None."""

from __future__ import annotations

import json
from collections.abc import Sequence

from trailwatch.errors import ActionError
from trailwatch.model.response import Call, State, Step
from trailwatch.ports import Cloud

ABSENT = frozenset({"NoSuchEntity", "NoSuchEntityException"})


class InlinePolicy:
    """Of `thing["policy"]` of the `thing[...]` that the owner names.

    Args:
        owner: `user`, `role` or `group`.
    """

    def __init__(self, owner: str) -> None:
        kind = owner.capitalize()
        self.name = f"{owner}-inline-policy"
        self.reads: tuple[str, ...] = (f"iam:Get{kind}Policy",)
        self.writes: tuple[str, ...] = (f"iam:Put{kind}Policy", f"iam:Delete{kind}Policy")
        self._owner = owner
        self._kind = kind

    def read(self, step: Step, cloud: Cloud) -> State:
        """The document as a mapping; None where there is no such policy."""
        try:
            answer = cloud.call(Call(step.account, "iam", f"Get{self._kind}Policy", self._names(step)))
        except ActionError as error:
            if error.code in ABSENT:
                return None
            raise
        return answer["PolicyDocument"]

    def calls(self, step: Step, found: State, wanted: State) -> Sequence[Call]:
        if found == wanted:
            return ()
        names = self._names(step)
        if wanted is None:
            return (Call(step.account, "iam", f"Delete{self._kind}Policy", names),)
        text = compact(wanted)
        return (Call(step.account, "iam", f"Put{self._kind}Policy", {**names, "PolicyDocument": text}),)

    def _names(self, step: Step) -> dict[str, str]:
        return {f"{self._kind}Name": step.thing[self._owner], "PolicyName": step.thing["policy"]}


def compact(document: State) -> str:
    """A document as the shortest text; AWS's quotas do not count blanks either."""
    return document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))
