"""Election through a ZooKeeper server that is reached over TLS, by those who have a certificate of its authority."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chronos_py.clock import SystemClock
from chronos_py.election.zookeeper import ZooKeeperElection, ZooKeeperOptions
from chronos_py.errors import ConfigurationError
from chronos_py.store import leadership, schema
from chronos_py.store.database import Database
from tests.certificates import certificates
from tests.cluster.server import free_port, wait_for
from tests.cluster.zookeeper import Ensemble


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the certificates are."""
    folder = tmp_path_factory.mktemp("tls")
    certificates(folder, "127.0.0.1")
    # ZooKeeper wants a key and its certificate in one file.
    (folder / "both.pem").write_text((folder / "server.key").read_text() + (folder / "server.pem").read_text())
    certificates(make_folder(folder / "stranger"), "127.0.0.1")
    return folder


def make_folder(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    """That of TLS."""
    port = free_port()
    settings = [
        "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
        f"secureClientPort={port}",
        "secureClientPortAddress=127.0.0.1",
        f"ssl.keyStore.location={folder / 'both.pem'}",
        f"ssl.trustStore.location={folder / 'ca.pem'}",
    ]
    ensemble = Ensemble(folder, 1, settings)
    try:
        ensemble.start()
        yield port
    finally:
        ensemble.stop()


def election_of(tmp_path: Path, port: int, ca: Path, own: Path | None) -> ZooKeeperElection:
    database = Database(f"sqlite:///{tmp_path / 'chronos.db'}")
    schema.upgrade(database)
    leadership.ensure_row(database)
    options = ZooKeeperOptions(
        *(f"127.0.0.1:{port}", "/tls", 20.0),
        ca=str(ca),
        certificate=str(own / "client.pem") if own else "",
        key=str(own / "client.key") if own else "",
    )
    lease = leadership.SqlLease(database, "a", "a:1")
    return ZooKeeperElection(options, lease, SystemClock(), "a:1", lambda _: None, lambda _: None)


def test_leads_with_a_certificate_of_the_authority(
    port: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chronos_py.election.zookeeper.START_SECONDS", 60.0)
    election = election_of(tmp_path, port, folder / "ca.pem", folder)
    election.check()
    terms: list[int] = []
    election.start(terms.append, lambda why: None)
    try:
        wait_for("it to lead", lambda: terms and election.may_launch())
    finally:
        election.stop()


def test_names_what_is_wrong(port: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chronos_py.election.zookeeper.START_SECONDS", 1.0)
    stranger = folder / "stranger"
    for ca, own in ((folder / "ca.pem", None), (folder / "ca.pem", stranger), (stranger / "ca.pem", folder)):
        with pytest.raises(ConfigurationError, match=r"does not answer over TLS; check --zk-hosts, --zk-tls-ca"):
            election_of(tmp_path, port, ca, own).check()


@pytest.mark.parametrize("name", ["ca.pem", "client.pem", "client.key"])
def test_a_file_that_cannot_be_used(folder: Path, tmp_path: Path, name: str) -> None:
    own = make_folder(tmp_path / "own")
    for each in ("ca.pem", "client.pem", "client.key"):
        (own / each).write_text("nothing" if each == name else (folder / each).read_text())
    with pytest.raises(ConfigurationError, match=f"zk-tls.*{name}.* cannot be used: .* PEM"):
        election_of(tmp_path, 1, own / "ca.pem", own).check()
    (own / name).unlink()
    with pytest.raises(ConfigurationError, match=f"zk-tls.*{name}.* cannot be used: No such file"):
        election_of(tmp_path, 1, own / "ca.pem", own).check()


def test_a_certificate_of_ones_own_needs_an_authority(folder: Path, tmp_path: Path) -> None:
    options = ZooKeeperOptions("127.0.0.1:1", "/tls", 2.0, certificate=str(folder / "client.pem"))
    lease = leadership.SqlLease(Database(f"sqlite:///{tmp_path / 'chronos.db'}"), "a", "a:1")
    election = ZooKeeperElection(options, lease, SystemClock(), "a:1", lambda _: None, lambda _: None)
    with pytest.raises(ConfigurationError, match="need zk-tls-ca"):
        election.check()
