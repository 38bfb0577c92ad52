"""The original's name of one attempt: ``ct:<milliseconds>:<attempt, from 0>:<job name>:<arguments>``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# The name is as short as it can be, since it has no colon; the arguments are all that follows.
_FORM = re.compile(r"ct:([0-9]{1,15}):([0-9]{1,9}):([\w\s.#-]+)(?::(.*))?", re.DOTALL)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TaskId:
    """A task id taken apart. ``milliseconds`` since 1970 in UTC; ``attempt_number`` counts from 1, as everywhere."""

    milliseconds: int
    attempt_number: int
    job_name: str
    arguments: str


def milliseconds_of(moment: datetime) -> int:
    """An aware time as whole milliseconds since 1970, what is less than one cut off."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def format_task_id(created_at: datetime, attempt_number: int, job_name: str, arguments_text: str) -> str:
    """The id of an attempt: when it was committed (aware), its number from 1, and what its command is given.

    Every ``;`` is left out, as in the original; a NUL, which no environment can hold, too.
    """
    text = f"ct:{milliseconds_of(created_at)}:{attempt_number - 1}:{job_name}:{arguments_text}"
    return text.replace(";", "").replace("\x00", "")


def parse_task_id(text: str) -> TaskId | None:
    """The parts of an id; None when the text is none. The last colon may be missing."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    milliseconds, number, job_name, arguments = found.groups()
    return TaskId(int(milliseconds), int(number) + 1, job_name, arguments or "")
