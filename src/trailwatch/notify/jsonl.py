"""Messages as lines of JSON at the end of a file, for whatever reads files."""

from __future__ import annotations

import os
from datetime import tzinfo
from pathlib import Path

from trailwatch.errors import NotifyError
from trailwatch.model.message import Message
from trailwatch.notify.payload import as_json


class JsonLinesNotifier:
    """Appends a line for each message and waits until it is on the disk, as `trailwatch.ports.Notifier`.

    Args:
        name: how outputs call it.
        path: the file; it may be moved away at any time, a new one is made.
        zone: for local times in texts; None for the machine's.
    """

    def __init__(self, name: str, path: Path, zone: tzinfo | None) -> None:
        self.name = name
        self._path = path
        self._zone = zone

    def send(self, message: Message) -> str:
        line = as_json(message, self._zone) + b"\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, 0o600)
            try:
                self._append(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise NotifyError(
                f"{self.name} ({self._path})", f"cannot append: {error.strerror}", "free space or correct path"
            ) from error
        return f"{len(line)} bytes written"

    @staticmethod
    def _append(descriptor: int, line: bytes) -> None:
        """The whole line, or nothing of it: half a line would spoil the next one too."""
        before = os.fstat(descriptor).st_size
        try:
            rest = line
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, before)
            raise
