"""A backlog is caught up by runs that are killed: every event is archived, and seen once."""

import signal
import time

import msgspec
import pytest

from trailwatch.testing import event

ACCOUNT, REGION = "123456789012", "us-east-1"


def backlog(count, seconds):
    """Events evenly spread over the last `seconds`, up to a minute ago."""
    newest = time.time() - 60
    for number in range(count):
        moment = time.gmtime(newest - number * seconds / count)
        yield event(
            "CreateUser",
            eventTime=time.strftime("%Y-%m-%dT%H:%M:%SZ", moment),
            awsRegion=REGION,
            recipientAccountId=ACCOUNT,
            readOnly=False,
            requestParameters={"number": number},
        )


def killed_after(machine, calls, *words):
    """Runs `check` and kills it when it has made so many calls; whether it ended by itself before that."""
    before = len(machine.lookups())
    process = machine.start("check", *words)
    while process.poll() is None:
        if len(machine.lookups()) - before >= calls:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.01)
    process.communicate()
    return process.returncode == 0


def caught_up(machine):
    with machine.store() as store:
        return all(not lookup.gaps(0) for lookup in store.coverage.lookups().values() if lookup.asked)


def catch_up(machine, calls, runs, lookback):
    for run in range(1, runs + 1):
        whole = killed_after(machine, calls, "--lookback", lookback)
        if whole and caught_up(machine):
            return run
    pytest.fail(f"{runs} runs were not enough")


def archived(machine):
    from trailwatch.archive import Archive

    return [
        msgspec.json.decode(record)["eventID"]
        for delivery in Archive(machine.archive).read(None, None, ACCOUNT, REGION)
        for record in delivery.records
    ]


def check_that_nothing_is_lost(machine, count, lookback, calls):
    records = list(backlog(count, 3 * 3600))
    machine.lab.recorder.add_many(records)

    runs = catch_up(machine, calls=calls, runs=count // 100, lookback=lookback)

    assert runs > 2, "the runs were really killed"
    found = archived(machine)
    assert {record["eventID"] for record in records} == set(found)
    # a kill between the archive and the commit leaves at most the windows under way twice
    assert len(found) - len(set(found)) <= 1000 * runs
    with machine.store() as store:
        assert store.seen.count() == count
        outcomes = [row["outcome"] for row in store.database.all("SELECT outcome FROM cycle ORDER BY id")]
    assert outcomes[-1] == "good"
    assert outcomes.count("killed") >= runs - 2


def own_rules(machine):
    return f"[rules]\nshipped = false\ndirs = ['{machine.folder}/rules']"


@pytest.fixture
def quick(machine):
    machine.configure(f"pace = '0.01s'\nregions = ['{REGION}']\nplan_requests_per_region = 1", own_rules(machine))
    machine.add_rule("secret", "low", "GetSecretValue")
    return machine


def test_five_thousand_events_are_caught_up_by_runs_that_are_killed(quick):
    check_that_nothing_is_lost(quick, 5_000, "4h", calls=50)


@pytest.mark.soak
def test_a_hundred_thousand_events_are_caught_up_by_runs_that_are_killed(quick):
    check_that_nothing_is_lost(quick, 100_000, "4h", calls=108)


def test_how_far_behind_it_is_stands_in_the_summary_and_the_status(quick):
    quick.lab.recorder.add_many(backlog(3_000, 3 * 3600))
    check = f"pace = '0.1s'\nbudget = '3s'\nregions = ['{REGION}']\nplan_requests_per_region = 0"
    quick.configure(check, own_rules(quick))

    result = quick.run("check", "--lookback", "4h")
    status = msgspec.json.decode(quick.run("status", "--format", "json").stdout)

    assert result.returncode == 0, result.stderr
    assert f"behind: {REGION} " in result.stdout
    assert status["regions"][0]["gaps"] >= 1
    assert 3600 < status["regions"][0]["lag_seconds"] <= 4 * 3600 + 60
