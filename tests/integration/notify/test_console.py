"""The console: plain lines in a log, colours for a person, and nothing that its encoding cannot hold."""

import io
import os
import pty
from datetime import UTC

import pytest

from trailwatch.errors import NotifyError
from trailwatch.notify.console import ConsoleNotifier
from trailwatch.notify.wording import as_text


def test_a_log_gets_the_text_without_any_colour(samples):
    stream = io.StringIO()

    answer = ConsoleNotifier("console", stream, UTC).send(samples.attack())

    assert answer == "written"
    assert stream.getvalue() == as_text(samples.attack(), UTC) + "\n"


def test_a_terminal_gets_the_same_text_with_colours(samples, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    reader, writer = pty.openpty()
    message = samples.message(samples.alert())
    with open(writer, "w", encoding="utf-8") as stream:  # noqa: PTH123 a file descriptor has no path
        ConsoleNotifier("console", stream, UTC).send(message)
        shown = os.read(reader, 65536).decode()
    os.close(reader)

    assert "\x1b[1;37;41mCRITICAL\x1b[0m  Trail logging stopped" in shown
    assert "203.0.113.7" in shown


def test_a_stream_that_knows_only_ascii_gets_escapes(samples):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    record = samples.record(userAgent="naïve")

    ConsoleNotifier("console", stream, UTC).send(samples.message(samples.alert(samples.evidence(record))))

    assert rb"na\xefve" in stream.buffer.getvalue()


def test_a_stream_that_is_closed_is_an_error_that_can_be_told(samples):
    stream = io.StringIO()
    stream.close()

    with pytest.raises(NotifyError, match="console: cannot write: I/O operation on closed file"):
        ConsoleNotifier("console", stream, UTC).send(samples.attack())
