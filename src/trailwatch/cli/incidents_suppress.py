"""`trailwatch incidents suppress`: a suppression of the rules and the actor of an incident."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from trailwatch.cli.alert_choice import find_incident, opened_store
from trailwatch.cli.alerts_suppress import last_day, suppress, suppressing, user_of
from trailwatch.cli.main import Invocation


@click.command()
@click.argument("incident_id", metavar="ID")
@suppressing
@click.pass_obj
def command(
    invocation: Invocation, /, *, incident_id: str, reason: str, owner: str | None, expires: str, **how: Any
) -> None:
    """Suppress the rules of an incident for whoever it began with: show what that hides, then write a new file.

    Where the folder cannot be written the file's text is printed, to be put there by somebody who may.
    """
    from trailwatch.model.alert import AlertState
    from trailwatch.rules.suppression_text import Draft

    with opened_store(invocation) as store:
        kept = find_incident(store, incident_id)
        alerts = [alert for one in store.incidents.alert_ids(kept.id) if (alert := store.alerts.get(one))]
    draft = Draft(
        name=f"incident {kept.id}: {kept.actor_key}",
        owner=owner or user_of(invocation),
        reason=reason,
        expires=last_day(expires, datetime.now(UTC)),
        rules=tuple(sorted({alert.rule.slug for alert in alerts})),
        accounts=tuple(sorted({one.account for alert in alerts for one in alert.evidence} - {""})),
        actor=(kept.actor_key,) if kept.actor_key else tuple(sorted({alert.principal for alert in alerts})),
    )
    undecided = [alert.id for alert in alerts if alert.state is not AlertState.CLOSED]
    suppress(invocation, draft, f"incident-{kept.id}", undecided, **how)
