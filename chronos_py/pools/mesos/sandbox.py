"""The files in a task's sandbox, read from its agent while the task runs and after, until the agent cleans up.

An agent refuses what leads out of the sandbox (400), and opens whatever else has the name: a named pipe holds up all
that it is asked for. What a task may put in a file's place is looked at before it is read.
"""

from __future__ import annotations

import base64
import json
import logging
import stat
from typing import Any

from chronos_py.pools import PoolUnavailable
from chronos_py.pools.mesos.http import Address, Caller, Refused, TooLong

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 65_536  # an agent gives no more, whatever it is asked for
MOST_ANSWER_BYTES = 1 << 20
MOST_LISTING_BYTES = 32 << 20  # of some 100,000 files
NO_SUCH_FILE = (400, 403, 404)


def read_sandbox(caller: Caller, handle: str, file: str, offset: int, limit: int) -> bytes:
    """At most ``limit`` bytes of a file from byte ``offset``; b"" when there is no such file.

    Raises PoolUnavailable when the agent cannot be reached.
    """
    found = b""
    while len(found) < limit:
        length = min(limit - len(found), MOST_AT_ONCE)
        wanted = {"path": file, "offset": offset + len(found), "length": length}
        answer = _ask(caller, handle, "READ_FILE", wanted, MOST_ANSWER_BYTES) or {}
        try:
            piece = base64.b64decode(answer.get("data", ""))[:length]
        except (ValueError, TypeError) as error:
            raise PoolUnavailable(f"A Mesos agent gives no file where it should: {error}.") from error
        found += piece
        if len(piece) < length:
            break
    return found


def is_regular_file(caller: Caller, handle: str, file: str) -> bool:
    """Whether a file in the sandbox can be read to its end. Raises PoolUnavailable when the agent is not reached."""
    try:
        answer = _ask(caller, handle, "LIST_FILES", {"path": ""}, MOST_LISTING_BYTES) or {}
    except TooLong as error:
        logger.warning("%s What the task %s left in %s is not read.", error, handle, file)
        return False
    for info in answer.get("file_infos") or []:
        if str(info.get("path")).rpartition("/")[2] == file:
            return stat.S_ISREG(int(info.get("mode") or 0))
    return False


def _ask(caller: Caller, handle: str, kind: str, wanted: dict[str, Any], most_bytes: int) -> dict[str, Any] | None:
    """The agent's answer about a path in the sandbox; None when there is nothing that may be read."""
    parts = handle.rsplit("@", 2)
    if len(parts) != 3 or not parts[2]:
        return None
    task_id, framework_id, address = parts
    path = f"/frameworks/{framework_id}/executors/{task_id}/runs/latest/{wanted['path']}".rstrip("/")
    question = {"type": kind, kind.lower(): wanted | {"path": path}}
    try:
        body = caller.post(Address.parse(address, 5051), "/api/v1", question, most_bytes=most_bytes)
        found = json.loads(body)[kind.lower()]
    except Refused as refusal:
        if refusal.status in NO_SUCH_FILE:
            return None
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise PoolUnavailable(f"The Mesos agent at {address} gives no file where it should.") from error
    return found if isinstance(found, dict) else None
