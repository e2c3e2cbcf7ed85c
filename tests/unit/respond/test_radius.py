"""Who uses an identity, as the archive knows."""

from trailwatch.model.response import Target, TargetKind
from trailwatch.respond.radius import radius
from trailwatch.testing import ACCOUNT, delivery, event

DORA = Target(TargetKind.USER, ACCOUNT, "dora")
OPS = Target(TargetKind.ROLE, ACCOUNT, "ops", of=(("path", "/team/"),))
IDENTITY = {
    "type": "AssumedRole",
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/ops/dora",
    "accountId": ACCOUNT,
    "accessKeyId": "ASIA0000000000000001",
    "sessionContext": {"sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/team/ops"}},
}


def used(*records, targets=(DORA, OPS), **more):
    more = {"all_events": True, "kept": True, **more}
    return radius(targets, [delivery(records)], 0, 1, **more)


def test_each_identity_has_its_own_sessions_services_addresses_and_programs():
    by_user = event("RunInstances", sourceIPAddress="198.51.100.1", userAgent="cli")
    by_role = event("StopLogging", userIdentity=IDENTITY, sourceIPAddress="198.51.100.2")

    dora, ops = used(by_user, by_user, by_role).uses

    assert (dora.events, dict(dora.services), dict(dora.addresses)) == (
        2,
        {"ec2.amazonaws.com": 2},
        {"198.51.100.1": 2},
    )
    assert (ops.events, dict(ops.sessions), dict(ops.calls)) == (1, {"dora": 1}, {"StopLogging": 1})
    assert dora.first == dora.last > 0


def test_a_key_is_counted_by_its_id_alone():
    record = event("RunInstances")
    key = Target(TargetKind.KEY, ACCOUNT, record["userIdentity"]["accessKeyId"], of=(("user", "dora"),))

    (use,) = used(record, event("StopLogging", userIdentity=IDENTITY), targets=[key]).uses

    assert (use.events, dict(use.calls)) == (1, {"RunInstances": 1})


def test_what_the_archive_cannot_know_is_said():
    assert any("data events" in one for one in used().unknown)
    assert not any("only read" in one for one in used().unknown)
    assert any("only read" in one for one in used(all_events=False).unknown)
    assert used(kept=False).unknown == ("everything: no archive is kept, see archive.enabled",)


def test_an_event_that_cannot_be_read_is_counted():
    broken = event("RunInstances", eventTime="dora never")

    assert "1 events that could not be read" in used(broken).unknown
