"""What a swarm's task that ended is called, by what its folder says of its start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chronos_py.pools import TaskState, TaskStatus
from chronos_py.pools.swarm.files import Start, TaskFiles
from chronos_py.pools.swarm.once import NOT_RUN_CODE, once
from chronos_py.pools.swarm.status import LOST_TRACK, NO_SHARED_FOLDER, START_FAILED, with_doubt

NAME = "chronos-transport-1-1"  # which has a word of an engine that lost its runtime
NOTHING, NOTED, REPEATED = Start(False, False), Start(True, False), Start(True, True)


def guarded() -> dict[str, Any]:
    program, arguments = once("exit 125", "/start")
    return {"Spec": {"ContainerSpec": {"Command": program, "Args": arguments}}}


UNGUARDED: dict[str, Any] = {"Spec": {"ContainerSpec": {"Command": ["run"]}}}


def ended(exit_code: int) -> TaskStatus:
    return TaskStatus(NAME, "handle", TaskState.EXITED, exit_code=exit_code, node="node1")


def not_started(words: str) -> TaskStatus:
    message = f"on node1: {START_FAILED}: {words}"
    return TaskStatus(NAME, "handle", TaskState.EXITED, cause="launch", message=message, node="node1")


@pytest.mark.parametrize(
    ("status", "start", "is_lost"),
    [
        (not_started("id already in use"), NOTHING, True),
        (not_started("ttrpc: closed: unknown"), NOTHING, True),
        (not_started("exec: not found"), NOTED, True),
        (not_started("exec: not found"), NOTHING, False),
        (not_started(f"endpoint {NAME}: listen tcp4 0.0.0.0:80: bind: address already in use"), NOTHING, False),
        (ended(NOT_RUN_CODE), REPEATED, True),
        (ended(NOT_RUN_CODE), NOTED, False),
        (ended(0), REPEATED, False),
        (ended(1), NOTHING, False),
    ],
)
def test_what_may_have_run_and_is_not_known_is_lost(status: TaskStatus, start: Start, is_lost: bool) -> None:
    judged = with_doubt(status, guarded(), start, "/shared")
    assert judged == status or judged.state is TaskState.LOST
    assert (judged.state, judged.message) == (TaskState.LOST, LOST_TRACK) if is_lost else judged == status


def test_what_could_not_note_its_start_never_began() -> None:
    judged = with_doubt(ended(NOT_RUN_CODE), guarded(), NOTHING, "/shared")
    assert (judged.state, judged.cause, judged.exit_code) == (TaskState.EXITED, "launch", None)
    assert judged.message == f"on node1: {NO_SHARED_FOLDER.format('/shared')}"
    assert with_doubt(ended(NOT_RUN_CODE), UNGUARDED, NOTHING, "/shared") == ended(NOT_RUN_CODE)


def test_a_folder_that_cannot_be_read_says_nothing_against_a_start(tmp_path: Path) -> None:
    files = TaskFiles(tmp_path, "c")
    files.make(NAME)
    assert files.start_of(NAME) == NOTHING
    (tmp_path / ".chronos" / "c" / NAME / "out" / "start").touch()
    assert files.start_of(NAME) == NOTED
    (tmp_path / ".chronos").rename(tmp_path / "elsewhere")
    assert files.start_of(NAME) == REPEATED
