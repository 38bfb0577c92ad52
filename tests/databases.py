"""Real databases for the tests: every one fresh, migrated, and gone afterwards.

A test that takes ``database`` runs twice, on SQLite and on PostgreSQL. The PostgreSQL server is that of
CHRONOS_TEST_POSTGRES_URL (``script/test`` sets it) or one started for the run.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from chronos_py.store import leadership, schema
from chronos_py.store.database import Database

__all__ = [
    "database",
    "database_url",
    "empty_database_url",
    "postgres_engine",
    "postgres_template",
    "postgres_url",
    "sqlite_template",
]

SCRIPT = Path(__file__).parents[1] / "script" / "postgres"
DIALECTS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


class PostgresServer:
    """A private PostgreSQL, which a test may stop and start again; data and port stay."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = self.start()

    def start(self) -> str:
        done = subprocess.run(
            [SCRIPT, "start", self.folder],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        if done.returncode == 0:
            return done.stdout.strip()
        reason = f"no PostgreSQL: {done.stderr.strip()}"
        if os.environ.get("CHRONOS_TEST_ALLOW_SKIP") == "1":
            pytest.skip(reason)
        pytest.fail(reason, pytrace=False)

    def crash(self) -> None:
        """End it at once, as a power cut would."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        deadline = time.monotonic() + 30
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < deadline, f"PostgreSQL (process {pid}) does not end"
            time.sleep(0.02)  # between two looks at another process; the deadline decides


@contextmanager
def private_postgres() -> Iterator[PostgresServer]:
    """A server of one's own, in a folder that PostgreSQL's user can enter."""
    with tempfile.TemporaryDirectory(prefix="postgres", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        try:
            yield PostgresServer(folder / "server")
        finally:
            subprocess.run([SCRIPT, "stop", folder / "server"], check=True, timeout=60)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The PostgreSQL server that all tests of a run share."""
    given = os.environ.get("CHRONOS_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    with private_postgres() as server:
        yield server.url


@pytest.fixture(scope="session")
def postgres_engine(postgres_url: str) -> Iterator[Engine]:
    """Connections outside of any test's database, which make and drop those."""
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@contextmanager
def postgres_database(engine: Engine, template: str = "template1") -> Iterator[str]:
    """A new database, a copy of ``template``; its URL."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    try:
        yield engine.url.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def migrate(url: str) -> None:
    database = Database(url)
    schema.upgrade(database)
    database.close()


@pytest.fixture(scope="session")
def postgres_template(postgres_engine: Engine) -> Iterator[str]:
    """The name of a migrated database that nobody is connected to."""
    with postgres_database(postgres_engine) as url:
        migrate(url)
        name = make_url(url).database
        assert name is not None
        yield name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a migrated database that nobody has open."""
    file = tmp_path_factory.mktemp("template") / "chronos.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(params=DIALECTS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database without any rows."""
    if request.param == "sqlite":
        file = tmp_path / "chronos.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
        return
    engine, template = (request.getfixturevalue(name) for name in ("postgres_engine", "postgres_template"))
    with postgres_database(engine, template) as url:
        yield url


@pytest.fixture(params=DIALECTS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'chronos.db'}"
        return
    with postgres_database(request.getfixturevalue("postgres_engine")) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database of a cluster that nobody leads yet."""
    database = Database(database_url)
    leadership.ensure_row(database)
    yield database
    database.close()
