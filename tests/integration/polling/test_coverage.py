import json
from datetime import UTC, datetime, timedelta

import pytest

from trailwatch.lab.faults import Aim, Deny
from trailwatch.model.coverage import Interval, LookupKey
from trailwatch.store.facts import FIRST_CYCLE

REGIONS = "pace = '0.01s'\nplan_requests_per_region = 0\nregions = ['eu-west-1', 'us-east-1']"
POLLED = "ReadOnly=false"


@pytest.fixture
def reading(machine):
    machine.configure(REGIONS)
    return machine


def rows(machine, *words):
    done = machine.run("coverage", "--format", "json", *words)
    return json.loads(done.stdout)["lookups"], done.returncode


def polled(machine):
    found, _ = rows(machine)
    return {row["region"]: row for row in found if row["lookup"] == POLLED}


def forget(machine, region, minutes):
    """Makes the last minutes of what is polled there unread."""
    now = int(datetime.now(UTC).timestamp())
    key = LookupKey(machine.lab.account, region, POLLED)
    with machine.store() as store, store.transaction():
        store.coverage.remove(key, Interval(now - minutes * 60, now + 60))
        store.facts.set(FIRST_CYCLE, str(now - 86400))
        store.database.execute(
            "UPDATE lookup SET since = ? WHERE region = ? AND lookup = ?", (now - 86400, region, POLLED)
        )


def test_before_the_first_cycle_it_says_so(reading):
    done = reading.run("coverage")
    assert done.returncode == 3
    assert "nothing was read yet" in done.stderr


def test_after_a_cycle_everything_polled_is_read(reading):
    reading.run("check")
    found = polled(reading)
    assert {row["state"] for row in found.values()} == {"read"}
    assert all(row["lag_seconds"] < 60 and row["gaps"] == 0 for row in found.values())


def test_a_region_that_was_not_read_for_long_is_late_and_that_is_the_exit_code(reading):
    reading.run("check")
    forget(reading, "eu-west-1", 180)
    found, code = rows(reading)
    [late] = [row for row in found if row["state"] == "late"]
    assert (late["region"], code) == ("eu-west-1", 3)
    assert late["lag_seconds"] >= 3 * 3600 - 60
    assert "late" in reading.run("coverage").stdout


def test_a_region_that_refuses_has_failed_and_says_why(reading):
    reading.lab.faults.add(Deny(Aim(region="eu-west-1", operation="LookupEvents")))
    reading.run("check")
    found = polled(reading)
    assert (found["eu-west-1"]["state"], found["us-east-1"]["state"]) == ("failed", "read")
    assert "AccessDenied" in found["eu-west-1"]["why"]


def test_a_region_that_is_no_longer_asked_is_left_out(reading):
    reading.run("check")
    forget(reading, "eu-west-1", 180)
    reading.configure(REGIONS.replace("'eu-west-1', ", ""))
    found, code = rows(reading)
    assert {row["region"]: row["state"] for row in found if row["lookup"] == POLLED} == {
        "eu-west-1": "left out",
        "us-east-1": "read",
    }
    assert code == 0


def test_names_by_turns_are_one_row_of_a_region_or_all_of_them(machine):
    machine.configure(REGIONS.replace("plan_requests_per_region = 0", "plan_requests_per_region = 3"))
    machine.run("check")
    short, long = machine.run("coverage").stdout, machine.run("coverage", "--all").stdout
    assert "names by turns" in short
    assert len(short.splitlines()) < 12
    assert len(long.splitlines()) > 40
    found, _ = rows(machine)
    assert {row["state"] for row in found if row["lookup"].startswith("EventName=")} == {"read", "never"}


def test_guardduty_has_rows_of_its_own(machine):
    machine.configure(REGIONS, "[guardduty]\nenabled = true\nevery = '0s'\n")
    machine.lab.guard_duty.enable(machine.lab.account, "us-east-1")
    machine.run("check")
    found, code = rows(machine)
    assert {row["region"]: row["state"] for row in found if row["lookup"] == "GuardDuty"} == {
        "eu-west-1": "off",
        "us-east-1": "read",
    }
    assert code == 0
    machine.lab.faults.add(Deny(Aim(operation="ListDetectors")))
    machine.run("check")
    found, code = rows(machine)
    assert {row["state"] for row in found if row["lookup"] == "GuardDuty"} == {"failed"}
    assert code == 3


class TestGaps:
    """A gap is an alert: told once, closed when it was read."""

    def alerts(self, machine, *words):
        out = machine.run("alerts", "list", "--rule", "trailwatch_gap", "--format", "jsonl", *words).stdout
        return [json.loads(line) for line in out.splitlines()]

    @pytest.fixture
    def behind(self, reading):
        """One region is hours behind and cannot be caught up, because its budget is spent."""
        reading.run("check")
        forget(reading, "eu-west-1", 180)
        return reading

    def test_a_gap_that_is_closed_in_the_same_cycle_is_none(self, behind):
        assert "0 alerts" in behind.run("check").stdout
        assert self.alerts(behind) == []

    def test_a_gap_that_stays_is_told_once_and_closed_when_it_was_read(self, behind):
        begun = int((datetime.now(UTC) - timedelta(hours=3)).timestamp())
        for number in range(3000):
            behind.lab.recorder.add(
                {
                    "eventTime": f"{datetime.fromtimestamp(begun + number % 9000, UTC):%Y-%m-%dT%H:%M:%SZ}",
                    "eventSource": "ec2.amazonaws.com",
                    "eventName": "CreateTags",
                    "awsRegion": "eu-west-1",
                    "eventID": f"00000000-0000-4000-8000-{number:012}",
                    "readOnly": False,
                    "recipientAccountId": behind.lab.account,
                    "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::1:user/ann", "accountId": "1"},
                }
            )
        behind.configure(REGIONS.replace("0.01s", "0.2s") + "\nbudget = '3s'")
        first = behind.run("check")
        assert "was not read for" in first.stderr
        [alert] = self.alerts(behind)
        assert (alert["severity"], alert["region"], alert["state"]) == ("high", "eu-west-1", "open")
        assert "was not read for" not in behind.run("check").stderr
        behind.configure(REGIONS)
        behind.run("check")
        [alert] = self.alerts(behind, "--state", "all")
        assert (alert["state"], alert["note"]) == ("closed", "everything was read")

    def test_a_region_that_refuses_is_told_in_one_way_alone(self, behind):
        behind.lab.faults.add(Deny(Aim(region="eu-west-1", operation="LookupEvents")))
        done = behind.run("check")
        assert "trailwatch cannot read" in done.stderr
        assert "was not read for" not in done.stderr
        [alert] = self.alerts(behind)
        assert alert["state"] == "open"

    def test_history_that_somebody_asks_for_is_no_gap(self, reading):
        reading.run("check")
        begun = datetime.now(UTC) - timedelta(days=20)
        for number in range(1000):
            reading.lab.recorder.add(
                {
                    "eventTime": f"{begun + timedelta(minutes=number):%Y-%m-%dT%H:%M:%SZ}",
                    "eventSource": "ec2.amazonaws.com",
                    "eventName": "CreateTags",
                    "awsRegion": "eu-west-1",
                    "eventID": f"00000000-0000-4000-8000-{number:012}",
                    "readOnly": False,
                    "recipientAccountId": reading.lab.account,
                    "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::1:user/ann", "accountId": "1"},
                }
            )
        reading.configure(REGIONS.replace("0.01s", "0.4s") + "\nbudget = '2s'")
        done = reading.run("check", "--lookback", "30d")
        assert "behind: eu-west-1" in done.stdout
        reading.run("check")
        assert self.alerts(reading) == []

    def test_none_is_raised_where_nobody_wants_it(self, behind):
        behind.lab.faults.add(Deny(Aim(region="eu-west-1", operation="LookupEvents")))
        behind.configure(REGIONS, "[coverage]\nlate = '0s'\n")
        behind.run("check")
        assert self.alerts(behind) == []

    def test_they_are_no_noise(self, behind):
        behind.lab.faults.add(Deny(Aim(region="eu-west-1", operation="LookupEvents")))
        behind.run("check")
        assert "trailwatch_gap" not in behind.run("noise").stdout


class TestRules:
    """Which rules can never fire."""

    def dead(self, machine, *words):
        done = machine.run("coverage", "--rules", "--format", "json", *words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def test_rules_over_data_events_cannot_fire_from_event_history(self, reading):
        found = self.dead(reading)
        why = {row["rule"]: row["why"] for row in found["cannot_fire"]}
        assert "data events" in why["s3_ransom_note_uploaded"]
        assert found["loaded"] > len(found["cannot_fire"]) > 5

    def test_the_table_says_how_many_and_that_guardduty_is_off(self, reading):
        out = reading.run("coverage", "--rules").stdout
        assert "rules can never fire" in out
        assert "guardduty.enabled" in out

    def test_read_only_calls_count_once_everything_is_polled(self, machine):
        machine.add_rule("buckets_listed", "informational", "ListBuckets")
        rules = f"[rules]\ndirs = ['{machine.folder / 'rules'}']\nshipped = false\n"
        machine.configure(REGIONS, rules)
        [row] = self.dead(machine)["cannot_fire"]
        assert "needs the read-only call ListBuckets, which is not looked up" in row["why"]
        machine.configure(REGIONS + "\nall_events = true", rules)
        assert self.dead(machine)["cannot_fire"] == []

    def test_trails_that_record_data_events_are_named(self, reading):
        import boto3

        environment = reading.lab.environment()
        session = boto3.Session(
            environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1"
        )
        assert "no trail in us-east-1" in " ".join(self.dead(reading, "--trails")["trails"])
        s3 = session.client("s3", endpoint_url=reading.lab.url)
        s3.create_bucket(Bucket="trail-logs")
        trail = session.client("cloudtrail", endpoint_url=reading.lab.url)
        trail.create_trail(Name="main", S3BucketName="trail-logs")
        trail.put_event_selectors(
            TrailName="main",
            EventSelectors=[{"DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}]}],
        )
        trail.create_trail(Name="second", S3BucketName="trail-logs")
        lines = self.dead(reading, "--trails")["trails"]
        s3.close()
        trail.close()
        assert any("main (bucket trail-logs) records data events of AWS::S3::Object" in line for line in lines)
        assert any("second (bucket trail-logs) records no data events" in line for line in lines)
