"""The flags of the original: what each of them gives here, or why it has no meaning any more."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from chronos_py.errors import ConfigurationError

Use = Literal["setting", "pool", "nothing"]

_ZOOKEEPER = re.compile(r"zk://([^/@]+)(/.*)?")
_TLS = "This server has no TLS of its own; put a proxy before it that has."
_SQL = "History is kept in the database (--database-url)."
_MESOS = "Kept for the pool mesos; without meaning for the others."
_OFFERS = "Kept for the pool mesos, where it is about resource offers; without meaning for the others."


@dataclass(frozen=True, slots=True)
class LegacyFlag:
    """One flag of the original.

    ``gives`` is the setting of ours that it gives, or the name under which a pool gets it; "" when it has no meaning
    here. ``meaning`` is one sentence for people. ``convert`` makes our value of the original's and may raise
    ValueError. ``is_switch``: may be given without a value. ``variable`` is the original's environment variable.
    """

    name: str
    meaning: str
    gives: str = ""
    use: Use = "setting"
    convert: Callable[[str], Any] | None = None
    is_switch: bool = False
    variable: str = ""

    @property
    def flag(self) -> str:
        return "--" + self.name


def zookeeper_hosts(text: str) -> str:
    """``zk://host:port,host:port/path`` or just the servers; the path is said by another flag."""
    if not text.startswith("zk://"):
        return text
    match = _ZOOKEEPER.fullmatch(text)
    if match is None:
        raise ValueError("zk://host:port,host:port, with credentials in --zk_auth")
    return match[1]


def _seconds_of_milliseconds(text: str) -> float:
    try:
        return float(text) / 1000
    except ValueError as error:
        raise ValueError("a number of milliseconds") from error


def _opposite(text: str) -> str:
    return {"true": "false", "false": "true"}.get(text.lower(), text)


def _same(name: str, meaning: str, **more: Any) -> LegacyFlag:
    return LegacyFlag(name, meaning, name, **more)


def _for_mesos(name: str, gives: str, meaning: str = _MESOS, **more: Any) -> LegacyFlag:
    return LegacyFlag(name, meaning, gives, "pool", **more)


def _nothing(name: str, why: str, **more: Any) -> LegacyFlag:
    return LegacyFlag(name, why, use="nothing", **more)


# In the order of the original's documentation.
LEGACY_FLAGS = (
    LegacyFlag("master", "The masters of the pool mesos; without meaning for the others.", "mesos_master"),
    LegacyFlag("user", "Whom tasks of jobs that say nobody run as.", "default_user"),
    _for_mesos("failover_timeout", "mesos_failover_timeout"),
    _same("cluster_name", "What notifications begin with."),
    _same(
        "zk_hosts",
        "ZooKeeper servers; also as zk://host:port,host:port/path, whose path is left out.",
        convert=zookeeper_hosts,
    ),
    _same("zk_path", "Folder in ZooKeeper; the candidates for leadership are in candidate below it."),
    LegacyFlag(
        "zk_timeout", "Milliseconds of a ZooKeeper session.", "zk_session_seconds", convert=_seconds_of_milliseconds
    ),
    _same("zk_auth", "user:password for ZooKeeper's digest scheme."),
    LegacyFlag("hostname", "The name others reach this node by, with the port that it listens on.", "advertise"),
    _nothing("leader_max_idle_time", "The original did not use it either."),
    _nothing("schedule_horizon", "Jobs start when they are due; nothing is planned ahead in memory."),
    LegacyFlag(
        "task_epsilon",
        "Seconds that clients of 2.x are shown as epsilon of jobs without one; nothing is skipped by it.",
        "default_epsilon",
    ),
    LegacyFlag(
        "failure_retry",
        "Milliseconds before a retry, for jobs without retryDelay.",
        "default_retry_delay",
        convert=_seconds_of_milliseconds,
    ),
    LegacyFlag(
        "disable_after_failures",
        "So many failed runs in a row disable a job that says no other number; 0: never.",
        "default_disable_after_failures",
    ),
    LegacyFlag("mesos_task_cpu", "CPUs of jobs that say none.", "default_cpus"),
    LegacyFlag("mesos_task_mem", "Mebibytes of memory of jobs that say none.", "default_mem"),
    LegacyFlag("mesos_task_disk", "Mebibytes of disk of jobs that say none.", "default_disk"),
    _for_mesos("mesos_checkpoint", "mesos_checkpoint", is_switch=True),
    _for_mesos("mesos_role", "mesos_role"),
    _for_mesos("mesos_framework_name", "mesos_framework_name"),
    _for_mesos("mesos_authentication_principal", "mesos_principal"),
    _for_mesos("mesos_authentication_secret_file", "mesos_secret_file"),
    _same("webui_url", "Address of the pages in notifications."),
    LegacyFlag("reconciliation_interval", "Seconds between two looks at all tasks of the pool.", "resync_seconds"),
    _for_mesos("revive_offers_for_new_jobs", "mesos_revive_offers_for_new_jobs", _OFFERS, is_switch=True),
    _for_mesos("decline_offer_duration", "mesos_decline_offer_duration", _OFFERS),
    _for_mesos("min_revive_offers_interval", "mesos_min_revive_offers_interval", _OFFERS),
    _same("mail_server", "SMTP server, host:port; mail is sent where mail_from is given too."),
    _same("mail_user", "User name at the mail server."),
    _same("mail_password", "Password at the mail server."),
    _same("mail_from", "Address that mail is sent from."),
    _same("mail_ssl", "Speak TLS with the mail server from the start.", is_switch=True),
    _nothing("raven_dsn", "There is no Sentry client; send notifications to its mail address or through a callback."),
    _same("slack_url", "Incoming webhook of Slack."),
    _same("mattermost_url", "Incoming webhook of Mattermost."),
    _same("http_notification_url", "Address that notifications are posted to as JSON."),
    _same("http_notification_credentials", "user:password for that, by HTTP Basic."),
    _same("graphite_host_port", "Graphite server that the leader pushes metrics to."),
    _same("graphite_reporting_interval", "Seconds between two pushes."),
    _same("graphite_group_prefix", "What the names of these metrics begin with."),
    *(
        _nothing(f"cassandra_{name}", _SQL)
        for name in (
            *("contact_points", "port", "user", "password", "keyspace", "table", "stat_count_table"),
            *("consistency", "ttl"),
        )
    ),
    _same("job_history_limit", "So many tasks are told by job/stat."),
    LegacyFlag(
        "http_port",
        "The port to listen on, on all addresses unless http_address says which.",
        "listen",
        variable="PORT0",
    ),
    LegacyFlag("http_address", "The address to listen on, with port 8080 unless http_port says which.", "listen"),
    _nothing("https_port", _TLS),
    _nothing("https_address", _TLS),
    _nothing("disable_http", "Refused: without TLS of its own this server would serve nothing.", is_switch=True),
    _same(
        "http_credentials", "user:password asked of everyone by HTTP Basic.", variable="MESOSPHERE_HTTP_CREDENTIALS"
    ),
    _same("http_realm", "The realm of HTTP Basic; here its default is chronos."),
    _nothing("ssl_keystore_path", _TLS, variable="MESOSPHERE_KEYSTORE_PATH"),
    _nothing("ssl_keystore_password", _TLS, variable="MESOSPHERE_KEYSTORE_PASS"),
    _same("http_compression", "Compress long answers for clients that take it; on by default.", is_switch=True),
    LegacyFlag(
        "disable_http_compression", "Compress nothing.", "http_compression", convert=_opposite, is_switch=True
    ),
)
BY_NAME: Mapping[str, LegacyFlag] = {flag.name: flag for flag in LEGACY_FLAGS}
DEFAULT_HTTP_PORT = "8080"
_TLS_FLAGS = frozenset(flag.name for flag in LEGACY_FLAGS if flag.meaning == _TLS)


@dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody gave. ``rank`` says where: the smaller, the stronger. ``source`` names it for people."""

    value: Any
    rank: int
    source: str


def translate(given: Mapping[str, Given]) -> dict[str, Given]:
    """Our settings, by name, of the original's flags. Raises ConfigurationError for what cannot be read."""
    if "disable_http" in given and str(given["disable_http"].value).lower() not in ("false", "0", "no"):
        raise ConfigurationError(
            f"{given['disable_http'].source} asks for HTTPS only, but this server has no TLS of its own;"
            " leave it out and put a proxy that ends TLS before the server."
        )
    settings: dict[str, Given] = {}
    for name, each in given.items():
        flag = BY_NAME[name]
        if flag.use != "setting" or flag.gives == "listen":
            continue
        each = Given(_converted(flag, each), each.rank, each.source)
        other = settings.get(flag.gives)
        if other is not None and other.rank == each.rank and other.value != each.value:
            raise ConfigurationError(f"{other.source} and {each.source} contradict each other; give one of them.")
        if other is None or each.rank < other.rank:
            settings[flag.gives] = each
    port, address = given.get("http_port"), given.get("http_address")
    parts = [part for part in (port, address) if part is not None]
    if parts:
        host = "0.0.0.0" if address is None else str(address.value)
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        settings["listen"] = Given(
            f"{host}:{DEFAULT_HTTP_PORT if port is None else port.value}",
            min(part.rank for part in parts),
            " and ".join(part.source for part in parts),
        )
    return settings


def _converted(flag: LegacyFlag, given: Given) -> Any:
    if flag.convert is None:
        return given.value
    try:
        return flag.convert(str(given.value))
    except ValueError as error:
        raise ConfigurationError(f'{given.source} is "{given.value}" but must be {error}.') from error


def pool_settings(given: Mapping[str, Given]) -> dict[str, str]:
    """What only a pool understands, by the name under which it gets it."""
    return {BY_NAME[name].gives: str(each.value) for name, each in given.items() if BY_NAME[name].use == "pool"}


def remarks(given: Mapping[str, Given], pool: str, election: str) -> list[str]:
    """What is to be said at the start about flags that do nothing."""

    def named(names: list[str]) -> str:
        return ", ".join(given[name].source for name in names)

    said = []
    nothing = [name for name in given if BY_NAME[name].use == "nothing" and name not in _TLS_FLAGS | {"disable_http"}]
    if nothing:
        said.append(f"Without meaning here, and left aside (docs/configuration.md says why): {named(nothing)}.")
    tls = [name for name in given if name in _TLS_FLAGS]
    if tls:
        said.append(
            f"{named(tls)}: this server has no TLS of its own and speaks plain HTTP;"
            " put a proxy that ends TLS before it."
        )
    unused = [name for name in given if BY_NAME[name].use == "pool" or BY_NAME[name].gives == "mesos_master"]
    if unused and pool != "mesos":
        said.append(f"Only the pool mesos would use these, but tasks run elsewhere (--pool {pool}): {named(unused)}.")
    zookeeper = [name for name in given if name.startswith("zk_")]
    if zookeeper and election != "zookeeper":
        said.append(
            f"{named(zookeeper)} would be used with --election zookeeper only; the leader is chosen in the database,"
            " so all nodes need the same --database-url."
        )
    return said
