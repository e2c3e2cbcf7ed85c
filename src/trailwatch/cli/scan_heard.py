"""What rules with a memory heard in a scan, out of the pages on which everything was noted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from trailwatch.detect.pages import ACTOR_AT, Briefs, Group, Page, Want
from trailwatch.model.sighting import DAY
from trailwatch.model.signal import Signal


def heard_on(pages: Iterable[Page], wanted: Collection[tuple[str, str]]) -> Iterator[Signal]:
    """Of each page the first signal of each combination of values, caller and day.

    Args:
        pages: what was noted.
        wanted: rules with a memory, each with an account.
    """
    rule_ids = {rule_id for rule_id, _ in wanted}
    for page in pages:
        for group in page.groups:
            wants = [want for want in group.wants if want.remembers and want.rule_id in rule_ids]
            if wants:
                briefs = Briefs(page, group)
                for want in wants:
                    yield from _heard_of(page, group, want, briefs, wanted)


def _heard_of(
    page: Page, group: Group, want: Want, briefs: Briefs, wanted: Collection[tuple[str, str]]
) -> Iterator[Signal]:
    principals = [principal for principal, *_ in page.callers]
    told = [principals[caller] for caller in group.callers]
    columns = [told if at == ACTOR_AT else group.keys[at] for at in want.key]
    first: dict[tuple[str, int, tuple[str, ...], int], tuple[int, str, int]] = {}
    for row, (caller, time) in enumerate(zip(group.callers, group.times, strict=True)):
        account, event_id = briefs.account(row), briefs.event_id(row)
        key = tuple([column[row] for column in columns])
        if (want.rule_id, account) not in wanted or not (group.whole or all(key)):
            continue
        place, moment = (account, caller, key, time // DAY), (time, event_id, row)
        if place not in first or moment < first[place]:
            first[place] = moment
    for (_, _, key, _), (time, _, row) in first.items():
        yield Signal(
            *(want.rule_id, want.base_id, key, time, briefs.of(row), "", b""),
            *(page.origins[group.origins[row]], group.positions[row], group.read_only[row]),
        )
