"""The exceptions that trailwatch raises on purpose.

TrailwatchError
  ConfigError    a setting is wrong                              exit 2
  RuleError      a rule cannot be loaded                         exit 2
  UsageError     the command line asks for what cannot be        exit 2
  DecodeError    a body of bytes is no CloudTrail material       exit 1
  StoreError     the state file cannot be used                   exit 1
  SourceError    a source cannot be read                         exit 1
  NotifyError    a message was not accepted                      exit 1
  ActionError    a step of a response cannot be taken            exit 1
"""

from __future__ import annotations


class TrailwatchError(Exception):
    """An error whose text is `where: what, with the value seen; what to do`.

    Args:
        origin: where it happened: a file with its line, a setting, a URL, a region.
        what: what is wrong, with the value that was seen.
        remedy: what the reader can do now; may be empty.
    """

    exit_code = 1

    def __init__(self, origin: str, what: str, remedy: str = "") -> None:
        self.origin = origin
        self.what = what
        self.remedy = remedy
        text = f"{origin}: {what}" if origin else what
        super().__init__(f"{text}; {remedy}" if remedy else text)


class ConfigError(TrailwatchError):
    exit_code = 2


class RuleError(TrailwatchError):
    exit_code = 2


class UsageError(TrailwatchError):
    exit_code = 2


class DecodeError(TrailwatchError):
    pass


class StoreError(TrailwatchError):
    pass


class SourceError(TrailwatchError):
    """A source cannot be read.

    `kind` says why, so that a caller can act: denied, throttled, unreachable, invalid.
    """

    def __init__(self, origin: str, what: str, remedy: str = "", *, kind: str = "unreachable") -> None:
        super().__init__(origin, what, remedy)
        self.kind = kind


class NotifyError(TrailwatchError):
    """A message was not accepted; `permanent` tells that trying again cannot help.

    `retry_after` is how many seconds the receiver wants to be left alone; None where it did not say.
    """

    def __init__(
        self, origin: str, what: str, remedy: str = "", *, permanent: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(origin, what, remedy)
        self.permanent = permanent
        self.retry_after = retry_after


class ActionError(TrailwatchError):
    """A step of a response cannot be taken.

    `code` is what AWS answered, and `request` its id of the request; both are empty where AWS did not answer.
    """

    def __init__(self, origin: str, what: str, remedy: str = "", *, code: str = "", request: str = "") -> None:
        super().__init__(origin, what, remedy)
        self.code = code
        self.request = request
