import threading

import pytest
from botocore.exceptions import ClientError

from trailwatch.dynamo.claims import Claims, Turn
from trailwatch.dynamo.table import Table
from trailwatch.errors import StoreError

NOW = 1_780_000_000
UNTIL = NOW + 60
HIGH, CRITICAL = 3, 4


@pytest.fixture
def claims(dynamodb, table):
    return lambda owner, client=dynamodb: Claims(Table(client, table), owner, 3600)


def test_of_two_callers_one_tells_and_the_other_waits(claims):
    assert claims("a").claim("x", "mail", HIGH, NOW, UNTIL).turn is Turn.MINE
    assert claims("b").claim("x", "mail", HIGH, NOW, UNTIL).turn is Turn.BUSY
    assert claims("b").claim("x", "slack", HIGH, NOW, UNTIL).turn is Turn.MINE
    assert claims("b").claim("y", "mail", HIGH, NOW, UNTIL).turn is Turn.MINE


def test_what_was_told_is_done_for_ever(claims):
    claims("a").claim("x", "mail", HIGH, NOW, UNTIL)
    claims("a").told("x", "mail")

    assert claims("a").claim("x", "mail", HIGH, NOW + 10**6, UNTIL + 10**6).turn is Turn.DONE


def test_what_was_told_is_told_again_when_it_turns_out_to_be_worse(claims):
    claims("a").claim("x", "mail", HIGH, NOW, UNTIL)
    claims("a").told("x", "mail")

    assert claims("b").claim("x", "mail", CRITICAL, NOW, UNTIL).turn is Turn.MINE


def test_the_lease_of_a_caller_that_died_runs_out_and_the_first_attempt_is_remembered(claims):
    claims("a").claim("x", "mail", HIGH, NOW, UNTIL)

    claim = claims("b").claim("x", "mail", HIGH, UNTIL + 1, UNTIL + 60)

    assert (claim.turn, claim.since) == (Turn.MINE, NOW)


def test_what_is_given_back_may_be_told_at_once(claims):
    claims("a").claim("x", "mail", HIGH, NOW, UNTIL)
    claims("b").give_back("x", "mail")
    assert claims("b").claim("x", "mail", HIGH, NOW, UNTIL).turn is Turn.BUSY

    claims("a").give_back("x", "mail")
    assert claims("b").claim("x", "mail", HIGH, NOW, UNTIL).turn is Turn.MINE


def test_of_many_at_the_same_time_exactly_one_tells(claims, lab, session):
    begin = threading.Barrier(8)
    turns = []

    def try_it(owner):
        mine = claims(owner, session.client("dynamodb", endpoint_url=lab.url))
        begin.wait()
        turns.append(mine.claim("x", "mail", HIGH, NOW, UNTIL).turn)

    threads = [threading.Thread(target=try_it, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(turn.value for turn in turns) == ["busy"] * 7 + ["mine"]


def test_an_item_expires_after_the_time_it_is_kept(claims, dynamodb, table):
    claims("a").claim("x", "mail", HIGH, NOW, UNTIL)

    (item,) = dynamodb.scan(TableName=table)["Items"]

    assert item["expires"] == {"N": str(NOW + 3600)}


def test_a_table_that_is_not_there_is_an_error_that_names_it(dynamodb):
    with pytest.raises(StoreError, match=r"table elsewhere: get_item: .*ResourceNotFound") as raised:
        Table(dynamodb, "elsewhere").get("a", "b")

    assert isinstance(raised.value.__cause__, ClientError)


def test_a_put_holds_only_for_the_version_that_was_read(dynamodb, table):
    items = Table(dynamodb, table)

    assert items.put("p", "s", {"version": 1, "text": "one", "bytes": b"\0\xff"}, version=0)
    assert not items.put("p", "s", {"version": 1, "text": "other"}, version=0)
    assert items.put("p", "s", {"version": 2, "text": "two"}, version=1)
    assert not items.put("p", "s", {"version": 2, "text": "late"}, version=1)
    assert items.get("p", "s") == {"pk": "p", "sk": "s", "version": 2, "text": "two"}


def test_a_partition_comes_whole_and_in_order_however_many_pages_it_takes(dynamodb, table):
    items = Table(dynamodb, table)
    for number in range(12):
        items.put("p", f"{number:06}", {"text": "x" * 200_000})

    assert [item["sk"] for item in items.all("p")] == [f"{number:06}" for number in range(12)]
    items.remove("p", "000003")
    assert len(items.all("p")) == 11
