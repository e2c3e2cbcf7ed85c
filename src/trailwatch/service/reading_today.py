"""What is read today, from the configuration, the rules and the state: for whoever asks which rules it can feed."""

from __future__ import annotations

from collections.abc import Callable

from trailwatch.config.schema import Config
from trailwatch.enrich.addresses import Addresses
from trailwatch.rules.rule import RuleSet
from trailwatch.service.reach import Sources
from trailwatch.sources.guardduty import LOOKUP
from trailwatch.sources.poll_plan import plan_of
from trailwatch.store.store import Store

_DERIVED = {
    "country": "derived.country",
    "city": "derived.city",
    "latitude": "derived.location",
    "asn": "derived.asn",
    "as_org": "derived.as_org",
    "is_aws": "derived.ip.is_aws",
}
"""What tables tell, and how rules call it."""


def sources_of(config: Config, ruleset: RuleSet, store: Store | None, tables: Addresses) -> Sources:
    """What is read with this configuration.

    Args:
        config: all settings.
        ruleset: what is loaded.
        store: knows which regions are read; None where there is no state yet.
        tables: the tables of addresses.
    """
    plan = plan_of((*ruleset.rules, *ruleset.first_seen), ruleset.correlations)
    return Sources(
        all_events=config.check.all_events,
        names=frozenset(name.name for name in plan.names) if config.check.plan_requests_per_region else frozenset(),
        regions=_regions(config, store),
        facts=frozenset(_DERIVED[name] for name in tables.tells() if name in _DERIVED),
        lists=frozenset(one.name for one in config.addresses.list),
        kinds=frozenset(one.kind for one in config.addresses.list),
    )


def _regions(config: Config, store: Store | None) -> frozenset[str]:
    """Those that the configuration names, else those that were read before."""
    chosen = _chosen(config)
    if chosen or store is None:
        return chosen
    return frozenset(key.region for key in store.coverage.lookups() if key.lookup != LOOKUP)


def _chosen(config: Config) -> frozenset[str]:
    """The regions that the configuration names; empty where some account is read wherever it is enabled."""
    of_accounts = [account.regions or config.check.regions for account in config.account] or [config.check.regions]
    return frozenset(region for regions in of_accounts for region in regions) if all(of_accounts) else frozenset()


def still_asked(config: Config, store: Store) -> Callable[[str, str], bool]:
    """Whether an account and region is still read, as far as configuration and state tell."""
    chosen = _chosen(config)

    def asked(account: str, region: str) -> bool:
        enabled = chosen or store.regions.last_enabled(account)
        return not enabled or region in enabled

    return asked


def findings_missing(config: Config, store: Store | None) -> str:
    """Why findings of GuardDuty do not come, wholly or in part; empty where they do."""
    if not config.guardduty.enabled:
        return "GuardDuty is not read: set guardduty.enabled = true"
    known = store.finding_sources.all() if store is not None else []
    if not known:
        return "GuardDuty was not read yet"
    blind = [one for one in known if one.state != "on"]
    if not blind:
        return ""
    places = ", ".join(f"{one.account}/{one.region} {one.state}" for one in blind)
    return f"GuardDuty does not look everywhere: {places}"
