"""Finding the master that leads: in ZooKeeper, or by asking any master."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import KeeperState

from chronos_py.pools import PoolUnavailable
from chronos_py.pools.mesos.http import Address

logger = logging.getLogger(__name__)

ZOOKEEPER_SECONDS = 10.0
CLOSE_SECONDS = 2.0
_URL = re.compile(r"zk://(?:(?P<auth>[^/@]+)@)?(?P<hosts>[^/@]+)(?P<path>/.+)")
_INFO = "json.info_"


class Masters(Protocol):
    """Where the leading master is looked for."""

    def candidates(self) -> Sequence[Address]:
        """Whom to ask, the likeliest leader first. Raises PoolUnavailable when there is none."""

    def close(self) -> None: ...


def open_masters(text: str, on_change: Callable[[], None]) -> Masters:
    """Of ``zk://...`` or of addresses with commas. ``on_change`` is called when another master may lead.

    Raises PoolUnavailable in one sentence when the text is neither. Reaches for nothing yet.
    """
    if text.startswith("zk://"):
        found = _URL.fullmatch(text)
        if found is None:
            raise PoolUnavailable(f'--mesos-master is "{_hidden(text)}" but must be zk://host:port,host:port/path.')
        return ZooKeeperMasters(found["hosts"], found["path"].rstrip("/"), found["auth"] or "", on_change)
    try:
        return NamedMasters([Address.parse(each.strip()) for each in text.split(",") if each.strip()])
    except ValueError as error:
        raise PoolUnavailable(f"--mesos-master: {error}.") from error


def _hidden(text: str) -> str:
    return re.sub(r"(?<=://)[^/@]*(?=@)", "***", text)


class NamedMasters:
    """Masters that were named. Any of them tells who leads."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        if not addresses:
            raise PoolUnavailable("--mesos-master names no master.")
        self._addresses = tuple(addresses)

    def candidates(self) -> Sequence[Address]:
        return self._addresses

    def close(self) -> None:
        return


class ZooKeeperMasters:
    """Masters that have entered themselves in ZooKeeper; the one with the lowest number leads."""

    def __init__(self, hosts: str, path: str, auth: str, on_change: Callable[[], None]) -> None:
        self._hosts = hosts
        self._path = path
        self._auth = auth
        self._on_change = on_change
        self._lock = threading.Lock()
        self._client: KazooClient | None = None
        self._lives = threading.Event()  # the client's own, set while it is connected

    def candidates(self) -> Sequence[Address]:
        try:
            client = self._connected()
            names = leaders_first(_answer(client.get_children_async(self._path, watch=self._changed)))
            entries = [read_master_info(_answer(client.get_async(f"{self._path}/{name}"))[0]) for name in names[:1]]
        except KazooTimeoutError as error:
            raise PoolUnavailable(f"ZooKeeper at {self._hosts} does not answer.") from error
        except (KazooException, OSError) as error:
            words = str(error) or type(error).__name__
            raise PoolUnavailable(
                f"ZooKeeper at {self._hosts} cannot say who leads in {self._path}: {words}."
            ) from error
        addresses = [entry for entry in entries if entry is not None]
        if not addresses:
            raise PoolUnavailable(
                f"No Mesos master leads: none is entered at {self._path} of ZooKeeper {self._hosts}."
            )
        return addresses

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:  # closing waits for one who does not answer
            closing = threading.Thread(target=_close, args=(client,), name="closing ZooKeeper", daemon=True)
            closing.start()
            closing.join(CLOSE_SECONDS)

    def _connected(self) -> KazooClient:
        """The client, which goes on connecting by itself where ZooKeeper does not answer yet."""
        with self._lock:
            if self._client is None:
                more: dict[str, Any] = {"auth_data": [("digest", self._auth)]} if self._auth else {}
                client = KazooClient(hosts=self._hosts, timeout=ZOOKEEPER_SECONDS, read_only=True, **more)
                self._lives = client.start_async()
                self._client = client
            client, lives = self._client, self._lives
        if client.client_state != KeeperState.AUTH_FAILED and not lives.wait(ZOOKEEPER_SECONDS):
            raise KazooTimeoutError("it does not answer")
        return client

    def _changed(self, event: object) -> None:
        self._on_change()


def _close(client: KazooClient) -> None:
    with contextlib.suppress(KazooException):
        client.stop()
        client.close()


def _answer(asked: Any) -> Any:
    """While no server can be reached, the client keeps what it is asked, however long that takes."""
    return asked.get(timeout=ZOOKEEPER_SECONDS)


def leaders_first(names: Sequence[str]) -> list[str]:
    """The entries of masters by their numbers; the replicated log's own are passed over."""
    return sorted((name for name in names if name.startswith(_INFO)), key=lambda name: name.removeprefix(_INFO))


def read_master_info(data: bytes) -> Address | None:
    """The address in a master's entry; its number ``ip`` is of the machine's byte order and not used."""
    try:
        address = json.loads(data)["address"]
        return Address(str(address.get("ip") or address["hostname"]), int(address["port"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
