"""A message in words: its subject, its text and its HTML. Every channel says the same."""

from __future__ import annotations

import functools
import textwrap
from datetime import tzinfo
from typing import TYPE_CHECKING

from trailwatch.model.message import Kind, Message
from trailwatch.notify.compose import view_of
from trailwatch.notify.view import MessageView

if TYPE_CHECKING:
    import jinja2

TEXT_WIDTH = 96
SUBJECT_LIMIT = 140


def subject(message: Message) -> str:
    """One line to find it by: `[trailwatch] CRITICAL Trail logging stopped - user mallory in 123456789012 (+3)`."""
    view = view_of(message, None)
    line = f"[trailwatch] {view.title}"
    if view.alerts:
        extra = f" (+{view.extra})" if view.extra else ""
        start = f"[trailwatch] {view.severity.upper()} {_cut(view.title, 70)} - "
        line = start + _cut(view.who, SUBJECT_LIMIT - len(start) - len(extra)) + extra
    elif message.kind in (Kind.FLOOD, Kind.RESPONSE):
        line = f"[trailwatch] {view.severity.upper()} {_cut(view.title, SUBJECT_LIMIT - 20)}"
    # a mail reader would decode an encoded word that an intruder chose as a name
    return line.replace("=?", "= ?")


def as_text(message: Message, zone: tzinfo | None) -> str:
    """Plain text, lines of at most 96 characters where words allow.

    Args:
        message: what is told.
        zone: for local times; None for the machine's.
    """
    return _render("message.txt.j2", view_of(message, zone))


def as_html(message: Message, zone: tzinfo | None) -> str:
    """One self-contained HTML page: styles inside, nothing loaded from elsewhere, no scripts."""
    return _render("message.html.j2", view_of(message, zone))


def as_brief(message: Message, zone: tzinfo | None) -> str:
    """Plain text of a few lines, for channels where a long message is cut: who, what, where and what to type."""
    return _render("brief.txt.j2", view_of(message, zone))


def _render(template: str, view: MessageView) -> str:
    return _templates().get_template(template).render(message=view)


@functools.cache
def _templates() -> jinja2.Environment:
    # a console notifier without anything to say must not pay for importing this
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("trailwatch.notify"),
        autoescape=jinja2.select_autoescape(disabled_extensions=("txt.j2",), default=True),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["wrapped"] = _wrapped
    environment.filters["hanging"] = lambda text, hang: _wrapped(text, 0, hang)
    environment.filters["pad"] = str.ljust
    return environment


def _wrapped(text: str, indent: int, hang: int | None = None) -> str:
    """The text in lines of `TEXT_WIDTH`, the first indented by `indent`, others by `hang`; long words stay whole."""
    paragraphs = text.splitlines() or [""]
    wrapped = [
        textwrap.fill(
            paragraph,
            TEXT_WIDTH,
            initial_indent=" " * indent,
            subsequent_indent=" " * (indent if hang is None else hang),
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
            drop_whitespace=True,
        )
        for paragraph in paragraphs
    ]
    return "\n".join(wrapped)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(0, limit - 3)].rstrip() + "..."
