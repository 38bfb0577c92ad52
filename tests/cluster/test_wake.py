"""What is written on a follower wakes the leader: here its duties never look by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chronos_py.bootstrap import Node, open_node
from chronos_py.config import Settings
from chronos_py.model.run import RunState
from chronos_py.scheduler import term
from chronos_py.services import Application, jobs, runs
from tests.cluster.server import wait_for

pytestmark = pytest.mark.postgres

NEVER = 3600.0


@pytest.fixture
def nodes(postgres_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Node, Node]]:
    """The leader, which has nothing more to do and sleeps, and the other."""
    monkeypatch.setattr(term, "POLL_SECONDS", NEVER)
    settings = Settings(
        database_url=postgres_database_url, pool="process", data_dir=str(tmp_path), resync_seconds=NEVER
    )
    leader, other = open_node(settings, "127.0.0.1:1"), open_node(settings, "127.0.0.1:2")
    leader.start()
    wait_for("the first to lead", lambda: leader.application.term.epoch is not None)
    other.start()
    yield leader, other
    leader.stop()
    other.stop()


def states(application: Application, job: str) -> list[RunState]:
    return [run.state for run in runs.list_runs(application, job)]


def due_in_a_moment() -> str:
    return f"R3/{(datetime.now(UTC) + timedelta(seconds=1)).isoformat()}/PT1H"


def test_each_write_on_a_follower_wakes_the_leader(nodes: tuple[Node, Node]) -> None:
    follower = nodes[1].application
    jobs.save_job(follower, {"name": "forced", "command": "sleep 3600", "retries": 0})
    run = runs.run_now(follower, "forced")
    wait_for("a forced run", lambda: states(follower, "forced") == [RunState.RUNNING])
    runs.kill_run(follower, run.id)
    wait_for("its end", lambda: states(follower, "forced") == [RunState.KILLED])
    jobs.save_job(follower, {"name": "due", "command": "true", "schedule": due_in_a_moment()})
    wait_for("the run of a new job", lambda: states(follower, "due") == [RunState.SUCCEEDED])
    jobs.patch_job(follower, "due", {"schedule": due_in_a_moment()})
    wait_for("that of an edited one", lambda: states(follower, "due") == [RunState.SUCCEEDED] * 2)
    jobs.patch_job(follower, "due", {"schedule": due_in_a_moment(), "disabled": True, "catchUp": "all"})
    jobs.patch_job(follower, "due", {"disabled": False})
    wait_for("that of a resumed one", lambda: states(follower, "due") == [RunState.SUCCEEDED] * 3)
