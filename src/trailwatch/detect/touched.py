"""What the events of an incident name: keys, sessions, things that were made, resources; and what contains it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trailwatch.decode.records import to_mapping
from trailwatch.detect.links import identity_of, links_of, plain
from trailwatch.errors import DecodeError
from trailwatch.model.actor import node_text
from trailwatch.model.alert import Alert, Evidence
from trailwatch.model.incident import Measure
from trailwatch.model.principal import Principal, principal_of

_NAMED = (
    *("bucketName", "userName", "roleName", "groupName", "policyArn", "roleArn", "instanceId", "functionName"),
    *("secretId", "keyId", "name", "trailName", "dBInstanceIdentifier", "dBSnapshotIdentifier", "snapshotId"),
    *("imageId", "groupId", "volumeId", "vpcId", "target", "targetArn", "topicArn", "queueUrl", "tableName"),
    *("clusterName", "detectorId", "accessKeyId", "serialNumber", "profileArn", "trustAnchorId"),
)


class Touched:
    """What the records of an incident name; dicts are used as ordered sets."""

    def __init__(self) -> None:
        self.keys: dict[str, None] = {}
        self.sessions: dict[str, None] = {}
        self._made: dict[str, str] = {}
        self.resources: dict[str, None] = {}
        self._users: dict[str, dict[str, None]] = {}
        self._roles: dict[str, None] = {}
        self._machines: dict[str, None] = {}
        self._roots: dict[str, None] = {}
        self._made_users: dict[str, None] = {}
        self._made_keys: dict[str, None] = {}

    @property
    def made(self) -> list[str]:
        """What was made, each once, in order, as text for people."""
        return list(dict.fromkeys(self._made.values()))

    def add(self, alert: Alert) -> None:
        """Takes what the records of an alert name; of one without records who it is about."""
        read = [self._add(evidence) for evidence in alert.evidence]
        if not any(read):
            self._add_principal(alert)
        if alert.identity.startswith("machine:"):
            self._machines[alert.identity] = None

    def _add(self, evidence: Evidence) -> bool:
        """Whether the record could be read: of a correlation it is not at hand, and one may be cut short."""
        try:
            record = to_mapping(evidence.record)
        except DecodeError:
            return False
        self._caller(principal_of(record))
        for link in links_of(record, evidence.time, evidence.event_id):
            if link.time and link.kind in ("created-key", "created-user", "set-password"):
                self._product(link.child, link.child_text)
        if evidence.event_name == "CreateAccessKey":
            self._product(_own_new_key(record), "")
        self.resources.update(dict.fromkeys(_resources(record)))
        return True

    def _add_principal(self, alert: Alert) -> None:
        arn = alert.principal if alert.principal.startswith("arn:") else ""
        kind, _, name = arn.rpartition(":")[2].partition("/")
        key = alert.identity.removeprefix("key:") if alert.identity.startswith("key:") else ""
        kinds = {"user": "IAMUser", "root": "Root", "role": "AssumedRole"}
        account = arn.split(":")[4] if arn.count(":") >= 5 else ""  # noqa: PLR2004 arn:aws:iam::account:resource
        issuer = arn if kind == "role" else ""
        arn = "" if issuer else arn
        self._caller(Principal(alert.principal, kinds.get(kind, ""), account, name, "", arn, issuer, key))

    def _caller(self, principal: Principal) -> None:
        if principal.access_key:
            self.keys[principal.access_key] = None
        arn = plain(principal.arn)
        if arn and principal.kind != "AWSService":
            self.sessions[arn] = None
        if principal.kind == "IAMUser" and arn:
            keys = self._users.setdefault(arn, {})
            if identity_of(principal).startswith("key:AKIA"):
                keys[principal.access_key] = None
        elif principal.kind == "Root":
            self._roots[principal.account] = None
        elif principal.kind == "AssumedRole" and ":role/aws-service-role/" not in principal.issuer_arn:
            self._roles[principal.issuer_arn or arn] = None
            if principal.session_name.startswith("i-"):
                self._machines[f"machine:{principal.session_name}@{principal.account}"] = None

    def _product(self, child: str, text: str) -> None:
        scheme, _, rest = child.partition(":")
        if scheme == "key":
            self._made_keys[rest] = None
            told = f"access key {rest}" + (f" of {text}" if text else "")
        elif scheme == "login":
            self._made_users[rest] = None
            told = f"console password of {text}"
        elif child:
            self._made_users[child] = None
            told = text or child
        else:
            return
        # an event may tell of the same thing with its owner and without
        self._made[child] = max(self._made.get(child, ""), told, key=len)

    def measures(self) -> Iterable[Measure]:
        """Identities before keys: a denied user stays denied whatever keys it has."""
        for account in self._roots:
            yield Measure(
                f"root in {account}",
                "change the password, delete its access keys, check its MFA; no policy can stop root",
            )
        for user, keys in self._users.items():
            action = "deny everything with an inline policy" + (
                f", then deactivate {', '.join(keys)}" if keys else "; it may have access keys: deactivate them"
            )
            yield Measure(node_text(user), action)
        for user in self._made_users:
            if user not in self._users:
                yield Measure(node_text(user), "it was made or taken over: deny everything, deactivate all its keys")
        for key in self._made_keys:
            yield Measure(f"access key {key}", "it was made: deactivate it")
        for role in self._roles:
            yield Measure(
                node_text(role), "deny sessions issued before now, and close the way in: trust policy, chained roles"
            )
        for machine in self._machines:
            yield Measure(node_text(machine), "isolate it: it hands out fresh credentials to whoever is on it")


def _own_new_key(record: Mapping[str, object]) -> str:
    answer = record.get("responseElements")
    made = answer.get("accessKey") if isinstance(answer, Mapping) else None
    key = made.get("accessKeyId") if isinstance(made, Mapping) else None
    return f"key:{key}" if isinstance(key, str) else ""


def _resources(record: Mapping[str, object]) -> Iterable[str]:
    listed = record.get("resources")
    for one in listed if isinstance(listed, list) else ():
        arn = (one.get("ARN") or one.get("arn")) if isinstance(one, Mapping) else None
        if isinstance(arn, str) and arn:
            yield arn
    asked = record.get("requestParameters")
    if isinstance(asked, Mapping):
        for name in _NAMED:
            value = asked.get(name)
            if isinstance(value, str) and value:
                yield value if value.startswith("arn:") else f"{name} {value}"
