"""A node whose machine's clock is an hour off: jobs are due by the database's, and the node says so."""

from __future__ import annotations

import logging
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from chronos_py.bootstrap import open_node
from chronos_py.config import Settings
from chronos_py.services.jobs import save_jobs
from chronos_py.services.standing import view_standing
from chronos_py.store.tables import AttemptRow
from tests.cluster.server import wait_for

pytestmark = pytest.mark.postgres

OFF = timedelta(hours=1)
EXACT = timedelta(seconds=30)  # for a machine that stands still while it reads a clock


class WrongClock:
    """This machine's clock, ``off`` ahead."""

    def __init__(self, off: timedelta) -> None:
        self._off = off

    def now(self) -> datetime:
        return datetime.now(UTC) + self._off

    def monotonic(self) -> float:
        return time.monotonic()


@pytest.mark.parametrize(("off", "word"), [(OFF, "ahead of"), (-OFF, "behind")])
def test_a_clock_an_hour_off(
    off: timedelta, word: str, postgres_database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    settings = Settings(database_url=postgres_database_url, pool="process", data_dir=str(tmp_path))
    node = open_node(settings, "127.0.0.1:1", WrongClock(off))
    application = node.application
    try:
        (problem,) = [each for each in application.health.problems() if each.part == "clock"]
        said = re.match(rf"The clock of this node is (\d+) s {word} the database's", problem.message)
        assert said
        assert abs(timedelta(seconds=int(said[1])) - OFF) < EXACT
        assert not problem.hinders
        assert said[0] in caplog.text
        standing = view_standing(application)
        assert sum("clock" in sentence for sentence in standing.problems) == 1
        assert abs(standing.database.ahead - off) < EXACT
        assert abs(application.clock.now() - datetime.now(UTC)) < EXACT
        node.start()
        due = datetime.now(UTC) + timedelta(seconds=1)
        save_jobs(application, [{"name": "tick", "command": "true", "schedule": f"R1/{due.isoformat()}/PT1H"}])

        def launched() -> datetime | None:
            with application.database.read() as connection:
                return connection.execute(select(AttemptRow.launched_at)).scalar()

        found = wait_for("the job to run", launched)
        assert timedelta(0) <= found - due < OFF / 2
    finally:
        node.stop()
