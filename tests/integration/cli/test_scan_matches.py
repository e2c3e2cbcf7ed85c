import tracemalloc

import msgspec

from trailwatch.cli.scan_matches import IN_MEMORY_BYTES, MatchSpool
from trailwatch.model.match import Found, Match
from trailwatch.model.rule import Dedup, RuleInfo
from trailwatch.model.severity import Severity

RULE = RuleInfo("r-1", "r", "A title", Severity.HIGH, "r.yml:1", tactics=("impact",), dedup=Dedup(("a",), 60))
MATCH = Match(
    *(RULE, "alert", 7, "event", "111122223333", "eu-west-1", "s3.amazonaws.com", "GetObject", "arn:x", "user x"),
    *("192.0.2.1", "curl", "", "a = 1", "a.json.gz", 3, b'{"a":1}'),
)


def taken(*pieces):
    with MatchSpool() as spool:
        for piece in pieces:
            found = Found(matches=list(piece))
            spool.take(found)
            assert found.matches == []
        return spool.all(), spool.all()


def test_what_comes_back_is_what_was_taken_in_that_order_and_as_often_as_wanted():
    louder = msgspec.structs.replace(RULE, severity=Severity.CRITICAL)
    everything = [
        MATCH,
        msgspec.structs.replace(MATCH, rule=louder, title="t", context={"a": "b"}, identity="key:AKIA"),
        msgspec.structs.replace(MATCH, event_ids=("a", "b"), record=b"\xff\x00", position=-1),
        msgspec.structs.replace(MATCH, user_agent="\u00e9\x00\U0001f600 " * 10, reason="x" * 600),
    ]

    assert taken(everything[:3], [], everything[3:]) == (everything, everything)


def test_nothing_comes_back_where_nothing_was_taken():
    assert taken([]) == ([], [])


def test_their_number_is_known():
    with MatchSpool() as spool:
        for count in (2, 0, 3):
            spool.take(Found(matches=[MATCH] * count))

        assert len(spool) == 5


def test_texts_and_rules_that_come_again_are_there_once():
    agents = [("Boto3/1 " * 3).strip() for _ in range(2)]
    copies = [
        msgspec.structs.replace(MATCH, rule=msgspec.structs.replace(RULE), user_agent=agent) for agent in agents
    ]

    (first, second), _ = taken(*([one] for one in copies))

    assert first.rule is second.rule
    assert first.user_agent is second.user_agent


def test_matches_beyond_a_bound_are_not_in_memory():
    size = 2000
    count = 10 * IN_MEMORY_BYTES // size
    tracemalloc.start()
    with MatchSpool() as spool:
        for number in range(count):
            spool.take(Found(matches=[msgspec.structs.replace(MATCH, position=number, record=b"x" * size)]))
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert held < 2 * IN_MEMORY_BYTES
        assert [one.position for one in spool.all()] == list(range(count))
