"""Every setting there is, frozen, with the sentence that the reference page shows for it.

A setting's documentation is the string below it. Durations are written `90s`, `15m`, `6h`, `30d` and read as
seconds; sizes `64MiB` and read as bytes; secrets are never written here but named: `password_env`, `password_file`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from trailwatch.config.automatic import AutomaticSettings, AwsLambdaSettings
from trailwatch.config.kinds import Seconds
from trailwatch.config.notifiers import NotifySettings, Route, TellingSettings
from trailwatch.config.proof import CanarySettings, CoverageSettings, GuardDutySettings, WatchSettings


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[account]]`: one account to watch. Without any, the ambient AWS credentials are used."""

    name: str
    """How outputs call it."""
    profile: str = ""
    """Profile of the AWS configuration files to start from; empty for the ambient credentials."""
    role_arn: str = ""
    """Role to assume from there; empty for none."""
    external_id: str = ""
    """External id for that role; empty for none."""
    regions: tuple[str, ...] = ()
    """Regions to read; empty for all that are enabled in the account."""


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[check]`: how a cycle reads event history."""

    lookback: Seconds = 300.0
    """The newest stretch, read first in every cycle."""
    overlap: Seconds = 900.0
    """How far before the last cycle is read again, because events show up late."""
    sweep: Seconds = 86400.0
    """How far back the background sweep reads again, piece by piece."""
    history: Seconds = 7776000.0
    """How far back a cycle catches up after an outage; AWS keeps 90 days."""
    budget: Seconds = 50.0
    """After this a cycle starts nothing new."""
    pace: Seconds = 0.55
    """Shortest time between two requests to one account and region; AWS allows two a second."""
    plan_requests_per_region: int = 3
    """Look-ups by event name, for read-only calls that matter, in one cycle and region."""
    all_events: bool = False
    """Poll read-only events too; `--all-events` does the same."""
    lock_stale: Seconds = 600.0
    """A cycle that runs longer than this is taken for hung and is an error."""
    heartbeat_url: str = ""
    """Called with GET after each good cycle, so that somebody else notices a dead cron; empty for none."""
    regions: tuple[str, ...] = ()
    """Regions to read when no `[[account]]` is set; empty for all that are enabled."""


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[store]`: the state file."""

    path: str = ""
    """The SQLite file; empty for `trailwatch/state.sqlite3` below XDG_STATE_HOME (~/.local/state)."""


class ArchiveSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[archive]`: what was polled, in CloudTrail's own file format."""

    path: str = ""
    """The folder; empty for `archive` beside the state file."""
    enabled: bool = True
    """False keeps no copy of what was polled."""
    keep: Seconds = 31536000.0
    """How long, by event time; 0 for ever."""


class RulesSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[rules]`: which rules run."""

    dirs: tuple[str, ...] = ()
    """Folders of rules of your own, besides the shipped ones."""
    shipped: bool = True
    """False leaves the shipped rules out."""
    profile: Literal["core", "standard"] = "standard"
    """Which of the shipped rules: `core` or `standard`."""
    disabled: tuple[str, ...] = ()
    """Ids or slugs of rules that do not run."""
    placeholders: dict[str, tuple[str, ...]] = {}
    """Values for `%name%` in Sigma values with the modifier `expand`: a table of lists of texts."""
    pipelines: tuple[str, ...] = ()
    """pySigma processing pipelines in YAML, applied to every Sigma rule in this order."""
    staging_days: int = 0
    """So many days a new or changed rule runs in silence before it tells anybody; 0 for none."""


class SuppressionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[suppressions]`: what nobody wants to be told of, one file each."""

    folder: str = ""
    """Where they are and where new ones are written; empty for `suppressions.d` beside the configuration file."""
    dirs: tuple[str, ...] = ()
    """Further folders of them."""


class RetentionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[retention]`: how long the state file remembers."""

    alerts: Seconds = 34560000.0
    """Alerts, since they last grew or were handled; longer than the 90 days that can be read again."""
    messages: Seconds = 7776000.0
    """Messages that were sent or given up."""
    rejects: Seconds = 2592000.0
    """What could not be read, since it last came."""
    suppressed: Seconds = 2592000.0
    """Events that suppressions hid; the totals stay."""
    seen: Seconds = 172800.0
    """Ids of events that were read; a cycle keeps them at least as long as it reads back."""
    signals: Seconds = 90000.0
    """What correlations count, besides their own time spans."""
    links: Seconds = 3024000.0
    """Which identity issued or made which other, since that was read; after it an origin is no longer seen."""
    sightings: Seconds = 2937600.0
    """What rules with a memory know, since it was last seen; at least 33 days, as long as a rule may look back."""
    dormant: Seconds = 34560000.0
    """The same for rules that speak of what was not used for long."""
    stays: Seconds = 259200.0
    """Who signed in where, for rules about travel; at least two days."""


class AddressList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[addresses.list]]`: a list of addresses of your own."""

    name: str
    """How rules and outputs call it."""
    kind: str
    """What it is for: `office`, `vpn`, `proxy`, `tor`, `hosting`, `scanner`, `threat`, or a word of your own."""
    path: str
    """A text or CSV file with an address, a network or a range in each line."""


class AddressSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[addresses]`: tables that say more of an address. None is needed; what none says no rule can use."""

    mmdb: tuple[str, ...] = ()
    """Tables in the MaxMind DB format, for country, city and network; of two that say the same, the first counts."""
    aws_ranges: str = ""
    """AWS's published `ip-ranges.json`; empty for none."""
    list: tuple[AddressList, ...] = ()
    """Lists of your own: offices, VPNs, scanners, Tor, threat intelligence."""


class SelfSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[self]`: what trailwatch itself depends on, by ARN or name. Whoever tampers with it is told as critical."""

    trail: tuple[str, ...] = ()
    """Trails that it reads."""
    bucket: tuple[str, ...] = ()
    """Buckets that these trails write to."""
    key: tuple[str, ...] = ()
    """Keys that encrypt them, by key id, ARN or alias."""
    queue: tuple[str, ...] = ()
    """Queues that tell of new logs."""
    topic: tuple[str, ...] = ()
    """Topics that alerts go to."""
    role: tuple[str, ...] = ()
    """Roles that trailwatch uses."""


class OrganizationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[organization]`: what is yours."""

    accounts: tuple[str, ...] = ()
    """Ids of your own accounts; policies that let them in let in nobody from outside."""
    ids: tuple[str, ...] = ()
    """Ids of your own organisations, `o-...`; a policy that lets in their members alone lets in no outsider."""


class Responder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[respond.account]]`: with which rights responses act in an account; never those that it reads with."""

    id: str
    """Number of the account."""
    profile: str = ""
    """Profile of the AWS configuration files to start from; empty for the ambient credentials."""
    role_arn: str = ""
    """The responder role to assume from there; empty for none."""
    external_id: str = ""
    """External id for that role; empty for none."""


class RespondSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[respond]`: how intruders are locked out."""

    playbooks: str = ""
    """Folder of playbooks of your own; empty for `playbooks.d` beside the configuration file."""
    shipped: bool = True
    """False leaves the shipped playbooks out."""
    account: tuple[Responder, ...] = ()
    """Accounts with a responder role; in others the ambient credentials act, if they belong there."""
    margin: Seconds = 60.0
    """Sessions of a role issued so long after its revocation are cut, too, because IAM takes time to spread."""
    recheck: Seconds = 15.0
    """So long what was changed is looked at again, and set again where it does not hold."""
    look_back: Seconds = 2592000.0
    """How far back the archive is asked who uses an identity."""
    automatic: AutomaticSettings = AutomaticSettings()


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings; with no file at all this is what counts."""

    check: Check = Check()
    store: StoreSettings = StoreSettings()
    archive: ArchiveSettings = ArchiveSettings()
    rules: RulesSettings = RulesSettings()
    suppressions: SuppressionSettings = SuppressionSettings()
    retention: RetentionSettings = RetentionSettings()
    addresses: AddressSettings = AddressSettings()
    self: SelfSettings = SelfSettings()
    organization: OrganizationSettings = OrganizationSettings()
    respond: RespondSettings = RespondSettings()
    aws_lambda: AwsLambdaSettings = AwsLambdaSettings()
    telling: TellingSettings = TellingSettings()
    guardduty: GuardDutySettings = GuardDutySettings()
    canary: CanarySettings = CanarySettings()
    coverage: CoverageSettings = CoverageSettings()
    watch: WatchSettings = WatchSettings()
    account: tuple[Account, ...] = ()
    notify: tuple[NotifySettings, ...] = ()
    route: tuple[Route, ...] = ()
    timezone: str = ""
    """Zone for local times in messages, such as `Europe/Madrid`; empty for the machine's."""
