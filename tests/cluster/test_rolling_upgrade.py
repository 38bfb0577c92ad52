"""Two versions on one PostgreSQL: the new one migrates under the old leader, and the leadership goes both ways.

The old version is the first commit of this repository that knows of versions beside it, the new one is this tree with
one more migration.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from chronos_py.store import schema
from tests.cluster.leading import let_lead
from tests.cluster.occurrences import TICK, each_occurrence_ran_once
from tests.cluster.server import ServerProcess, wait_for
from tests.cluster.versions import first_version_with, newest_revision, next_version
from tests.pools.waiting import lines

pytestmark = pytest.mark.postgres

Start = Callable[..., ServerProcess]
HEAD = schema.newest_revision()
KNOWS_OF_OTHERS = "migrations/versions/0010_compatibility.py"


def goes_on(witness: Path) -> None:
    seen = len(lines(witness))
    wait_for("more launches", lambda: len(lines(witness)) > seen + 2)


def takes_over(leader: ServerProcess, other: ServerProcess) -> None:
    """The leader is stopped, and the other launches."""
    leader.terminate()
    other.wait_until_it_leads()
    goes_on(other.shared_dir / "witness")


def test_an_old_and_a_new_node_side_by_side(start_server: Start, postgres_database_url: str, tmp_path: Path) -> None:
    older = first_version_with(tmp_path / "older", KNOWS_OF_OTHERS)
    newer = next_version(tmp_path / "newer", HEAD, newest_revision(older))
    options = ("--pool", "process", "--database-url", postgres_database_url)
    old = start_server(*options, tree=older)
    old.wait_until_it_leads()
    old.define(**TICK)
    wait_for("the first launches", lambda: lines(old.shared_dir / "witness"))
    new = start_server(*options, tree=newer)
    assert revision_of(postgres_database_url) == "9001"
    page = new.get("/api/cluster")
    assert {node["version"] for node in page["nodes"]} == {"99.1.0", "0.1.0"}
    assert "bring them all to the newest one" in str(page["problems"])
    goes_on(old.shared_dir / "witness")
    let_lead(old, new)
    new.define(name="told-the-new", command="echo new")
    assert old.wait_for_end(new.run("told-the-new"))["state"] == "succeeded"
    takes_over(old, new)
    back = start_server(*options, tree=older)
    assert "at schema revision 9001, this version knows up to" in back.log.read_text()
    back.define(name="told-the-old", command="echo old")
    assert new.wait_for_end(back.run("told-the-old"))["state"] == "succeeded"
    takes_over(new, back)
    assert revision_of(postgres_database_url) == "9001"
    each_occurrence_ran_once(back)


def revision_of(url: str) -> str:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    engine.dispose()
    return str(found)
