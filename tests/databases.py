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
from sqlalchemy.exc import OperationalError

from chronos_py.store import database as database_module
from chronos_py.store import leadership, schema
from chronos_py.store.database import Database
from tests.cluster.server import wait_for

__all__ = [
    "database",
    "database_url",
    "empty_database_url",
    "postgres_engine",
    "postgres_template",
    "postgres_url",
    "sqlite_template",
]

# A loaded machine may take longer to answer than a node waits for its server, and stand still for longer between two
# statements than a leader may that holds locks.
database_module.CONNECT_SECONDS = 60
OWN_IDLE_TRANSACTION_SECONDS = database_module.IDLE_TRANSACTION_SECONDS
database_module.IDLE_TRANSACTION_SECONDS = 120
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

    def crash(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End it at once, as a power cut would; SIGINT ends its sessions first, SIGKILL leaves them to notice."""
        pid = (self.folder / "data" / "postmaster.pid").read_text().split()[0]
        sessions = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(pid), how)
        # It does not start again before the last session has noticed.
        wait_for("PostgreSQL to end", lambda: not any(Path(f"/proc/{each}").exists() for each in (pid, *sessions)))


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
    _once_nobody_uses_it(engine, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield engine.url.set(database=name).render_as_string(hide_password=False)
    finally:
        _once_nobody_uses_it(engine, f"DROP DATABASE {name} WITH (FORCE)")


def _once_nobody_uses_it(engine: Engine, statement: str) -> None:
    """PostgreSQL itself waits five seconds for sessions to end that it has told to."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with engine.connect() as connection:
                connection.execute(text(statement))
            return
        except OperationalError as error:
            is_in_use = getattr(error.orig, "sqlstate", None) == "55006"
            if not is_in_use or time.monotonic() > deadline:
                raise


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
