"""The settings of a server: one table of options, read from flags, environment, file and defaults, in that order."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chronos_py.errors import ConfigurationError

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


@dataclass(frozen=True, slots=True)
class Option:
    """One setting. ``kind`` is str, int, float or bool; the default is already of that kind."""

    name: str
    kind: type
    default: Any
    help: str
    choices: tuple[str, ...] = ()

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
    Option("docker_url", str, "", "Docker Engine to use, such as unix:///var/run/docker.sock."),
    Option("docker_image", str, "busybox:1", "Image for jobs that name none."),
    Option("election", str, "sql", "How the leader is chosen.", ("sql", "zookeeper")),
    Option("zk_hosts", str, "", "ZooKeeper servers, host:port,host:port."),
    Option("zk_path", str, "/chronos", "Folder in ZooKeeper."),
    Option("advertise", str, "", "Address that others reach this node at; default: the one it listens on."),
    Option("lease_seconds", float, 10.0, "A leader that is silent this long loses its term."),
    Option("data_dir", str, "~/.local/share/chronos-py", "Folder for the SQLite database, task files and logs."),
    Option("shared_dir", str, "", "Folder that every task sees as $CHRONOS_SHARED_DIR; default: in data-dir."),
    Option(
        "log_archive", str, "", "Folder or fsspec URL where the output of ended tasks is kept; default: in data-dir."
    ),
    Option("max_running", int, 64, "At most so many tasks at once."),
    Option("http_credentials", str, "", "user:password asked of everyone by HTTP Basic."),
    Option("insecure", bool, False, "Allow listening beyond this machine without credentials."),
    Option("log_level", str, "info", "How much the server says.", ("debug", "info", "warning", "error")),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one node; see :data:`OPTIONS`. Times are seconds."""

    listen: str = "127.0.0.1:4400"
    database_url: str = ""
    pool: str = "auto"
    docker_url: str = ""
    docker_image: str = "busybox:1"
    election: str = "sql"
    zk_hosts: str = ""
    zk_path: str = "/chronos"
    advertise: str = ""
    lease_seconds: float = 10.0
    data_dir: str = "~/.local/share/chronos-py"
    shared_dir: str = ""
    log_archive: str = ""
    max_running: int = 64
    http_credentials: str = ""
    insecure: bool = False
    log_level: str = "info"

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


def load_settings(
    flags: Mapping[str, Any], config_file: str | None = None, environment: Mapping[str, str] = os.environ
) -> Settings:
    """Settings from ``flags`` (those not None), then ``CHRONOS_*`` variables, then the TOML file, then defaults.

    Raises ConfigurationError naming the option, where it came from and the value.
    """
    path = config_file or environment.get("CHRONOS_CONFIG") or None
    from_file = _read_file(path) if path else {}
    values: dict[str, Any] = {}
    for option in OPTIONS:
        if flags.get(option.name) is not None:
            values[option.name] = _convert(option, flags[option.name], option.flag)
        elif option.variable in environment:
            values[option.name] = _convert(option, environment[option.variable], option.variable)
        elif option.name in from_file:
            values[option.name] = _convert(option, from_file[option.name], f"{option.name} in {path}")
    settings = Settings(**values)
    if not 1 <= settings.lease_seconds <= 3600:  # which is true of what is no number, too
        raise ConfigurationError(f"lease-seconds is {settings.lease_seconds:g} but must be from 1 to 3600.")
    if settings.max_running < 1:
        raise ConfigurationError(f"max-running is {settings.max_running} but must be at least 1.")
    return settings


def _read_file(path: str) -> dict[str, Any]:
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"config file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"config file {path} is not TOML: {error}.") from error
    content = {key.replace("-", "_"): value for key, value in content.items()}
    unknown = sorted(set(content) - {option.name for option in OPTIONS})
    if unknown:
        known = ", ".join(option.name for option in OPTIONS)
        raise ConfigurationError(f'config file {path} has an unknown key "{unknown[0]}"; known are {known}.')
    return content


def _convert(option: Option, value: object, source: str) -> Any:
    try:
        if option.kind is bool:
            return _boolean(value)
        converted = option.kind(value)
    except (ValueError, TypeError, OverflowError) as error:
        wanted = {bool: "true or false", int: "a whole number", float: "a number"}.get(option.kind, "text")
        raise ConfigurationError(f'{source} is "{value}" but must be {wanted}.') from error
    if option.choices and converted not in option.choices:
        raise ConfigurationError(f'{source} is "{value}" but must be one of {", ".join(option.choices)}.')
    return converted


def _boolean(value: object) -> bool:
    text = str(value).lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(text)
