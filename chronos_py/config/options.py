"""The table of options of ``chronos server``, and the settings that come of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Option:
    """One setting. ``kind`` is str, int, float or bool; the default is already of that kind.

    ``secret`` values are never shown again.
    """

    name: str
    kind: type
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    secret: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "CHRONOS_" + self.name.upper()


OPTIONS = (
    Option("listen", str, "127.0.0.1:4400", "Address and port to serve HTTP on."),
    Option("database_url", str, "", "sqlite:////folder/chronos.db or postgresql+psycopg://user:password@host/name."),
    Option("pool", str, "auto", "Where tasks run; auto: docker when an engine answers, else process."),
    Option("pool_attributes", str, "", 'What constraints of jobs are held against, such as "rack:a;ssd:true".'),
    Option("docker_url", str, "", "Docker Engine, or several with commas between; for a swarm those of managers."),
    Option("docker_tls_ca", str, "", "File of the certificates that the Docker engines' are signed by."),
    Option("docker_tls_cert", str, "", "This node's own certificate for the Docker engines."),
    Option("docker_tls_key", str, "", "The key to that."),
    Option("docker_image", str, "busybox:1", "Image for jobs that name none."),
    Option("mesos_master", str, "", "Mesos masters, zk://host:port,host:port/mesos or http://host:port."),
    Option("election", str, "sql", "How the leader is chosen.", ("sql", "zookeeper")),
    Option("zk_hosts", str, "", "ZooKeeper servers, host:port,host:port."),
    Option("zk_path", str, "/chronos", "Folder in ZooKeeper."),
    Option("zk_session_seconds", float, 10.0, "ZooKeeper takes a node that is silent this long for gone."),
    Option("zk_auth", str, "", "user:password for ZooKeeper's digest scheme.", secret=True),
    Option("zk_tls_ca", str, "", "File of the certificates that ZooKeeper's are signed by; speaks TLS with it."),
    Option("zk_tls_cert", str, "", "This node's own certificate for ZooKeeper."),
    Option("zk_tls_key", str, "", "The key to that."),
    Option("advertise", str, "", "Address that others reach this node at; default: the one it listens on."),
    Option("base_path", str, "", "Path before all addresses, such as /chronos, for a proxy that keeps it or not."),
    Option("lease_seconds", float, 10.0, "A leader that is silent this long loses its term."),
    Option("resync_seconds", float, 5.0, "The pool is asked for all its tasks this often, whatever it reports."),
    Option("data_dir", str, "~/.local/share/chronos-py", "Folder for the SQLite database, task files and logs."),
    Option("shared_dir", str, "", "Folder that every task sees as $CHRONOS_SHARED_DIR; default: in data-dir."),
    Option(
        "log_archive", str, "", "Folder or fsspec URL where the output of ended tasks is kept; default: in data-dir."
    ),
    Option("max_running", int, 64, "At most so many tasks at once."),
    Option("http_credentials", str, "", "user:password asked of everyone by HTTP Basic.", secret=True),
    Option("http_realm", str, "chronos", "What a browser shows when it asks for them."),
    Option("http_compression", bool, True, "Compress long answers for clients that take it."),
    Option("insecure", bool, False, "Allow listening beyond this machine without credentials."),
    Option("default_cpus", float, 0.1, "CPUs of jobs that say none when they are saved."),
    Option("default_mem", float, 128.0, "Their memory, in mebibytes."),
    Option("default_disk", float, 256.0, "Their disk, in mebibytes."),
    Option("default_user", str, "", "Whom their tasks run as."),
    Option("default_retry_delay", float, 60.0, "Seconds before their retries."),
    Option("default_disable_after_failures", int, 0, "So many failed runs in a row disable them; 0: never."),
    Option("default_epsilon", float, 60.0, "Seconds that clients of Chronos 2.x are shown as epsilon; only shown."),
    Option("job_history_limit", int, 5, "So many tasks are told by job/stat of the Chronos API."),
    Option("cluster_name", str, "", "What notifications and their subjects begin with."),
    Option("webui_url", str, "", "Address of the pages in notifications; default: that of this node."),
    Option("mail_server", str, "", "SMTP server, host:port, for mail to the owners of jobs; needs mail-from too."),
    Option("mail_user", str, "", "User name at the mail server."),
    Option("mail_password", str, "", "Password at the mail server.", secret=True),
    Option("mail_from", str, "", "Address that mail is sent from."),
    Option("mail_ssl", bool, False, "Speak TLS with the mail server from the start."),
    Option("slack_url", str, "", "Incoming webhook of Slack.", secret=True),
    Option("mattermost_url", str, "", "Incoming webhook of Mattermost.", secret=True),
    Option("http_notification_url", str, "", "Address that notifications are posted to as JSON.", secret=True),
    Option("http_notification_credentials", str, "", "user:password for that, by HTTP Basic.", secret=True),
    Option("notification_hours", float, 24.0, "A notification that cannot be delivered is given up after this long."),
    Option("graphite_host_port", str, "", "Graphite server, host:port, that the leader pushes metrics to."),
    Option("graphite_reporting_interval", float, 60.0, "Seconds between two pushes."),
    Option("graphite_group_prefix", str, "", "What the names of these metrics begin with."),
    Option("log_level", str, "info", "How much the server says.", ("debug", "info", "warning", "error")),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one node; see :data:`OPTIONS`. Times are seconds unless they say hours.

    ``pool_settings`` are flags of the original that only a pool understands, as given; ``notes`` is what is to be
    said about the settings when the server starts.
    """

    listen: str = "127.0.0.1:4400"
    database_url: str = ""
    pool: str = "auto"
    pool_attributes: str = ""
    docker_url: str = ""
    docker_tls_ca: str = ""
    docker_tls_cert: str = ""
    docker_tls_key: str = ""
    docker_image: str = "busybox:1"
    mesos_master: str = ""
    election: str = "sql"
    zk_hosts: str = ""
    zk_path: str = "/chronos"
    zk_session_seconds: float = 10.0
    zk_auth: str = ""
    zk_tls_ca: str = ""
    zk_tls_cert: str = ""
    zk_tls_key: str = ""
    advertise: str = ""
    base_path: str = ""
    lease_seconds: float = 10.0
    resync_seconds: float = 5.0
    data_dir: str = "~/.local/share/chronos-py"
    shared_dir: str = ""
    log_archive: str = ""
    max_running: int = 64
    http_credentials: str = ""
    http_realm: str = "chronos"
    http_compression: bool = True
    insecure: bool = False
    default_cpus: float = 0.1
    default_mem: float = 128.0
    default_disk: float = 256.0
    default_user: str = ""
    default_retry_delay: float = 60.0
    default_disable_after_failures: int = 0
    default_epsilon: float = 60.0
    job_history_limit: int = 5
    cluster_name: str = ""
    webui_url: str = ""
    mail_server: str = ""
    mail_user: str = ""
    mail_password: str = ""
    mail_from: str = ""
    mail_ssl: bool = False
    slack_url: str = ""
    mattermost_url: str = ""
    http_notification_url: str = ""
    http_notification_credentials: str = ""
    notification_hours: float = 24.0
    graphite_host_port: str = ""
    graphite_reporting_interval: float = 60.0
    graphite_group_prefix: str = ""
    log_level: str = "info"
    pool_settings: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def data_path(self) -> Path:
        return Path(self.data_dir).expanduser().absolute()

    @property
    def shared_path(self) -> Path:
        return Path(self.shared_dir).expanduser().absolute() if self.shared_dir else self.data_path / "shared"

    @property
    def log_archive_url(self) -> str:
        return self.log_archive or str(self.data_path / "logs")

    @property
    def full_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_path / 'chronos.db'}"

    def shown(self) -> dict[str, str]:
        """Every setting as text, secrets masked; "None" for what is not set, as Chronos' /info has it."""
        texts: dict[str, str] = {}
        for option in OPTIONS:
            value = getattr(self, option.name)
            texts[option.name] = "None" if value == "" else "***" if option.secret else str(value)
        if self.database_url:
            scheme, _, rest = self.database_url.partition("://")
            place = rest.rpartition("@")[2].partition("?")[0]  # without user and password
            texts["database_url"] = f"{scheme}://{place}"
        texts["mesos_master"] = re.sub("(?<=://)[^/@]*@", "***@", texts["mesos_master"])
        return texts | {name: "***" if "secret" in name else value for name, value in self.pool_settings.items()}
