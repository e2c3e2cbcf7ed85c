"""Apprise for real: two of its services against receivers on loopback."""

from datetime import UTC

import pytest

from trailwatch.errors import ConfigError, NotifyError
from trailwatch.notify.apprise import AppriseNotifier, harmless

from .receivers import DROPS, HANGS, refused


def url_of(receiver, scheme, path):
    return receiver.url.replace("http", scheme, 1) + path


def test_its_json_service_gets_the_message(receiver, samples):
    notifier = AppriseNotifier("json", url_of(receiver, "json", "/hook"), UTC)

    assert notifier.send(samples.attack()) == "accepted"

    [arrived] = receiver.arrived
    told = arrived.json
    assert arrived.path == "/hook"
    assert (
        told["title"] == "[trailwatch] CRITICAL Trail logging stopped - role deploy as mallory in 123456789012 (+1)"
    )
    assert "From: 203.0.113.7" in told["message"]
    assert "trailwatch alerts show 5f0c2d7e9b3a1c48" in told["message"]
    assert told["type"] == "failure"


def test_its_ntfy_service_gets_the_message(receiver, samples):
    notifier = AppriseNotifier("ntfy", url_of(receiver, "ntfy", "/alerts?mode=private"), UTC)

    assert notifier.send(samples.attack()) == "accepted"

    told = receiver.arrived[0].json
    assert told["topic"] == "alerts"
    assert told["title"].startswith("[trailwatch] CRITICAL Trail logging stopped")
    assert "Next: Ask the owner of the role" in told["message"]


@pytest.mark.parametrize("behaviour", [refused(500), refused(403), DROPS, HANGS], ids=str)
def test_what_is_not_accepted_is_told_without_the_secrets_of_the_url(receiver, samples, behaviour):
    receiver.behaviour = behaviour
    notifier = AppriseNotifier("json", url_of(receiver, "json", "/tokenabcdef?rto=1&cto=1"), UTC)

    with pytest.raises(NotifyError, match=r"json: not accepted: \w+") as caught:
        notifier.send(samples.attack())

    assert "tokenabcdef" not in str(caught.value)
    assert "did not say why" not in str(caught.value)
    assert len(receiver.arrived) == 1


@pytest.mark.parametrize("url", ["", "nosuch://host/secretsecret", "json://", "json://a json://b"])
def test_a_url_that_apprise_cannot_use_is_an_error_of_the_configuration(url):
    with pytest.raises(ConfigError, match="notify odd: Apprise cannot use the URL") as caught:
        AppriseNotifier("odd", url, UTC)

    assert "secretsecret" not in str(caught.value)


def test_what_services_take_for_markup_is_gone():
    assert (
        harmless("<!channel> @everyone [a](b) <@U1>")
        == "\u2039!channel\u203a (at)everyone [a] (b) \u2039(at)U1\u203a"
    )
