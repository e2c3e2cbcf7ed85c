"""Messages through a Slack incoming webhook: each stands for itself, with the command to paste."""

from __future__ import annotations

import json
from datetime import tzinfo

from trailwatch.model.message import Message
from trailwatch.notify.http import post
from trailwatch.notify.slack_blocks import blocks_of, text_of


class SlackWebhookNotifier:
    """Sends each message in one request, as `trailwatch.ports.Notifier`.

    Args:
        name: how outputs call it.
        url: the webhook's, which is a secret.
        zone: for local times; None for the machine's.
        timeout: seconds for the whole answer.
    """

    def __init__(self, name: str, url: str, zone: tzinfo | None, timeout: float) -> None:
        self.name = name
        self._url = url
        self._zone = zone
        self._timeout = timeout

    def send(self, message: Message) -> str:
        body = {
            "text": text_of(message),
            "blocks": blocks_of(message, self._zone),
            "unfurl_links": False,
            "unfurl_media": False,
        }
        return post(
            self.name,
            self._url,
            json.dumps(body).encode("ascii"),
            {"Content-Type": "application/json; charset=utf-8"},
            timeout=self._timeout,
        )
