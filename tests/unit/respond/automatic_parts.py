"""An account in memory, in which the real actions find whom they are about and a response is one call."""

import msgspec

from trailwatch.errors import ActionError
from trailwatch.model.alert import Alert, evidence_of
from trailwatch.model.match import Match
from trailwatch.model.response import Call, Draft, Step, TargetKind
from trailwatch.model.rule import RuleInfo
from trailwatch.model.severity import Severity
from trailwatch.respond.actions.catalog import ACTIONS, BY_HAND
from trailwatch.respond.apply import Equipment
from trailwatch.respond.automatic import Automatic
from trailwatch.respond.choose import Chooser
from trailwatch.respond.plan import Drafting
from trailwatch.respond.playbook import Playbook
from trailwatch.respond.sieve import Candidate, Sieve
from trailwatch.testing import ACCOUNT, START, event

OWN_ROLE = f"arn:aws:iam::{ACCOUNT}:role/trailwatch-responder"
NOW = int(START.timestamp())


class Account:
    """`trailwatch.ports.Cloud` of one account; whoever is locked is in `locked`, in order."""

    def __init__(self, *, users=(), roles=(), tags=None, own=OWN_ROLE):
        self.arns = {("user", name.rpartition("/")[2]): f"arn:aws:iam::{ACCOUNT}:user/{name}" for name in users}
        self.arns |= {("role", name.rpartition("/")[2]): f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in roles}
        self.tags = tags or {}
        self.own = own
        self.locked = []
        self.calls = []

    def identity(self, account):
        if account != ACCOUNT:
            raise ActionError(f"account {account}", "nobody may act there")
        return self.own

    def call(self, call):
        if call.operation in ("GetUser", "GetRole"):
            kind = call.operation.removeprefix("Get")
            name = call.parameters[f"{kind}Name"]
            arn = self.arns.get((kind.lower(), name))
            if arn is None:
                raise ActionError(call.title, "NoSuchEntity", code="NoSuchEntity")
            tags = [{"Key": key, "Value": value} for key, value in self.tags.get(name, {}).items()]
            return {kind: {"Arn": arn, "Tags": tags}}
        self.calls.append(call)
        self.reached(call)
        if call.operation == "Lock":
            self.locked.append(call.parameters["Who"])
        else:
            self.locked.remove(call.parameters["Who"])
        return {}

    def reached(self, call):
        """Called when a call that changes something arrives; a test may let it fail."""


class OneCall:
    """A real action's choice of targets, with a plan of a single call."""

    permissions = ()

    def __init__(self, action):
        self.name = action.name
        self.targets = action.targets

    def plan(self, target, scene):  # noqa: ARG002 one shape for all actions
        what = dict(target.of)
        thing = {target.kind.value: target.name} if target.kind in (TargetKind.USER, TargetKind.ROLE) else what
        does = f"{self.name}: lock {target}"
        thing = {**thing, "who": f"{target.kind.value} {target.name}"}
        return Draft((Step(self.name, "lock", target.account, thing, does, wanted="locked", found="free"),))

    def verify(self, step, cloud):
        return "locked" if step.thing["who"] in cloud.locked else "free"

    def apply(self, step, found, wanted):
        return [Call(step.account, "iam", "Lock", {"Who": step.thing["who"]})] if found != wanted else []

    def revert(self, step, found, before):
        return [Call(step.account, "iam", "Unlock", {"Who": step.thing["who"]})] if found != before else []


EVERYTHING = {name: OneCall(action) for name, action in ACTIONS.items() if name not in BY_HAND}
PLAYBOOK = Playbook("everything", "for every alert", answers=("*",), actions=tuple(EVERYTHING))


class NoPast:
    def events(self, account, names):  # noqa: ARG002 one shape for all pasts
        return ()


def automatic(store, account, settings, clock, *, frozen=lambda: "", answers=lambda _case: None, own=(), **more):
    """Automatic response over a real store, with one playbook that answers everything with every action."""
    playbooks = {name: msgspec.structs.replace(PLAYBOOK, name=name) for name in settings.playbooks}
    return Automatic(
        settings,
        Sieve(settings, Chooser(playbooks, EVERYTHING), **more),
        store.automatic.telling(["mail"]),
        Drafting(EVERYTHING, account, NoPast()),
        Equipment(store.responses, account, EVERYTHING, clock, stopped=frozen),
        lambda: own,
        answers,
    )


def alert_of(*records, severity=Severity.CRITICAL, name="rule"):
    """An alert with these events, as the engine and the triage would make it."""
    info = RuleInfo(id=name, slug=name, title=name, severity=severity, origin="test")
    evidence = []
    for record in records:
        match = Match(
            rule=info, alert_id=name, time=NOW, event_id=record["eventID"], account=ACCOUNT, region="us-east-1",
            event_source=record["eventSource"], event_name=record["eventName"], principal="p", actor="p",
            source_ip="", user_agent="", error_code="", reason="", origin="test", position=0,
            record=msgspec.json.encode(record),
        )  # fmt: skip
        evidence.append(evidence_of(match))
    return Alert(
        id=f"{name}-{evidence[0].event_id}", rule=info, title=name, principal="p", actor="p", account=ACCOUNT,
        region="us-east-1", first_time=NOW, last_time=NOW, event_count=len(evidence), evidence=tuple(evidence),
    )  # fmt: skip


def candidate(*alerts, way):
    return Candidate(tuple(alerts), "incident-1", otherwise=way)


def by_role(name="StopLogging", role="admin", session="session", path="", **more):
    """A call by a session of a role."""
    issuer = {
        "type": "Role",
        "principalId": "AROAEXAMPLE",
        "arn": f"arn:aws:iam::{ACCOUNT}:role/{path}{role}",
        "accountId": ACCOUNT,
        "userName": role,
    }
    identity = {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLE:{session}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}",
        "accountId": ACCOUNT,
        "accessKeyId": "ASIAEXAMPLE",
        "sessionContext": {"sessionIssuer": issuer, "attributes": {"mfaAuthenticated": "false"}},
    }
    return event(name, userIdentity=identity, **more)


def by_user(name="ListBuckets", user="dora", path="", key="AKIAIOSFODNN7EXAMPLE", **more):
    """A call by a user."""
    identity = {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE",
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{path}{user}",
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "userName": user,
    }
    return event(name, userIdentity=identity, **more)
