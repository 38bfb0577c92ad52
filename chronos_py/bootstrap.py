"""The one place that wires a node together."""

from __future__ import annotations

import logging
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import entry_points
from types import FrameType

from flask import Flask

from chronos_py import __version__
from chronos_py.clock import Clock, SetClock, SystemClock
from chronos_py.config import Settings, host_and_port
from chronos_py.election import Election
from chronos_py.election.identity import is_surely_dead, this_process
from chronos_py.election.sql import SqlElection
from chronos_py.election.zookeeper import ZooKeeperElection, ZooKeeperOptions
from chronos_py.errors import ConfigurationError
from chronos_py.health import Health
from chronos_py.http import Server, bind, check_listen, create_wsgi_app, own_names
from chronos_py.logs import LogArchive, TaskLogs
from chronos_py.notifications import Channel
from chronos_py.notifications.log import LogChannel
from chronos_py.notifications.mail import MailChannel
from chronos_py.notifications.webhooks import CallbackChannel, ChatChannel
from chronos_py.pools import Pool, PoolFactory, PoolOptions, PoolState, PoolUnavailable
from chronos_py.pools.mesos.pool import MesosPool
from chronos_py.pools.mesos.session import FRAMEWORK_ID
from chronos_py.scheduler.graphite import GraphitePush
from chronos_py.scheduler.presence import BEAT_SECONDS, Presence
from chronos_py.scheduler.term import LeaderParts, Leadership
from chronos_py.scheduler.timers import Timers
from chronos_py.services import Application
from chronos_py.services.defaults import JobDefaults
from chronos_py.services.prometheus import metrics_registry
from chronos_py.services.skew import ClockKeeper
from chronos_py.store import leadership, restored, schema
from chronos_py.store.bell import Bell
from chronos_py.store.database import Database
from chronos_py.store.nodes import PRESENT_SECONDS, NodeFacts, list_nodes
from chronos_py.store.pool_state import PoolStateStore
from chronos_py.wake import Wake

logger = logging.getLogger(__name__)

CLOCK_SECONDS = 10.0
# The kernel may hand a signal to any thread, and only the first one runs handlers: it must not sleep for ever.
SIGNAL_SECONDS = 0.5
LEASE = "lease"  # what the bell is rung for when a node may have given the lease back
# Settings that only some pools understand.
POOL_SETTINGS = ("default_user", "docker_tls_ca", "docker_tls_cert", "docker_tls_key", "mesos_master", "webui_url")


class Node:
    """A node: an application that serves requests, and its part in the leadership.

    ``bell`` is how nodes wake each other, None where a database has only one. ``ending`` is set when it is to stop,
    ``failure`` says why where that is no wish of its owner's.
    """

    def __init__(
        self, application: Application, leading: Leadership, presence: Presence, bell: Bell | None = None
    ) -> None:
        self.application = application
        self._leading = leading
        self._presence = presence
        self._bell = bell
        self.ending = threading.Event()
        self.failure = ""

    def fail(self, why: str) -> None:
        """Ask whoever runs the node to stop it, for it cannot go on."""
        self.failure = why
        self.ending.set()

    def start(self) -> None:
        """Stand for leadership."""
        if self._bell is not None:
            self._bell.start()
        self._leading.start()

    def stop(self) -> None:
        """Hand over leadership and let go of everything; tasks go on and will be adopted."""
        self._leading.stop()
        if self._bell is not None:
            self._bell.ring(LEASE)
        self._presence.leave()
        if self._bell is not None:
            self._bell.stop()
        self.application.pool.close()
        self.application.database.close()


def open_database(settings: Settings) -> Database:
    """Connect and migrate. Raises ConfigurationError, DatabaseUnavailable."""
    if not settings.database_url:
        _make_folder(settings)
    database = Database(settings.full_database_url)
    revision = schema.upgrade(database)
    if revision != schema.newest_revision():
        logger.warning(
            "The database is at schema revision %s, this version knows up to %s and can work with it; bring all nodes"
            " to the newest version.",
            *(revision, schema.newest_revision()),
        )
    return database


def upgrade_database(settings: Settings) -> str:
    """Migrate and close again; a sentence about where it is now. Raises as :func:`open_database`."""
    database = open_database(settings)
    with database.read() as connection:
        revision = schema.current_revision(connection)
    database.close()
    return f"{database.shown_url} is at schema revision {revision}."


def accept_restored_database(settings: Settings) -> str:
    """Prepare a database that was put back from a backup; a sentence about it. Raises as :func:`open_database`."""
    database = open_database(settings)
    try:
        restored.leave_a_gap(database)
        return f"{database.shown_url} goes on with run ids that were not used after its backup."
    finally:
        database.close()


def _make_folder(settings: Settings) -> None:
    folder = settings.data_path
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"data-dir {folder} cannot be made: {error.strerror}.") from error
    try:
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise ConfigurationError(f"data-dir {folder} cannot be written: {error.strerror}.") from error


def open_node(settings: Settings, address: str, clock: Clock | None = None) -> Node:
    """Wire a node that advertises ``address``. Raises ConfigurationError, DatabaseUnavailable."""
    machine, defaults = clock or SystemClock(), _job_defaults(settings)
    clock = SetClock(machine)
    _make_folder(settings)
    database = open_database(settings)
    cluster = leadership.ensure_row(database)
    refuse_another_election(settings, database, address)
    pool = open_pool(settings, cluster, PoolStateStore(database))
    health, timers = Health(clock), Timers(clock)
    bell, wake = open_bell(database, lambda: leading.epoch is not None, lambda: look_at_lease(election))
    logs = TaskLogs(LogArchive(settings.log_archive_url), pool)
    election = open_election(settings, database, clock, health, address)
    parts = LeaderParts(
        *(database, clock, pool, logs, wake, health, cluster, settings.max_running),
        resync=timedelta(seconds=settings.resync_seconds),
        channels=open_channels(settings, address),
        patience=timedelta(hours=settings.notification_hours),
    )
    leading = Leadership(parts, election, timers)
    application = Application(
        *(database, clock, wake, health, logs, pool, leading, address, clock.now()),
        defaults=defaults,
        configuration=settings.shown(),
    )
    if settings.graphite_host_port:
        _push_metrics(settings, application, timers)
    if database.dialect == "postgresql":
        keeper = ClockKeeper(database, machine, clock, health)
        keeper.look()
        timers.every("clock", timedelta(seconds=CLOCK_SECONDS), keeper.look)
    ensemble = election.ensemble if isinstance(election, ZooKeeperElection) else ""
    presence = open_presence(settings, application, timers, ensemble, lambda why: node.fail(why))
    node = Node(application, leading, presence, bell)
    presence.beat()
    try:
        refuse_another_election(settings, database, address, ensemble)  # one may have started in the same moment
    except ConfigurationError:
        presence.leave()
        raise
    return node


def refuse_another_election(settings: Settings, database: Database, address: str, ensemble: str = "") -> None:
    """Two elections at once would have two winners, who take the leadership from each other for ever.

    Raises ConfigurationError where a node that is there elects otherwise.
    """
    with database.read() as connection:
        present = [node for node in list_nodes(connection) if node.seconds_ago < PRESENT_SECONDS]
    for node in present:
        if node.facts.address == address:
            continue
        if node.facts.election != _election_of(settings):
            raise ConfigurationError(
                f"The node at {node.facts.address} elects the leader by {node.facts.election}, this one would by"
                f" {_election_of(settings)}; start this node with the same election, or stop the others first."
            )
        if ensemble and node.facts.ensemble and node.facts.ensemble != ensemble:
            raise ConfigurationError(
                f"The node at {node.facts.address} elects the leader by another ZooKeeper than"
                f" {settings.zk_hosts}; start this node with the same zk-hosts, or stop the others first."
            )


def _election_of(settings: Settings) -> str:
    return "sql" if settings.election == "sql" else f"zookeeper {settings.zk_path}"[:40]


def open_presence(
    settings: Settings, application: Application, timers: Timers, ensemble: str, on_misfit: Callable[[str], None]
) -> Presence:
    """Let the cluster know that this node is there."""
    facts = NodeFacts(
        address=application.address,
        identity=this_process(),
        host=socket.gethostname(),
        version=__version__,
        pool=application.pool.name,
        election=_election_of(settings),
        started_at=application.started_at,
        schema_revision=schema.newest_revision(),
        ensemble=ensemble,
    )
    presence = Presence(application.database, facts, on_misfit)
    timers.every("presence", timedelta(seconds=BEAT_SECONDS), presence.beat)
    return presence


def look_at_lease(election: Election) -> None:
    """A lease was given back; ZooKeeper tells its candidates itself."""
    if isinstance(election, SqlElection):
        election.look()


def open_bell(
    database: Database, leads: Callable[[], bool], on_lease: Callable[[], None]
) -> tuple[Bell | None, Wake]:
    """How this node wakes the leader, which it need not do while it leads itself."""
    if database.dialect != "postgresql":
        return None, Wake()

    def pass_on(name: str) -> None:
        if not leads():
            bell.ring(name)

    wake = Wake.passed_on(pass_on)

    def hear(name: str) -> None:
        if name == LEASE:
            on_lease()
        else:
            wake.hear(name)

    bell = Bell(database, hear)
    return bell, wake


def open_election(settings: Settings, database: Database, clock: Clock, health: Health, address: str) -> Election:
    """The election that the settings ask for. Raises ConfigurationError."""

    def told_of(part: str, name: str) -> Callable[[str | None], None]:
        def tell(problem: str | None) -> None:
            if problem is None:
                if health.clear(part):
                    logger.info("%s answers again.", name)
            elif health.report(part, problem):
                logger.error("%s This node launches nothing until it is back.", problem)

        return tell

    lease = leadership.SqlLease(database, this_process(), address)
    on_database = told_of("database", "The database")
    if settings.election == "sql":
        return SqlElection(lease, clock, settings.lease_seconds, is_surely_dead, on_database)
    options = ZooKeeperOptions(
        hosts=settings.zk_hosts,
        path=settings.zk_path,
        session_seconds=settings.zk_session_seconds,
        auth=settings.zk_auth,
        ca=settings.zk_tls_ca,
        certificate=settings.zk_tls_cert,
        key=settings.zk_tls_key,
    )
    election = ZooKeeperElection(options, lease, clock, address, on_database, told_of("zookeeper", "ZooKeeper"))
    election.check()
    return election


def _job_defaults(settings: Settings) -> JobDefaults:
    return JobDefaults(
        cpus=settings.default_cpus,
        memory_mb=settings.default_mem,
        disk_mb=settings.default_disk,
        user=settings.default_user,
        retry_seconds=settings.default_retry_delay,
        disable_after_failures=settings.default_disable_after_failures or None,
        epsilon=f"PT{settings.default_epsilon:.10g}S",
        history_limit=settings.job_history_limit,
    )


def open_channels(settings: Settings, address: str) -> list[Channel]:
    """The channels that notifications go by, the server's log first; ``address`` is what the node advertises."""
    name, site = settings.cluster_name, settings.webui_url or f"http://{address}{settings.base_path}"
    channels: list[Channel] = [LogChannel()]
    if settings.mail_server and settings.mail_from:
        server = host_and_port(settings.mail_server, "mail-server", default_port=465 if settings.mail_ssl else 25)
        login = (settings.mail_user, settings.mail_password)
        channels.append(MailChannel(server, settings.mail_from, name, site, *login, tls=settings.mail_ssl))
    if settings.slack_url:
        channels.append(ChatChannel("Slack", settings.slack_url, name, site))
    if settings.mattermost_url:
        channels.append(ChatChannel("Mattermost", settings.mattermost_url, name, site))
    if settings.http_notification_url:
        credentials = settings.http_notification_credentials
        channels.append(CallbackChannel(settings.http_notification_url, credentials, name, site))
    return channels


def _push_metrics(settings: Settings, application: Application, timers: Timers) -> None:
    address = host_and_port(settings.graphite_host_port, "graphite-host-port")
    graphite = GraphitePush(
        *(address, settings.graphite_group_prefix, metrics_registry(application), application.health),
        is_leading=lambda: application.term.epoch is not None,
    )
    timers.every("graphite", timedelta(seconds=settings.graphite_reporting_interval), graphite.push)


def open_pool(settings: Settings, cluster: str, state: PoolState | None = None) -> Pool:
    """The pool that the settings ask for; says which one and why. Raises ConfigurationError."""
    own = {name: getattr(settings, name) for name in POOL_SETTINGS if getattr(settings, name)}
    options = PoolOptions(
        cluster=cluster,
        data_dir=settings.data_path,
        shared_dir=settings.shared_path,
        docker_url=settings.docker_url,
        docker_image=settings.docker_image,
        attributes=settings.pool_attributes,
        extra={**settings.pool_settings, **own},
        state=state,
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


def teardown_mesos(settings: Settings) -> str:
    """End the cluster's framework in Mesos; a sentence about it. Raises ConfigurationError, PoolUnavailable."""
    database = open_database(settings)
    try:
        pool = open_pool(replace(settings, pool="mesos"), leadership.ensure_row(database), PoolStateStore(database))
        if not isinstance(pool, MesosPool):
            raise ConfigurationError("the pool mesos that is installed is another one; it has no teardown.")
        try:
            return f"The framework {pool.teardown()} is torn down; Mesos ends its tasks."
        finally:
            pool.close()
    finally:
        database.close()


def take_over_mesos(settings: Settings, framework_id: str) -> str:
    """Make a framework of another scheduler this cluster's; a sentence about it. Raises ConfigurationError."""
    if not framework_id.strip() or "@" in framework_id:
        raise ConfigurationError(f'the framework id "{framework_id}" is none; Mesos shows it among its frameworks.')
    database = open_database(settings)
    try:
        leadership.ensure_row(database)
        kept = PoolStateStore(database)
        own = kept.get(FRAMEWORK_ID)
        if own and own != framework_id:
            raise ConfigurationError(
                f"this cluster has the framework {own} already; end that first with chronos mesos teardown."
            )
        kept.set(FRAMEWORK_ID, framework_id)
        return f"This cluster goes on as the framework {framework_id} from its next start."
    finally:
        database.close()


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
    logging.getLogger("kazoo").setLevel(logging.ERROR)  # the election says itself what is wrong with ZooKeeper
    logging.getLogger("urllib3").setLevel(logging.INFO)  # below that it logs addresses, and webhooks' are secret
    for note in settings.notes:
        logger.warning("%s", note)
    credentials = settings.http_credentials or None
    check_listen(settings.listen, credentials, settings.insecure)
    server = bind(settings.listen)
    try:
        address = _advertised(settings, server)
        node = open_node(settings, address)
        names = own_names(settings.listen, address if settings.advertise else "", credentials, settings.insecure)
        wsgi = create_wsgi_app(
            *(node.application, credentials, names),
            realm=settings.http_realm,
            compression=settings.http_compression,
            base_path=settings.base_path,
        )
    except BaseException:
        server.close()
        raise
    return _serve_until_stopped(server, node, wsgi)


def _serve_until_stopped(server: Server, node: Node, wsgi: Flask) -> int:
    def on_signal(number: int, frame: FrameType | None) -> None:
        node.ending.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    node.start()
    server.start(wsgi)
    logger.info("Serving http://%s", server.address)
    while not node.ending.wait(SIGNAL_SECONDS):
        pass
    if node.failure:
        logger.error("%s", node.failure)
    logger.info("Stopping: handing over leadership; tasks go on.")
    node.stop()
    server.close()
    return 1 if node.failure else 0


def _advertised(settings: Settings, server: Server) -> str:
    """Where others reach this node; a name without a port gets the one that the server listens on."""
    if not settings.advertise:
        return _reachable(server)
    host, _, port = settings.advertise.rpartition(":")
    if host and port.isdigit() and (":" not in host or host.startswith("[")):
        return settings.advertise
    name = settings.advertise
    name = f"[{name}]" if ":" in name and not name.startswith("[") else name
    return f"{name}:{server.address.rpartition(':')[2]}"


def _reachable(server: Server) -> str:
    host, _, port = server.address.rpartition(":")
    return f"{socket.gethostname()}:{port}" if host in ("0.0.0.0", "[::]") else server.address
