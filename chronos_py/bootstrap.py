"""The one place that wires a node together."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from importlib.metadata import entry_points
from types import FrameType

from flask import Flask

from chronos_py.clock import Clock, SystemClock
from chronos_py.config import Settings
from chronos_py.election.identity import is_surely_dead, this_process
from chronos_py.election.sql import SqlElection
from chronos_py.errors import ConfigurationError
from chronos_py.health import Health
from chronos_py.http import Server, bind, check_listen, create_wsgi_app, own_names
from chronos_py.logs import LogArchive, TaskLogs
from chronos_py.pools import Pool, PoolFactory, PoolOptions, PoolUnavailable
from chronos_py.scheduler.term import LeaderParts, Leadership
from chronos_py.scheduler.timers import Timers
from chronos_py.services import Application
from chronos_py.store import leadership, schema
from chronos_py.store.database import Database
from chronos_py.wake import Wake

logger = logging.getLogger(__name__)


class Node:
    """A node: an application that serves requests, and its part in the leadership."""

    def __init__(self, application: Application, leading: Leadership) -> None:
        self.application = application
        self._leading = leading

    def start(self) -> None:
        """Stand for leadership."""
        self._leading.start()

    def stop(self) -> None:
        """Hand over leadership and let go of everything; tasks go on and will be adopted."""
        self._leading.stop()
        self.application.pool.close()
        self.application.database.close()


def open_database(settings: Settings) -> Database:
    """Connect and migrate. Raises ConfigurationError, DatabaseUnavailable."""
    if not settings.database_url:
        _make_folder(settings)
    database = Database(settings.full_database_url)
    schema.upgrade(database)
    return database


def upgrade_database(settings: Settings) -> str:
    """Migrate and close again; a sentence about where it is now. Raises as :func:`open_database`."""
    database = open_database(settings)
    database.close()
    return f"{database.shown_url} is at schema revision {schema.newest_revision()}."


def _make_folder(settings: Settings) -> None:
    try:
        settings.data_path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"data-dir {settings.data_path} cannot be made: {error.strerror}.") from error


def open_node(settings: Settings, address: str, clock: Clock | None = None) -> Node:
    """Wire a node that advertises ``address``. Raises ConfigurationError, DatabaseUnavailable."""
    if settings.election != "sql":
        raise ConfigurationError(
            f"election {settings.election} is not available in this version; use --election sql."
        )
    clock = clock or SystemClock()
    _make_folder(settings)
    database = open_database(settings)
    cluster = leadership.ensure_row(database)
    pool = open_pool(settings, cluster)
    wake, health, timers = Wake(), Health(clock), Timers()
    logs = TaskLogs(LogArchive(settings.log_archive_url), pool)

    def on_database(problem: str | None) -> None:
        if problem is None:
            if health.clear("database"):
                logger.info("The database answers again.")
        elif health.report("database", problem):
            logger.error("%s This node launches nothing until it is back.", problem)

    lease = leadership.SqlLease(database, this_process(), address)
    election = SqlElection(lease, clock, settings.lease_seconds, is_surely_dead, on_database)
    parts = LeaderParts(database, clock, pool, logs, wake, health, cluster, settings.max_running)
    leading = Leadership(parts, election, timers)
    application = Application(database, clock, wake, health, logs, pool, leading, address, clock.now())
    return Node(application, leading)


def open_pool(settings: Settings, cluster: str) -> Pool:
    """The pool that the settings ask for; says which one and why. Raises ConfigurationError."""
    options = PoolOptions(
        cluster=cluster,
        data_dir=settings.data_path,
        shared_dir=settings.shared_path,
        docker_url=settings.docker_url,
        docker_image=settings.docker_image,
    )
    if settings.pool != "auto":
        try:
            pool = _pool_factory(settings.pool).from_options(options)
        except PoolUnavailable as error:
            raise ConfigurationError(f"--pool {settings.pool}: {error}") from error
        logger.info("Tasks run in the %s pool, as asked.", pool.name)
        return pool
    try:
        pool = _pool_factory("docker").from_options(options)
    except PoolUnavailable as error:
        logger.info("Tasks run in the process pool, as commands on this machine: %s", error)
        return _pool_factory("process").from_options(options)
    logger.info("Tasks run in the docker pool: a Docker Engine answers.")
    return pool


def _pool_factory(name: str) -> PoolFactory:
    found = entry_points(group="chronos_py.pools")
    if name not in found.names:
        raise ConfigurationError(f'pool "{name}" is not installed; there are auto, {", ".join(sorted(found.names))}.')
    factory: PoolFactory = found[name].load()
    return factory


def run_server(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; the exit status.

    Raises ConfigurationError or DatabaseUnavailable when the server cannot start.
    """
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    credentials = settings.http_credentials or None
    check_listen(settings.listen, credentials, settings.insecure)
    server = bind(settings.listen)
    try:
        node = open_node(settings, settings.advertise or _reachable(server))
    except BaseException:
        server.close()
        raise
    names = own_names(settings.listen, settings.advertise, credentials, settings.insecure)
    return _serve_until_stopped(server, node, create_wsgi_app(node.application, credentials, names))


def _serve_until_stopped(server: Server, node: Node, wsgi: Flask) -> int:
    stopped = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    node.start()
    server.start(wsgi)
    logger.info("Serving http://%s", server.address)
    stopped.wait()
    logger.info("Stopping: handing over leadership; tasks go on.")
    node.stop()
    server.close()
    return 0


def _reachable(server: Server) -> str:
    host, _, port = server.address.rpartition(":")
    return f"{socket.gethostname()}:{port}" if host in ("0.0.0.0", "[::]") else server.address
