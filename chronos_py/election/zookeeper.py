"""Election through ZooKeeper: candidates queue up as ephemeral nodes, the first of them may lead.

The candidates lie where the original's did, and in its form, that of Curator's leader latch:
``<path>/candidate/_c_<uuid>-latch-<sequence>``, with the node's address as their data. ZooKeeper decides who may try;
SQL's epoch decides whose writes count, so the first candidate takes a new epoch before it leads.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import ssl
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import (
    AuthFailedError,
    ConnectionClosedError,
    ConnectionLoss,
    InvalidACLError,
    KazooException,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    SessionExpiredError,
)
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.security import make_digest_acl

from chronos_py.clock import Clock
from chronos_py.election import Deposed, Elected
from chronos_py.errors import ConfigurationError, DatabaseUnavailable

logger = logging.getLogger(__name__)

START_SECONDS = 5.0
_RETRY_SECONDS = 0.5
_LOOK_SECONDS = 5.0  # the fall-back where a watch got lost
_Trouble = (KazooException, KazooTimeoutError)


@dataclass(frozen=True, slots=True)
class ZooKeeperOptions:
    """How to reach the ensemble. ``auth`` is ``user:password`` of the digest scheme, "" for none.

    With ``ca`` (a file of PEM certificates) connections are TLS; ``certificate`` and ``key`` are this node's own.
    """

    hosts: str
    path: str
    session_seconds: float
    auth: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""

    @property
    def candidates(self) -> str:
        return f"{self.path.rstrip('/')}/candidate"


class Claim(Protocol):
    """The leadership row in SQL, which the first candidate takes whoever held it."""

    def claim(self, seconds: float, now: datetime) -> int:
        """A new epoch."""

    def renew(self, epoch: int, seconds: float) -> bool:
        """Prolong it; False when the term of ``epoch`` is over."""

    def release(self, epoch: int) -> None:
        """Give it back."""


class ZooKeeperElection:
    """Stands for leadership in a thread of its own.

    A term is ours for ``session_seconds`` after the last time that the ensemble, through its own leader, has
    confirmed our candidate; and not for a moment in which the session is disconnected.
    """

    def __init__(
        self,
        options: ZooKeeperOptions,
        claim: Claim,
        clock: Clock,
        address: str,
        on_database: Callable[[str | None], None],
        on_zookeeper: Callable[[str | None], None],
    ) -> None:
        """``on_database`` and ``on_zookeeper`` are told in a sentence that it is away, and None when it answers."""
        self._options = options
        self._claim = claim
        self._clock = clock
        self._address = address
        self._on_database = on_database
        self._on_zookeeper = on_zookeeper
        self._client = _client(options)
        self._client.add_listener(self._on_state)
        self._lock = threading.Lock()
        self._connected = False
        self._interruptions = 0
        self._changed = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._own = ""
        self._path = ""  # of our candidate, when ZooKeeper has told it
        self._epoch: int | None = None
        self._valid_until = 0.0
        self._confirmed_at = 0.0
        self._database_since = 0.0
        self.ensemble = ""  # what tells this ensemble from others, once it has been checked

    def check(self) -> None:
        """Connect, and make the folder of candidates. Raises ConfigurationError in one sentence."""
        _check_certificates(self._options)
        hosts = self._options.hosts
        try:
            self._connect()
            self._client.ensure_path(self._options.candidates)
            self._client.get_children(self._options.candidates)
            self.ensemble = self._find_ensemble()
        except KazooTimeoutError as error:
            # Closing waits for the one who does not answer.
            threading.Thread(target=self._close, name="giving up ZooKeeper", daemon=True).start()
            what = "--zk-hosts, --zk-tls-ca and --zk-tls-cert" if self._options.ca else "--zk-hosts"
            raise ConfigurationError(
                f"ZooKeeper at {hosts} does not answer{' over TLS' if self._options.ca else ''}; check {what},"
                " and that its servers form a quorum."
            ) from error
        except (NoAuthError, AuthFailedError, InvalidACLError) as error:
            self._close()
            who = f"as {self._options.auth.partition(':')[0]}" if self._options.auth else "without --zk-auth"
            raise ConfigurationError(
                f"ZooKeeper at {hosts} does not let this node use {self._options.candidates} {who};"
                " check --zk-auth and --zk-path."
            ) from error
        except KazooException as error:
            self._close()
            raise ConfigurationError(f"ZooKeeper at {hosts} cannot be used: {_words(error)}.") from error

    def _connect(self) -> None:
        """As the client's own ``start``, which waits for more than its timeout where nobody answers."""
        if not self._client.start_async().wait(START_SECONDS):
            raise KazooTimeoutError("it does not answer")

    def _find_ensemble(self) -> str:
        """A random text that the first node leaves in ZooKeeper: another ensemble has another one, or none yet.

        "" where this node may use the folder of candidates only: then nobody can tell.
        """
        path = self._ensemble_path
        try:
            self._client.create(path, secrets.token_hex(8).encode())
        except (NodeExistsError, NoAuthError):
            self._client.sync(path)
        try:
            return str(self._client.get(path)[0].decode())
        except (NoNodeError, NoAuthError):
            return ""

    @property
    def _ensemble_path(self) -> str:
        return f"{self._options.path.rstrip('/')}/ensemble"

    def start(self, on_elected: Elected, on_deposed: Deposed) -> None:
        self._thread = threading.Thread(target=self._run, args=(on_elected, on_deposed), name="election", daemon=True)
        self._thread.start()

    def may_launch(self) -> bool:
        return self._epoch is not None and self._connected and self._clock.monotonic() < self._valid_until

    def stop(self) -> None:
        self._stop.set()
        self._changed.set()
        if self._thread is not None:
            self._thread.join()
        self._close()

    def _close(self) -> None:
        self._client.stop()
        self._client.close()

    def _on_state(self, state: str) -> None:
        """Called by kazoo's thread: nothing here may wait."""
        with self._lock:
            self._connected = state == KazooState.CONNECTED
            if not self._connected:
                self._interruptions += 1
                self._valid_until = 0.0
        self._changed.set()

    def _run(self, on_elected: Elected, on_deposed: Deposed) -> None:
        while not self._stop.is_set():
            self._changed.clear()
            try:
                pause = self._step(on_elected, on_deposed)
            except _Trouble as error:
                pause = self._bear(error, on_deposed)
            except Exception:  # a bug must not take the node out of the election silently: say so, and go on
                logger.exception("The election failed")
                self._on_zookeeper("The election failed with an internal error; see the server's log.")
                pause = 2 * _RETRY_SECONDS
                if self._epoch is not None:
                    self._end_term("the election failed", on_deposed)
                self._withdraw()  # another node may be well
            else:
                self._on_zookeeper(None)
            self._changed.wait(pause)
        epoch = self._epoch
        if epoch is not None:
            self._end_term("the server is stopping", on_deposed)
            self._release(epoch)
        self._withdraw()

    def _step(self, on_elected: Elected, on_deposed: Deposed) -> float:
        if self._epoch is not None:
            return self._hold(self._epoch, on_deposed)
        return self._stand(on_elected)

    def _bear(self, error: Exception, on_deposed: Deposed) -> float:
        """The ensemble did not answer: nothing is launched; once the session may be gone, so is the term."""
        self._on_zookeeper(f"ZooKeeper at {self._options.hosts} does not answer: {_words(error)}.")
        if self._epoch is not None and self._silent_for() > self._options.session_seconds:
            self._end_term("the connection to ZooKeeper was lost for longer than a session lasts", on_deposed)
        return _RETRY_SECONDS

    def _silent_for(self) -> float:
        return self._clock.monotonic() - self._confirmed_at

    # ------------------------------------------------------------------------------------------- as a candidate

    def _stand(self, on_elected: Elected) -> float:
        """Take a place in the queue; lead when it is the first."""
        asked, interruptions = self._clock.monotonic(), self._interruptions
        queue = self._queue()
        place = next((index for index, name in enumerate(queue) if self._own and name.startswith(self._own)), None)
        if place is None:
            self._enter()
            return 0.0
        if place > 0:
            before = f"{self._options.candidates}/{queue[place - 1]}"
            is_there = self._await(self._client.exists_async(before, watch=lambda _: self._changed.set()))
            return _LOOK_SECONDS if is_there else 0.0
        try:
            epoch = self._claim.claim(self._options.session_seconds, self._clock.now())
        except DatabaseUnavailable as error:
            self._on_database(str(error))
            self._withdraw()  # another node may reach it
            return 2 * _RETRY_SECONDS
        self._on_database(None)
        self._epoch = epoch
        self._database_since = self._clock.monotonic()
        self._confirm(asked, interruptions)
        logger.info("This node leads: term %d begins.", epoch)
        on_elected(epoch)
        self._keep_ensemble()
        return self._options.session_seconds / 3

    def _queue(self) -> Sequence[str]:
        """The candidates as ZooKeeper's leader knows them, first to last."""
        self._await(self._client.sync_async(self._options.candidates))
        try:
            children = self._await(self._client.get_children_async(self._options.candidates))
        except NoNodeError:  # ZooKeeper has lost what it kept
            return []
        return sorted((name for name in children if "-latch-" in name), key=lambda name: name.rpartition("-")[2])

    def _enter(self) -> None:
        """Queue up at the end; by a name of our own, so that a lost reply leaves no place that nobody takes."""
        self._own = f"_c_{uuid.uuid4()}-latch-"
        path = f"{self._options.candidates}/{self._own}"
        data = self._address.encode()
        try:
            self._path = self._await(self._client.create_async(path, data, ephemeral=True, sequence=True))
        except NoNodeError:
            self._await(self._client.ensure_path_async(self._options.candidates))
        except NodeExistsError:
            logger.debug("The candidate was there already.")

    def _keep_ensemble(self) -> None:
        """Where ZooKeeper has lost what it kept, it is still this cluster's: nodes that start must not be refused.

        One that started before this may have left a text of its own.
        """
        if not self.ensemble:
            return
        ours = self.ensemble.encode()
        with contextlib.suppress(NodeExistsError, NoNodeError, NoAuthError):  # all is said again at the next election
            try:
                if self._await(self._client.get_async(self._ensemble_path))[0] != ours:
                    self._await(self._client.set_async(self._ensemble_path, ours))
            except NoNodeError:
                self._await(self._client.create_async(self._ensemble_path, ours))

    def _withdraw(self) -> None:
        """Leave the queue, so that the next candidate need not wait for the end of our session."""
        own, path = self._own, self._path
        self._own = self._path = ""
        if not own or not self._connected:
            return
        try:
            if f"/{own}" in path:
                self._await(self._client.delete_async(path))
                return
            for name in self._queue():
                if name.startswith(own):
                    self._await(self._client.delete_async(f"{self._options.candidates}/{name}"))
        except NoNodeError:
            return
        except _Trouble as error:
            logger.warning("The candidate could not be withdrawn, it ends with its session: %s", _words(error))

    # ---------------------------------------------------------------------------------------------- as the leader

    def _hold(self, epoch: int, on_deposed: Deposed) -> float:
        """Have ZooKeeper confirm that we are first, and SQL that the epoch is ours."""
        asked, interruptions = self._clock.monotonic(), self._interruptions
        queue = self._queue()
        if not queue or not queue[0].startswith(self._own):
            self._end_term("its ZooKeeper session is over", on_deposed)
            return 0.0
        try:
            renewed = self._claim.renew(epoch, self._options.session_seconds)
        except DatabaseUnavailable as error:
            return self._hold_without_database(error, asked, interruptions, on_deposed)
        self._on_database(None)
        self._database_since = self._clock.monotonic()
        if not renewed:
            logger.error(
                "Another node has taken the leadership, though this one is first in ZooKeeper; when this is said"
                " again, check that all nodes have the same --zk-hosts and --zk-path."
            )
            self._end_term("another node leads", on_deposed)
            self._withdraw()
            return _RETRY_SECONDS
        self._confirm(asked, interruptions)
        return self._options.session_seconds / 3

    def _hold_without_database(
        self, error: DatabaseUnavailable, asked: float, interruptions: int, on_deposed: Deposed
    ) -> float:
        self._on_database(str(error))
        self._confirm(asked, interruptions)
        if self._clock.monotonic() - self._database_since > self._options.session_seconds:
            self._end_term("the database was away for longer than a session lasts", on_deposed)
            self._withdraw()
        return _RETRY_SECONDS

    def _confirm(self, asked: float, interruptions: int) -> None:
        """The ensemble has confirmed us at ``asked`` or later, and the connection was not interrupted since."""
        self._confirmed_at = asked
        with self._lock:
            if self._interruptions == interruptions:
                self._valid_until = asked + self._options.session_seconds

    def _end_term(self, why: str, on_deposed: Deposed) -> None:
        logger.info("Term %s is over: %s.", self._epoch, why)
        self._epoch = None
        on_deposed(why)

    def _release(self, epoch: int) -> None:
        try:
            self._claim.release(epoch)
        except DatabaseUnavailable as error:
            logger.warning("The leadership could not be given back, the next node takes it: %s", error)

    def _await(self, answer: Any) -> Any:
        return answer.get(timeout=max(1.0, self._options.session_seconds / 3))


def _check_certificates(options: ZooKeeperOptions) -> None:
    """Kazoo would try unusable files again and again. Raises ConfigurationError."""
    if not options.ca:
        if options.certificate or options.key:
            raise ConfigurationError(
                "zk-tls-cert and zk-tls-key need zk-tls-ca, the file of the certificates that sign ZooKeeper's."
            )
        return
    names = f"zk-tls-ca {options.ca}"
    try:
        context = ssl.create_default_context(cafile=options.ca)
        if options.certificate:
            names = f"zk-tls-cert {options.certificate}" + (f" with zk-tls-key {options.key}" if options.key else "")
            context.load_cert_chain(options.certificate, options.key or None)
    except OSError as error:
        unreadable = "it is not in PEM, or key and certificate do not belong together"
        reason = unreadable if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigurationError(f"{names} cannot be used: {reason}.") from error


def _client(options: ZooKeeperOptions) -> Any:
    secure: dict[str, Any] = {}
    if options.ca:
        secure = {
            "use_ssl": True,
            "ca": options.ca,
            "certfile": options.certificate or None,
            "keyfile": options.key or None,
            "check_hostname": True,
        }
    user, _, password = options.auth.partition(":")
    return KazooClient(
        hosts=options.hosts,
        timeout=options.session_seconds,
        auth_data=[("digest", options.auth)] if options.auth else None,
        default_acl=[make_digest_acl(user, password, all=True)] if options.auth else None,
        connection_retry={"max_tries": -1, "delay": 0.1, "backoff": 2, "max_delay": 2.0},
        **secure,
    )


def _words(error: Exception) -> str:
    """What went wrong, for people; most of these errors have a name only."""
    if isinstance(error, KazooTimeoutError):
        return "it took too long"
    if isinstance(error, ConnectionLoss | ConnectionClosedError):
        return "the connection is lost"
    if isinstance(error, SessionExpiredError):
        return "the session is over"
    return str(error).strip() or type(error).__name__
