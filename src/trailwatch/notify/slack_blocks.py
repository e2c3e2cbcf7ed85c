"""A message as Slack's blocks. What comes from a log stands in elements that Slack does not parse for markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import Any

from trailwatch.model.message import Message
from trailwatch.notify.compose import view_of
from trailwatch.notify.view import AlertLine, Fact, MessageView
from trailwatch.notify.wording import subject

Block = dict[str, Any]

HEADER_LIMIT = 150
VALUE_LIMIT = 400
LINES_SHOWN = 10
STEPS_SHOWN = 3
BODY_LIMIT = 2500
FACTS_SHOWN = 24
IDENTITY_SHOWN = frozenset({"Session name", "Source identity", "Access key", "MFA"})
"""Of the caller's identity; the principal stands in the line above."""


def text_of(message: Message) -> str:
    """The line that stands in a notification: escaped, because Slack parses this one."""
    return escaped(subject(message).removeprefix("[trailwatch] "))


def blocks_of(message: Message, zone: tzinfo | None, *, banner: str = "", hint: str = "") -> list[Block]:
    """The message.

    Args:
        message: what is told.
        zone: for local times; None for the machine's.
        banner: a line under the title, such as what came later.
        hint: a line at the end, such as how to answer.
    """
    view = view_of(message, zone)
    blocks = [_header(f"{view.severity.upper()}  {view.title if view.alerts else view.headline}")]
    if banner:
        blocks.append(_section([_bold(_short(banner))]))
    if view.lines:
        blocks += _gathered(view)
    elif view.alerts:
        blocks += _told(view)
    elif view.body:
        blocks.append(_section([_plain(_short(view.body, BODY_LIMIT))]))
    if commands := commands_of(view):
        blocks.append(_preformatted("\n".join(commands)))
    if hint:
        blocks.append({"type": "context", "elements": [{"type": "plain_text", "text": hint, "emoji": False}]})
    return blocks


def commands_of(view: MessageView) -> Sequence[str]:
    """What the reader can paste into a shell."""
    if view.commands:
        return view.commands
    if view.lines:
        return ("trailwatch incidents list", "trailwatch alerts list")
    return view.alerts[0].commands if view.alerts else ()


def escaped(text: str) -> str:
    """As Slack wants text in which nothing is markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _told(view: MessageView) -> Iterable[Block]:
    first = view.alerts[0]
    if view.preface:
        yield _section([_bold("Update: "), _plain(_short(view.preface))])
    more = f", and {view.extra} more alert{'s' if view.extra > 1 else ''}" if view.extra else ""
    yield _section([_bold(_short(view.who)), _plain(more)] if more else [_bold(_short(view.who))])
    identity = [fact for fact in view.identity if fact.label in IDENTITY_SHOWN]
    yield _section(_facts([*first.facts, *identity][:FACTS_SHOWN]))
    if view.extra:
        others = (view.order or ()) + view.folded
        rows = [f"{line.time.utc}  {_short_line(line)}" for line in others[:LINES_SHOWN]]
        yield _rows("In order", rows, len(others))
    if first.why:
        yield _section([_bold("Why it matters\n"), _plain(_short(first.why, 2 * VALUE_LIMIT))])
    if first.steps:
        steps = "\n".join(f"{at}. {_short(step)}" for at, step in enumerate(first.steps[:STEPS_SHOWN], start=1))
        yield _section([_bold("What to do next\n"), _plain(steps)])


def _gathered(view: MessageView) -> Iterable[Block]:
    for group in view.counts:
        counted = "\n".join(f"{number} x {_short(label, 120)}" for label, number in group.rows)
        yield _section([_bold(f"By {group.by}\n"), _plain(counted)])
    rows = [_line(line) for line in view.lines[:LINES_SHOWN]]
    yield _rows("The worst" if view.kind == "flood" else "The alerts", rows, view.total)


def _rows(title: str, rows: list[str], total: int) -> Block:
    if total > len(rows):
        rows.append(f"and {total - len(rows)} more")
    return _section([_bold(f"{title}\n"), _plain("\n".join(rows))])


def _line(line: AlertLine) -> str:
    incident = f", incident {line.incident}" if line.incident else ""
    return f"{_short_line(line)}; {_short(line.who, 80)}; {line.time.utc}{incident}"


def _short_line(line: AlertLine) -> str:
    where = f" in {_short(line.regions, 200)}" if line.regions else ""
    return f"{line.severity.upper()}  {_short(line.title, 120)}{where}"


def _facts(facts: Iterable[Fact]) -> list[Block]:
    elements: list[Block] = []
    for fact in facts:
        elements += [_bold(f"{fact.label}: "), _plain(f"{_short(fact.value)}\n")]
    return elements or [_plain(" ")]


def _header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": _short(text, HEADER_LIMIT), "emoji": False}}


def _section(elements: list[Block]) -> Block:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}


def _preformatted(text: str) -> Block:
    return {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [_plain(text)]}]}


def _plain(text: str) -> Block:
    return {"type": "text", "text": text}


def _bold(text: str) -> Block:
    return {"type": "text", "text": text, "style": {"bold": True}}


def _short(text: str, limit: int = VALUE_LIMIT) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."
