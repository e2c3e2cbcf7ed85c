"""Messages by a Slack bot: a thread for each incident, its first message kept up to date, and ears for answers."""

from __future__ import annotations

import http.client
import logging
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from trailwatch.errors import NotifyError
from trailwatch.model.message import Conversation, Kind, Message, Receipt, Reply
from trailwatch.notify.http import seconds
from trailwatch.notify.plain import inert
from trailwatch.notify.slack_blocks import blocks_of, text_of

if TYPE_CHECKING:
    from slack_sdk.web import SlackResponse

GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"})
"""Somebody removed the message that a conversation began with; it goes on without it."""
REFUSED_FOR_GOOD = frozenset({"msg_too_long", "msg_blocks_too_long", "invalid_blocks", "no_text"})
REACTIONS = {
    "eyes": "ack",
    "white_check_mark": "approve",
    "heavy_check_mark": "approve",
    "+1": "approve",
    "x": "decline",
    "no_entry": "decline",
    "-1": "decline",
}
"""Which reactions say what; `approve` and `decline` count on messages that ask for it alone."""
VERBS = {"ack": "ack", "approve": "approve", "decline": "decline"}
_SAID = re.compile(r"^\s*(ack|approve|decline)\b[ \t`]*([A-Za-z0-9_-]{0,64})", re.IGNORECASE)
REPLIES_READ = 200


class SlackNotifier:
    """Sends as a bot, as `trailwatch.ports.Converser`, and hears answers, as `trailwatch.ports.Listener`.

    Args:
        name: how outputs call it.
        client: of the bot; it must not try again by itself, the outbox does.
        channel: its id.
        zone: for local times; None for the machine's.
        approvers: the user ids whose answers count.
    """

    def __init__(
        self, name: str, client: WebClient, channel: str, zone: tzinfo | None, approvers: Collection[str] = ()
    ) -> None:
        self.name = name
        self._client = client
        self._channel = channel
        self._zone = zone
        self._approvers = frozenset(approvers)

    def send(self, message: Message) -> str:
        return self.send_in(message, Conversation()).answer

    def send_in(self, message: Message, conversation: Conversation) -> Receipt:
        channel, _, opened = conversation.handle.partition("/")
        if not opened:
            return self._post(message, self._channel)
        # first what can be repeated without harm: a failure after it sends nothing twice
        here = self._refresh(channel, opened, message, conversation)
        return self._post(message, channel, thread=opened if here else "", loud=_rises(message, conversation))

    def replies(self, handle: str) -> Sequence[Reply]:
        channel, _, stamp = handle.partition("/")
        if not self._approvers or not stamp:
            return ()
        found = list(self._reactions(channel, stamp))
        answer = self._ask(
            self._client.conversations_replies, channel=channel, ts=stamp, oldest=stamp, limit=REPLIES_READ
        )
        for said in answer.get("messages") or ():
            user, when = str(said.get("user", "")), str(said.get("ts", ""))
            words = _SAID.match(str(said.get("text", "")))
            if words and user in self._approvers and when != stamp and not said.get("bot_id"):
                verb, about = VERBS[words[1].lower()], words[2]
                found.append(Reply(user, verb, f"{channel}/{when}", int(float(when)), about, is_text=True))
        return found

    def _reactions(self, channel: str, stamp: str) -> Iterable[Reply]:
        try:
            answer = self._ask(self._client.reactions_get, channel=channel, timestamp=stamp, full=True)
        except NotifyError as error:
            if isinstance(error.__cause__, SlackApiError) and _code(error.__cause__) in GONE:
                return
            raise
        for reaction in (answer.get("message") or {}).get("reactions") or ():
            verb = REACTIONS.get(str(reaction.get("name", "")).partition("::")[0])
            for user in reaction.get("users") or () if verb else ():
                if user in self._approvers and verb:
                    yield Reply(user, verb, f"{channel}/{stamp}", 0)

    def _post(self, message: Message, channel: str, *, thread: str = "", loud: bool = False) -> Receipt:
        more: dict[str, Any] = {"thread_ts": thread, "reply_broadcast": loud} if thread else {}
        answer = self._ask(
            self._client.chat_postMessage,
            channel=channel,
            text=text_of(message),
            blocks=blocks_of(message, self._zone, hint=self._hint(message)),
            mrkdwn=False,
            parse="none",
            link_names=False,
            unfurl_links=False,
            unfurl_media=False,
            **more,
        )
        place = f"{answer.get('channel') or channel}/{answer.get('ts') or ''}"
        return Receipt(f"posted {inert(place)}", place if answer.get("ts") else "")

    def _refresh(self, channel: str, stamp: str, message: Message, conversation: Conversation) -> bool:
        """Brings the message that opened the conversation up to date; False where it is gone."""
        opening = conversation.opening
        if opening is None:
            return True
        later = len(conversation.earlier)
        banner = f"{later} later message{'s' if later > 1 else ''} in the thread; the last: {inert(message.headline)}"
        if _rises(message, conversation):
            banner = f"Now {message.severity.value.upper()}. {banner}"
        try:
            self._ask(
                self._client.chat_update,
                channel=channel,
                ts=stamp,
                text=text_of(opening),
                blocks=blocks_of(opening, self._zone, banner=banner, hint=self._hint(opening)),
                parse="none",
                link_names=False,
            )
        except NotifyError as error:
            if isinstance(error.__cause__, SlackApiError) and _code(error.__cause__) in GONE:
                return False
            raise
        return True

    def _hint(self, message: Message) -> str:
        if not self._approvers:
            return ""
        if message.plan:
            return "Approve: react with a check mark or reply `approve`. Decline: react with an x or reply `decline`."
        if message.kind in (Kind.ALERT, Kind.FLOOD, Kind.DIGEST):
            return "Somebody is on it? React with eyes or reply `ack`."
        return ""

    def _ask(self, method: Callable[..., SlackResponse], **arguments: Any) -> dict[str, Any]:
        try:
            answer = method(**arguments).data
        except SlackApiError as error:
            raise self._refusal(error) from error
        except (SlackClientError, OSError, http.client.HTTPException, ValueError) as error:
            reason = "no answer in time" if isinstance(error, TimeoutError) else inert(str(error))
            raise NotifyError(self.name, f"not accepted: {reason}", "it is tried again") from error
        return answer if isinstance(answer, dict) else {}

    def _refusal(self, error: SlackApiError) -> NotifyError:
        code = _code(error)
        headers = getattr(error.response, "headers", None) or {}
        rest = next((value for key, value in headers.items() if key.lower() == "retry-after"), None)
        status = getattr(error.response, "status_code", 0)
        remedy = "it is tried again"
        if code in REFUSED_FOR_GOOD:
            remedy = "Slack will never take this message"
        elif status < 500 and not rest:  # noqa: PLR2004 the class of statuses
            remedy = "correct the token, its scopes or channel; it is tried again"
        return NotifyError(
            self.name,
            f"not accepted: {inert(code or str(status))}",
            remedy,
            permanent=code in REFUSED_FOR_GOOD,
            retry_after=seconds(rest),
        )


def client_of(token: str, api: str, timeout: float) -> WebClient:
    """A client that leaves trying again to the outbox, and saying what went wrong to whoever called it."""
    silent = logging.Logger("slack")  # noqa: LOG001 one of our own: what it logs would reach cron's mail
    silent.addHandler(logging.NullHandler())
    return WebClient(token=token, base_url=api, timeout=max(1, round(timeout)), retry_handlers=[], logger=silent)


def _code(error: SlackApiError) -> str:
    answer = error.response
    data = getattr(answer, "data", answer)
    return str(data.get("error", "")) if isinstance(data, dict) else ""


def _rises(message: Message, conversation: Conversation) -> bool:
    return conversation.opening is not None and message.severity > conversation.opening.severity
