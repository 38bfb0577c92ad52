"""What settings may not be, beyond their kind."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlsplit

from chronos_py.config.legacy import zookeeper_hosts
from chronos_py.config.options import Settings
from chronos_py.errors import ConfigurationError

# The least and the most of each number.
RANGES = {
    "lease_seconds": (1, 3600),
    "resync_seconds": (0.5, 3600),
    "zk_session_seconds": (1, 3600),
    "notification_hours": (0, 8760),
    "graphite_reporting_interval": (1, 86_400),
    "job_history_limit": (0, 1000),
    "default_epsilon": (0, 31_536_000),
}
_ADDRESSES = ("slack_url", "mattermost_url", "http_notification_url", "webui_url")
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):(\d{1,5})")
_BASE_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")


def check(settings: Settings) -> Settings:
    """The settings, with their values in the form that the server works with. Raises ConfigurationError."""
    _check_numbers(settings)
    _check_addresses(settings)
    if not settings.http_realm.isascii() or not settings.http_realm.isprintable():
        raise ConfigurationError(f"http-realm is {settings.http_realm!r} but must be plain ASCII text.")
    base_path = settings.base_path.rstrip("/")
    if not _BASE_PATH.fullmatch(base_path):
        raise ConfigurationError(f'base-path is "{settings.base_path}" but must be a path such as /chronos.')
    notes = settings.notes
    if bool(settings.mail_server) != bool(settings.mail_from):
        given, missing = ("mail-server", "mail-from") if settings.mail_server else ("mail-from", "mail-server")
        notes += (f"No mail is sent: {given} is given, but {missing} is not.",)
    return replace(settings, base_path=base_path, zk_hosts=_zookeeper_hosts(settings), notes=notes)


def _check_numbers(settings: Settings) -> None:
    for name, (least, most) in RANGES.items():
        value = getattr(settings, name)
        if not least <= value <= most:  # which is true of what is no number, too
            raise ConfigurationError(f"{_shown(name)} is {value:g} but must be from {least} to {most}.")
    for name, least in (("max_running", 1), ("default_disable_after_failures", 0)):
        if getattr(settings, name) < least:
            raise ConfigurationError(f"{_shown(name)} is {getattr(settings, name)} but must be at least {least}.")


def _check_addresses(settings: Settings) -> None:
    for name in _ADDRESSES:
        _check_address(name, getattr(settings, name))
    if settings.graphite_host_port:
        host_and_port(settings.graphite_host_port, "graphite-host-port")
    if settings.mail_server:
        host_and_port(settings.mail_server, "mail-server", default_port=465 if settings.mail_ssl else 25)


def _zookeeper_hosts(settings: Settings) -> str:
    """The servers without the zk:// of the original, which may stand before them in any place."""
    try:
        zk_hosts = zookeeper_hosts(settings.zk_hosts)
    except ValueError as error:
        raise ConfigurationError(f'zk-hosts is "{settings.zk_hosts}" but must be {error}.') from error
    if settings.election == "zookeeper" and not zk_hosts:
        raise ConfigurationError("--election zookeeper needs --zk-hosts host:port,host:port.")
    for server in filter(None, zk_hosts.partition("/")[0].split(",")):  # a folder for all paths may follow
        host_and_port(server.strip(), "zk-hosts", default_port=2181)
    if not settings.zk_path.startswith("/") or "//" in settings.zk_path:
        raise ConfigurationError(f'zk-path is "{settings.zk_path}" but must be a path such as /chronos.')
    return zk_hosts


def host_and_port(text: str, name: str, default_port: int | None = None) -> tuple[str, int]:
    """``host:port``, taken apart. Raises ConfigurationError naming the setting."""
    if default_port is not None and re.fullmatch(r"[^\s:/@\[\]]+", text):
        return text, default_port
    match = _HOST_AND_PORT.fullmatch(text)
    if match is None or not 0 < int(match[2]) < 65536:
        raise ConfigurationError(f'{name} is "{text}" but must be host:port.')
    return match[1].strip("[]"), int(match[2])


def _check_address(name: str, value: str) -> None:
    if not value:
        return
    try:
        parts = urlsplit(value)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_usable = False
    if not is_usable:  # the value may be a secret
        raise ConfigurationError(f"{_shown(name)} must be an address that begins with http:// or https://.")


def _shown(name: str) -> str:
    return name.replace("_", "-")
