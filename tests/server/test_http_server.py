"""The address, and the server on it."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator

import pytest
import requests
from flask import Flask

from chronos_py.errors import ConfigurationError
from chronos_py.http import Server, bind, check_listen
from chronos_py.http import server as http_server
from chronos_py.http.guards import BODY_LIMIT


@pytest.fixture
def server() -> Iterator[Server]:
    server = bind("127.0.0.1:0")
    yield server
    server.close()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def test_port_0_takes_a_free_one(server: Server) -> None:
    host, _, port = server.address.rpartition(":")
    assert host == "127.0.0.1"
    assert int(port) > 0


def test_a_taken_port_is_one_sentence(server: Server) -> None:
    with pytest.raises(ConfigurationError) as caught:
        bind(server.address)
    assert (
        str(caught.value) == f"{server.address} is in use already; stop the other server or choose another --listen."
    )


@pytest.mark.parametrize("listen", ["203.0.113.7:4400", "[2001:db8::7]:4400"])
def test_an_address_that_is_not_ours(listen: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"--listen {listen} cannot be used: ")):
        bind(listen)


@pytest.mark.parametrize("listen", ["", "4400", ":4400", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000", "h:²"])
def test_what_is_no_address(listen: str) -> None:
    for use in (bind, lambda given: check_listen(given, None, False)):
        with pytest.raises(ConfigurationError, match="must be host:port, such as"):
            use(listen)


@pytest.mark.parametrize("listen", ["127.0.0.1:4400", "127.1.2.3:0", "localhost:4400", "[::1]:4400"])
def test_loopback_needs_nothing(listen: str) -> None:
    check_listen(listen, None, False)


@pytest.mark.parametrize("listen", ["0.0.0.0:4400", "[::]:4400", "192.0.2.1:4400", "node.example:4400"])
def test_beyond_this_machine(listen: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_listen(listen, None, False)
    sentence = str(caught.value)
    assert sentence.startswith(f"--listen {listen} ")
    assert "--http-credentials" in sentence
    assert "--insecure" in sentence
    check_listen(listen, "user:password", False)
    check_listen(listen, None, True)


@pytest.mark.parametrize("credentials", ["user", "user:", ":password", ""])
def test_credentials_that_lock_nothing(credentials: str) -> None:
    with pytest.raises(ConfigurationError, match="user:password"):
        check_listen("127.0.0.1:4400", credentials, False)


def test_what_goes_over_the_wire(server: Server, session: requests.Session, wsgi: Flask) -> None:
    server.start(wsgi)
    url = f"http://{server.address}"
    ping = session.get(f"{url}/ping", timeout=60)
    assert (ping.text, ping.headers["Server"]) == ("pong\n", "chronos")
    job = {"name": "ä b", "command": "true", "schedule": "@daily"}
    assert session.post(f"{url}/scheduler/iso8601", json={**job, "name": "a b"}, timeout=60).status_code == 204
    done = session.put(f"{url}/scheduler/job/a%20b", timeout=60)
    assert (done.status_code, done.content, done.headers["Content-Type"]) == (204, b"", "application/json")
    assert "Transfer-Encoding" not in done.headers
    assert done.headers.get("Content-Length", "0") == "0"
    shown = session.get(f"{url}/api/jobs/a%20b", timeout=60)
    assert shown.json()["name"] == "a b"
    assert shown.content.count(b"\n") <= 1


def test_a_body_that_is_too_large_gets_an_answer(server: Server, session: requests.Session, wsgi: Flask) -> None:
    server.start(wsgi)
    body = b"x" * (BODY_LIMIT + 1)
    answer = session.put(f"http://{server.address}/api/jobs/a", data=body, timeout=60)
    assert answer.status_code == 413
    assert answer.json()["detail"] == "The request body is larger than 1048576 bytes."

    def in_pieces() -> Iterator[bytes]:
        yield body

    chunked = session.put(f"http://{server.address}/api/jobs/a", data=in_pieces(), timeout=60)
    assert chunked.status_code == 413


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that closes waits for its clients as long as it takes."""
    monkeypatch.setattr(http_server, "CLOSE_SECONDS", 60.0)


@pytest.mark.usefixtures("patient")
def test_close_answers_what_is_in_hand_and_frees_the_address(session: requests.Session) -> None:
    begun, go = threading.Event(), threading.Event()
    wsgi = Flask("slow")

    @wsgi.get("/")
    def slow() -> str:
        begun.set()
        assert go.wait(60)
        return "x" * 1_000_000

    server = bind("127.0.0.1:0")
    server.start(wsgi)
    answers: list[requests.Response] = []
    asking = threading.Thread(target=lambda: answers.append(session.get(f"http://{server.address}/", timeout=60)))
    asking.start()
    assert begun.wait(60)
    closing = threading.Thread(target=server.close)
    closing.start()
    while _is_open(server.address):
        assert closing.is_alive()
    go.set()
    for thread in (asking, closing):
        thread.join(60)
        assert not thread.is_alive()
    assert [answer.text for answer in answers] == ["x" * 1_000_000]
    again = bind(server.address)
    again.close()
    server.close()


@pytest.mark.usefixtures("patient")
def test_close_waits_for_a_slow_reader() -> None:
    size, begun = 12_000_000, threading.Event()
    wsgi = Flask("large")

    @wsgi.get("/")
    def large() -> str:
        begun.set()
        return "x" * size

    server = bind("127.0.0.1:0")
    server.start(wsgi)
    host, _, port = server.address.rpartition(":")
    with socket.socket() as reader:
        reader.settimeout(60)
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # so that the rest has to wait at the server
        reader.connect((host, int(port)))
        reader.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert begun.wait(60)
        closing = threading.Thread(target=server.close)
        closing.start()
        while _is_open(server.address) or _workers():  # the answer is made then, and most of it still to be sent
            assert closing.is_alive()
        received = 0
        while piece := reader.recv(1 << 16):
            received += len(piece)
    closing.join(60)
    assert received > size


def _workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("waitress-")]


def _is_open(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_close_before_start_frees_the_address() -> None:
    server = bind("127.0.0.1:0")
    server.close()
    assert not _is_open(server.address)
