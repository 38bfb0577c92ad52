"""A proxy between the pool and a Mesos master, a real one or the double: tests see what is said, and meddle with it.

What they put into a stream or a call is theirs, not Mesos'; all else is the master's own. Agents are asked past it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from .waiting import eventually

Json = dict[str, Any]
SCHEDULER = "/api/v1/scheduler"
CALL_SECONDS = 30


@dataclass
class Tapped:
    """One stream of events between a master and whoever has subscribed."""

    handler: BaseHTTPRequestHandler
    upstream: socket.socket
    stream_id: str
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, event: Json) -> None:
        record = json.dumps(event, ensure_ascii=False).encode()
        framed = b"%d\n%b" % (len(record), record)
        with self.lock, contextlib.suppress(OSError):
            self.handler.wfile.write(b"%x\r\n%b\r\n" % (len(framed), framed))

    def cut(self) -> None:
        for each in (self.upstream, self.handler.connection):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class Wiretap:
    """Starts at once; ``url`` is where it listens. ``master`` is host:port, or its URL.

    ``answers`` say what a test wants answered instead of the master's own answer: a status and a text, or None.
    ``loses`` are kinds of calls, the next of which breaks with its connection, before the master has it or after.
    ``edits`` change a call in place before the master has it. ``heartbeat_seconds`` is what it promises, and then no
    heartbeat comes.
    """

    def __init__(self, master: str) -> None:
        self._master = urlsplit(master if "//" in master else f"//{master}").netloc
        self.lock = threading.RLock()
        self.calls: list[Json] = []
        self.events: list[Json] = []
        self.authorizations: set[str] = set()
        self.answers: list[Callable[[Json], tuple[int, str] | None]] = []
        self.edits: list[Callable[[Json], None]] = []
        self.loses: dict[str, bool] = {}  # by kind, whether the master has it
        self.spoils = ""  # the kind of call whose next one has an id of a stream that is no more
        self.drops_updates = False
        self.heartbeat_seconds: float | None = None
        self.streams: list[Tapped] = []
        self.offers: set[str] = set()  # that the framework has
        self.acknowledged: list[str] = []  # the states of the updates that were, in order
        tap = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                tap._answer(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.cut_streams()
        self._server.shutdown()
        self._server.server_close()

    def undo(self) -> None:
        """Let everything through from now on."""
        self.answers, self.edits, self.heartbeat_seconds, self.loses = [], [], None, {}
        self.spoils, self.drops_updates = "", False

    # ------------------------------------------------------------------------------------------- for the tests

    def called(self, kind: str) -> list[Json]:
        """The calls of a kind that were not refused."""
        with self.lock:
            return [call for call in self.calls if call["type"] == kind]

    def updates(self, task_id: str) -> list[Json]:
        """What the master said of a task, in order and with what was said twice."""
        with self.lock:
            found = [event["update"]["status"] for event in self.events if event["type"] == "UPDATE"]
        return [status for status in found if status["task_id"]["value"] == task_id]

    @property
    def framework_ids(self) -> list[str]:
        """The frameworks that were subscribed, each once."""
        with self.lock:
            ids = [
                each["subscribed"]["framework_id"]["value"] for each in self.events if each["type"] == "SUBSCRIBED"
            ]
        return list(dict.fromkeys(ids))

    def cut_streams(self) -> None:
        with self.lock:
            streams = list(self.streams)
        for stream in streams:
            stream.cut()

    def say(self, event: Json) -> None:
        """Put an event of the test's own into the stream that was opened last."""
        self.streams[-1].send(event)

    def say_of(self, task_id: str, state: str, reason: str, words: str) -> None:
        """An update as a master sends it of its own: without an id, not to be acknowledged."""
        status = {
            "task_id": {"value": task_id},
            "state": state,
            "reason": reason,
            "message": words,
            "source": "SOURCE_MASTER",
            "timestamp": time.time(),
        }
        self.say({"type": "UPDATE", "update": {"status": status}})

    def hold_offers(self) -> None:
        """Until the framework revives them: wait until none is on its way, or with the framework."""
        self.call("SUPPRESS")
        self.call("RECONCILE", reconcile={"tasks": [{"task_id": {"value": "no-such-task"}}]})
        eventually(lambda: self.updates("no-such-task"))  # after all that was said before
        eventually(lambda: not self.offers)

    def call(self, kind: str, **more: Any) -> None:
        """A call of the test's own, for the framework that is subscribed."""
        body = {"type": kind, "framework_id": {"value": self.framework_ids[-1]}, **more}
        status, words = self._forward(SCHEDULER, json.dumps(body).encode(), {"Mesos-Stream-Id": self._stream_id()})
        assert status == 202, words

    # ------------------------------------------------------------------------------------------------ between

    def _stream_id(self) -> str:
        return self.streams[-1].stream_id

    def _answer(self, handler: BaseHTTPRequestHandler, data: bytes) -> None:
        body = json.loads(data)
        with self.lock:
            self.authorizations.add(handler.headers.get("Authorization", ""))
        for special in self.answers:
            found = special(body)
            if found:
                return respond(handler, *found)
        headers = {
            name: handler.headers[name] for name in ("Authorization", "Mesos-Stream-Id") if name in handler.headers
        }
        if handler.path == SCHEDULER and body["type"] == "SUBSCRIBE":
            return self._subscribe(handler, body, headers)
        if self.spoils == body["type"]:
            self.spoils, headers["Mesos-Stream-Id"] = "", str(uuid.uuid4())
        for edit in self.edits:
            edit(body)
        arrives = self.loses.get(body["type"])
        if arrives is not False:
            self._note(body)
        if arrives is not None:
            if arrives:
                self._forward(handler.path, json.dumps(body).encode(), headers)
            self.loses.pop(body["type"], None)  # only now: tests wait for it
            handler.close_connection = True
            return handler.connection.shutdown(socket.SHUT_RDWR)
        status, words = self._forward(handler.path, json.dumps(body).encode(), headers)
        if status >= 300:
            with self.lock:
                self.calls = [call for call in self.calls if call is not body]
        return respond(handler, status, words)

    def _note(self, call: Json) -> None:
        with self.lock:
            self.calls.append(call)
            if call["type"] in ("ACCEPT", "DECLINE"):
                self.offers -= {each["value"] for each in call[call["type"].lower()]["offer_ids"]}
            if call["type"] == "ACKNOWLEDGE":
                given = call["acknowledge"]
                states = [
                    each["state"]
                    for each in self.updates(given["task_id"]["value"])
                    if each.get("uuid") == given["uuid"]
                ]
                self.acknowledged += states[:1]

    def _forward(self, path: str, data: bytes, headers: dict[str, str]) -> tuple[int, str]:
        connection = self._connect(path, data, headers)
        try:
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def _connect(self, path: str, data: bytes, headers: dict[str, str]) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self._master, timeout=CALL_SECONDS)
        given = {"Content-Type": "application/json", "Accept": "application/json", **headers}
        connection.request("POST", path, data, given)
        return connection

    # ------------------------------------------------------------------------------------------------- streams

    def _subscribe(self, handler: BaseHTTPRequestHandler, body: Json, headers: dict[str, str]) -> None:
        connection = self._connect(SCHEDULER, json.dumps(body).encode(), headers)
        peer = connection.sock
        answer = connection.getresponse()
        if answer.status != 200:
            return respond(handler, answer.status, answer.read().decode())
        peer.settimeout(None)
        handler.close_connection = True
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Mesos-Stream-Id", answer.headers.get("Mesos-Stream-Id", ""))
        handler.end_headers()
        stream = Tapped(handler, peer, answer.headers.get("Mesos-Stream-Id", ""))
        with self.lock:
            self.calls.append(body)
            self.offers.clear()
            self.streams.append(stream)
        passing = threading.Thread(target=self._pass_on, args=(answer, stream), daemon=True)
        passing.start()
        with contextlib.suppress(OSError):
            handler.connection.recv(1)  # until either side hangs up
        stream.cut()
        passing.join(CALL_SECONDS)
        with self.lock:
            self.streams.remove(stream)
        connection.close()
        return None

    def _pass_on(self, answer: http.client.HTTPResponse, stream: Tapped) -> None:
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            for event in _events(answer):
                dropped = ["HEARTBEAT"] * bool(self.heartbeat_seconds) + ["UPDATE"] * self.drops_updates
                if event["type"] in dropped:
                    continue
                self._see(event)
                stream.send(event)
            with stream.lock, contextlib.suppress(OSError):
                stream.handler.wfile.write(b"0\r\n\r\n")
        stream.cut()

    def _see(self, event: Json) -> None:
        with self.lock:
            self.events.append(event)
            if event["type"] == "OFFERS":
                self.offers |= {each["id"]["value"] for each in event["offers"]["offers"]}
            elif event["type"] == "RESCIND":
                self.offers.discard(event["rescind"]["offer_id"]["value"])
            elif event["type"] == "SUBSCRIBED" and self.heartbeat_seconds:
                event["subscribed"]["heartbeat_interval_seconds"] = self.heartbeat_seconds


def _events(answer: http.client.HTTPResponse) -> Iterator[Json]:
    kept = b""
    while piece := answer.read1(1 << 16):
        kept += piece
        while b"\n" in kept:
            length, _, rest = kept.partition(b"\n")
            if len(rest) < int(length):
                break
            yield json.loads(rest[: int(length)])
            kept = rest[int(length) :]


def respond(handler: BaseHTTPRequestHandler, status: int, words: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(words.encode())))
    if status == 307:
        handler.send_header("Location", words)
    handler.end_headers()
    handler.wfile.write(words.encode())
