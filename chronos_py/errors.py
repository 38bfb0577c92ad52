"""What can go wrong, in words for the person who has to mend it.

Every error that reaches a person is one of these. The message is one sentence that names the field,
the value and what to do; the HTTP layers turn each class into its status and never show a stack trace.
"""

from __future__ import annotations


class ChronosError(Exception):
    """Base of everything this package raises on purpose."""


class InvalidDefinition(ChronosError):
    """A job document, schedule or request cannot be accepted. Nothing was stored.

    ``field`` is the JSON name of the offending field, or None when the document as a whole is wrong.
    """

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class ScheduleError(InvalidDefinition):
    """A schedule text cannot be read. ``position`` is the 0-based index of the first bad character."""

    def __init__(self, message: str, position: int | None = None, field: str = "schedule") -> None:
        super().__init__(message, field)
        self.position = position


class NotFound(ChronosError):
    """The named job or run does not exist."""


class Conflict(ChronosError):
    """The request contradicts the present state: someone else's edit, children that depend on the job, ..."""


class Outdated(Conflict):
    """The author saw another revision of the job than the present one."""


class Deposed(ChronosError):
    """This node's term is over: another node holds a higher epoch. Nothing was written."""


class DatabaseUnavailable(ChronosError):
    """The database cannot be reached. Nothing was written."""


class ConfigurationError(ChronosError):
    """The server cannot start as asked. Shown as one line, exit status 1."""
