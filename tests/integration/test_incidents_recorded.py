"""Each attacker session of the recorded attacks is one incident with the right actor; services join none."""

import csv
import functools
import gzip
import json
from pathlib import Path

import pytest

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded events are not here")


@pytest.fixture(scope="module")
def incidents(tmp_path_factory, command):
    """Scans recorded files, each combination once, with one folder for compiled rules."""
    home = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"), str(tmp_path_factory.mktemp("home")))

    @functools.cache
    def scanned(*paths):
        wanted = ["scan", "--workers", "1", "--show", "incidents", "--format", "jsonl"]
        found = command(*wanted, *(DATA / path for path in paths), environment=home)
        return [json.loads(line) for line in found.stdout.splitlines() if line.startswith("{")]

    return scanned


def labels(source):
    """What is known of each event: its class, such as `aws-service`, and whether it should be found."""
    with gzip.open(DATA / "event-labels" / f"{source}.csv.gz", "rt") as stream:
        return {row["event_id"]: row for row in csv.DictReader(stream)}


def attackers(source, *paths):
    """For each session or user of an event that is an attack its issuer, or itself, as an alert names it."""
    known, found = labels(source), {}
    for path in paths:
        with gzip.open(DATA / path, "rt") as stream:
            for event in map(json.loads, stream):
                if known[event["eventID"]]["verdict"] == "positive":
                    identity = event["userIdentity"]
                    issuer = identity.get("sessionContext", {}).get("sessionIssuer", {}).get("arn")
                    found[identity["arn"]] = issuer or identity["arn"]
    return found


@pytest.mark.parametrize(
    ("source", "path"), [("invictus", "invictus/events.jsonl.gz"), ("suzaku", "suzaku/sans504.jsonl.gz")]
)
def test_each_session_of_an_attack_is_in_one_incident_and_no_event_of_a_service_is(incidents, source, path):
    found, known = incidents(path), labels(source)
    sessions = attackers(source, path)

    assert len(sessions) >= 1
    for session, principal in sessions.items():
        homes = [one for one in found if principal in one["principals"]]
        assert len(homes) == 1, session
        assert any(moment["event_id"] in known for moment in homes[0]["timeline"])
    noise = [
        m["event_id"] for one in found for m in one["timeline"] if known[m["event_id"]]["class"] == "aws-service"
    ]
    assert noise == []


def test_who_began_each_session_of_the_hour_of_attacks(incidents):
    """All but one were issued to the user; the credentials of a machine were taken from the machine."""
    actors = {}
    for one in incidents("invictus/events.jsonl.gz"):
        actors |= dict.fromkeys(one["principals"], one["actor_key"])

    for session, principal in attackers("invictus", "invictus/events.jsonl.gz").items():
        name = session.rpartition("/")[2]
        expected = f"machine:{name}@" if name.startswith("i-") else "arn:aws:iam::123837392027:user/bert-jan"
        assert actors[principal].startswith(expected), session


def test_each_stratus_attack_is_one_incident_of_who_ran_it(incidents):
    files = sorted(p.name for p in (DATA / "stratus").glob("*.gz"))
    found = {name: incidents(f"stratus/{name}") for name in files}

    assert {name: len(each) for name, each in found.items()} == dict.fromkeys(files, 1)
    for name, [one] in found.items():
        user = "stratus-red-team-" if "console-login" in name else "christophe"
        assert one["actor_key"].partition(":user/")[2].startswith(user), name
        principals = set(attackers("stratus", f"stratus/{name}").values())
        assert principals <= set(one["principals"]), name


def test_roles_that_the_stratus_attacker_took_are_his(incidents):
    for name in ("credential-access.ec2-get-password-data", "defense-evasion.organizations-leave"):
        [one] = incidents(f"stratus/aws.{name}.jsonl.gz")
        assert one["actor"].startswith("christophe (IAM user) in ")
        assert " -> role stratus-red-team-" in one["actor"]


def test_the_hour_of_attacks_is_one_incident_of_its_user_over_all_his_roles_and_made_users(incidents):
    found = incidents("invictus/events.jsonl.gz")
    [main_one] = [one for one in found if one["actor_key"].endswith(":user/bert-jan")]

    assert main_one == max(found, key=lambda one: one["score"])
    assert {way.rpartition("-> ")[2].split(" ")[0] for way in main_one["ways"]} >= {"role", "user"}
    assert not any(one["actor_key"].startswith("service:") for one in found)
    sessions = {session for one in found for session in one["sessions"]}
    assert not any("AWSServiceRole" in session for session in sessions)


def test_the_ransom_attacker_and_the_owner_are_two_incidents_without_service_noise(incidents):
    found = incidents("suzaku/sans504.jsonl.gz")
    by_actor = {one["actor_key"].rpartition(":")[2]: one for one in found}

    assert set(by_actor) == {"user/jmerckle", "root"}
    assert all(one["severity"] in ("high", "critical") for one in found)
    assert not any("amazonaws.com" in principal for one in found for principal in one["principals"])


def test_the_result_is_the_same_however_the_files_are_scanned(incidents):
    folder = "stratus"
    assert incidents(folder) == incidents(*sorted(f"stratus/{p.name}" for p in (DATA / folder).glob("*.gz")))
