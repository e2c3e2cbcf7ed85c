"""Messages to a topic of Amazon SNS, with the ambient AWS credentials."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import tzinfo
from typing import Any

from trailwatch.config.routes import TOPIC
from trailwatch.errors import ConfigError, NotifyError, SourceError
from trailwatch.model.message import Message
from trailwatch.notify.plain import inert
from trailwatch.notify.wording import as_text, subject

SUBJECT_LIMIT = 100
MESSAGE_LIMIT_BYTES = 256 * 1024
ROOM_BYTES = 8 * 1024
"""Kept free for attributes, which count as well."""
CUT = "\n\n... cut: the message is larger than SNS takes; see `trailwatch alerts list`\n"
REFUSED_FOR_GOOD = frozenset({"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid"})


class SnsNotifier:
    """Publishes each message as text, as `trailwatch.ports.Notifier`.

    Subscribers can filter by the attributes `severity`, `kind` and `account`. On a FIFO topic each conversation is
    a group, and a message that is sent twice is delivered once.

    Args:
        name: how outputs call it.
        topic_arn: the topic.
        client: makes a client of SNS for a region.
        zone: for local times; None for the machine's.

    Raises:
        ConfigError: that is no ARN of a topic.
    """

    def __init__(self, name: str, topic_arn: str, client: Callable[[str], Any], zone: tzinfo | None) -> None:
        found = TOPIC.fullmatch(topic_arn)
        if found is None:
            raise ConfigError(
                f"notify {name}",
                f"no ARN of a topic: {topic_arn!r}",
                "write it as arn:aws:sns:eu-west-1:111122223333:alerts",
            )
        self.name = name
        self._topic = topic_arn
        self._region = found["region"]
        self._fifo = bool(found["fifo"])
        self._make_client = client
        self._zone = zone

    @functools.cached_property
    def _client(self) -> Any:
        # making one costs a tenth of a second, so only who sends pays for it
        return self._make_client(self._region)

    def send(self, message: Message) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client.publish(**self.request(message))
        except ClientError as error:
            raise self._refusal(error) from error
        except (BotoCoreError, SourceError) as error:
            raise NotifyError(
                f"{self.name} ({self._topic})", f"not accepted: {inert(str(error))}", "it is tried again"
            ) from error
        return f"message id {inert(str(answer.get('MessageId', '')))}"

    def request(self, message: Message) -> dict[str, Any]:
        """The arguments of Publish."""
        attributes = {"severity": message.severity.value, "kind": message.kind.value}
        accounts = sorted({alert.account for alert in message.alerts if alert.account.isdigit()})
        if len(accounts) == 1:
            attributes["account"] = accounts[0]
        request: dict[str, Any] = {
            "TopicArn": self._topic,
            "Subject": one_line_of_ascii(subject(message)),
            "Message": within(as_text(message, self._zone)),
            "MessageAttributes": {
                key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()
            },
        }
        if self._fifo:
            request["MessageDeduplicationId"] = re.sub(r"[^A-Za-z0-9-]", "-", message.id)[:128]
            request["MessageGroupId"] = re.sub(r"[^A-Za-z0-9-]", "-", message.conversation)[:128] or "trailwatch"
        return request

    def _refusal(self, error: Any) -> NotifyError:
        code = str(error.response.get("Error", {}).get("Code", ""))
        permanent = code in REFUSED_FOR_GOOD
        remedy = "it is tried again"
        if code in ("NotFound", "AuthorizationError", "AccessDenied", "InvalidClientTokenId", "ExpiredToken"):
            remedy = "correct topic_arn, or allow sns:Publish on it; it is tried again"
        return NotifyError(
            f"{self.name} ({self._topic})", f"not accepted: {inert(str(error))}", remedy, permanent=permanent
        )


def one_line_of_ascii(text: str) -> str:
    """As SNS wants a subject: printable ASCII, less than 100 characters, beginning with no space."""
    plain = text.encode("ascii", "replace").decode("ascii")
    line = "".join(character if character.isprintable() else "?" for character in plain).strip() or "trailwatch"
    return line if len(line) < SUBJECT_LIMIT else line[: SUBJECT_LIMIT - 4].rstrip() + "..."


def within(text: str, limit: int = MESSAGE_LIMIT_BYTES - ROOM_BYTES) -> str:
    """The text, cut at a whole character where it is longer than SNS takes."""
    body = text.encode("utf-8", "replace")
    if len(body) <= limit:
        return text
    return body[: limit - len(CUT)].decode("utf-8", "ignore") + CUT
