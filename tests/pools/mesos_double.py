"""A double of a Mesos master that replays recordings of real ones, byte for byte: not Mesos itself.

A recording's streams are sent as they were read, piece by piece, and end as they ended; before a piece that came
after a call of the recorded client, the same call must have come from ours (of that kind, about that task). Answers
that were no success are given with their recorded status, headers and words. Of every call of ours is checked

* each field in it, with the kind of its value: some recorded call that Mesos accepted must have it;
* what it is about: the framework of the stream, offers that were made and not used, updates that were told;
* in ACCEPT, that it says of a task all that the recorded one said, ids aside;
* in ACKNOWLEDGE, that whoever lists the tasks has listed them since, and again after that; or has settled the end.

Only GET_TASKS is answered with words of its own, in the form of a recorded answer: the tasks that we launched.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .mesos_recordings import (
    RECORDINGS,
    Json,
    body_of,
    fields_of,
    known_fields,
    lacks,
    launched_in,
    read_recording,
    recorded_calls,
    recorded_tasks,
    subscriptions,
    task_ids,
)

GATE_SECONDS = 30.0
LOOK_SECONDS = 0.05
GATED = ("ACCEPT", "ACKNOWLEDGE", "KILL", "RECONCILE", "DECLINE", "SUPPRESS", "REVIVE")
ENDS = ("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_ERROR", "TASK_GONE", "TASK_DROPPED")
OLD_STREAM, NO_STREAM = "didn't match the stream ID", "Framework is not subscribed"


class ReplayDouble:
    """Serves one recording.

    ``plan`` is how the coming subscriptions are answered, one after the other; ``problems`` is what our calls had
    that they must not; ``wanted`` is the recorded call that the stream waits for; ``settled`` are the tasks whose end
    whoever lists them has settled, and ``listings`` how often they were listed.
    """

    def __init__(self, name: str) -> None:
        self.recording = read_recording(name)
        self.plan = subscriptions(self.recording, 200)
        self.refusals: list[tuple[str, Json]] = []  # the next call of a kind, and the exchange whose answer it gets
        self.calls: list[Json] = []
        self.subscribed: list[Json] = []
        self.authorizations: set[str] = set()
        self.problems: list[str] = []
        self.sent: list[bytes] = []  # by stream
        self.wanted: Json | None = None
        self.settled: set[str] = set()
        self.listings = 0
        self._is_listing = False
        self.last_said: dict[str, str] = {}  # the states that Mesos told last
        self.tells_tasks = True
        self.is_replayed = threading.Event()
        self._changed = threading.Condition()
        self._stopped = False
        self._passed: list[Json] = []
        self._revived = False
        self._stream_id = ""
        self._first_call = 0  # of the stream
        self._framework_id = ""
        self._offered: dict[str, Json] = {}
        self._launched: dict[str, Json] = {}
        self._told: dict[tuple[str, str], tuple[Json, int]] = {}  # updates, and which listing shows them committed
        self._statuses: dict[str, list[Json]] = {}
        self._recorded = recorded_tasks(self.recording)
        self._dead = socket.socket()
        self._dead.bind(("127.0.0.1", 0))  # and nobody listens there, as at a dead leader's
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                double.answer(self, body)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._dead.close()

    def called(self, kind: str) -> list[Json]:
        with self._changed:
            return [call for call in self.calls if call["type"] == kind]

    @contextlib.contextmanager
    def listing(self) -> Iterator[None]:
        """Somebody lists the tasks, and is through with what was listed before."""
        with self._changed:
            self.listings, self._is_listing = self.listings + 1, True
        try:
            yield
        finally:
            with self._changed:
                self._is_listing = False

    def knows(self, info: Json) -> None:
        """Somebody else has launched a task in the same framework."""
        with self._changed:
            self._launched[info["task_id"]["value"]] = info

    def pass_by(self, wanted: Json) -> None:
        """Our pool makes no such call; the stream goes on without it."""
        with self._changed:
            self._passed.append(wanted)
            self._changed.notify_all()

    # ------------------------------------------------------------------------------------------------ answers

    def answer(self, handler: BaseHTTPRequestHandler, body: Json) -> None:
        kind = body["type"]
        self.authorizations.add(handler.headers.get("Authorization", ""))
        with self._changed:
            refusal = next((each for each in self.refusals if each[0] == kind), None)
            if refusal is not None:
                self.refusals.remove(refusal)
        if refusal is not None:
            return self._replay_answer(handler, refusal[1]["response"])
        if handler.path == "/api/v1":
            return self._operator(handler, body)
        self._check(handler, body)
        if kind == "SUBSCRIBE":
            return self._subscribe(handler, body)
        given = handler.headers.get("Mesos-Stream-Id")
        with self._changed:
            is_current = given == self._stream_id
            if is_current:
                self._check_meaning(body)
                self.calls.append(body)
                self._revived = self._revived or kind == "REVIVE"
                self._changed.notify_all()
        if not is_current:
            return self._replay_answer(handler, _refusal(OLD_STREAM if self._stream_id else NO_STREAM))
        return _say(handler, 202, b"")

    def _operator(self, handler: BaseHTTPRequestHandler, body: Json) -> None:
        if body["type"] == "GET_TASKS":
            return _say(handler, 200, json.dumps(self._tasks()).encode())
        recorded = [*self.recording["exchanges"], *read_recording("15")["exchanges"]]
        for exchange in recorded:
            if body_of(exchange) == body and exchange["response"]["status"] == 200:
                return self._replay_answer(handler, exchange["response"])
        self.problems.append(f"nobody asked that of Mesos: {body}")
        return _say(handler, 404, b"")

    def _tasks(self) -> Json:
        """Ours beside those of other frameworks that were recorded; without labels a master's task is nobody's."""
        found: Json = json.loads(_recorded_answer("GET_TASKS"))
        with self._changed:
            for task_id, info in self._launched.items() if self.tells_tasks else ():
                statuses = self._statuses.get(task_id, [])
                is_over = bool(statuses) and statuses[-1]["state"] in ENDS and task_id in self.settled
                found["get_tasks"].setdefault("completed_tasks" if is_over else "tasks", []).append(
                    {
                        **{key: info[key] for key in info if key != "command"},
                        "framework_id": {"value": self._framework_id},
                        "state": statuses[-1]["state"] if statuses else "TASK_STAGING",
                        "statuses": statuses,
                    }
                )
        return found

    def _replay_answer(self, handler: BaseHTTPRequestHandler, response: Json) -> None:
        body = str(response.get("body") or response.get("body_if_not_200") or "").encode()
        handler.send_response(response["status"], response["reason"])
        for name, value in response["headers"]:
            if name == "Location":  # the port of the recorded leader may be anybody's here
                value = value.replace("127.0.0.1:5150", f"127.0.0.1:{self._dead.getsockname()[1]}")
            if name not in ("Date", "Content-Length", "Transfer-Encoding", "Content-Encoding"):
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    # ------------------------------------------------------------------------------------------------ streams

    def _subscribe(self, handler: BaseHTTPRequestHandler, body: Json) -> None:
        with self._changed:
            self.subscribed.append(body)
            if not self.plan:
                self.problems.append("more subscriptions than were recorded")
                _say(handler, 503, b"")
                return
            answer = self.plan.pop(0)
            self._changed.notify_all()
        if "recordio_file" not in answer or answer["response"]["status"] != 200:
            self._replay_answer(handler, answer["response"])
            return
        headers = dict(answer["response"]["headers"])
        with self._changed:
            self._stream_id, self._offered = headers.get("Mesos-Stream-Id", ""), {}
            self._first_call = len(self.calls)
        handler.send_response(200)
        for name, value in answer["response"]["headers"]:
            if name != "Date":
                handler.send_header(name, value)
        handler.end_headers()
        handler.close_connection = True
        self._replay(handler, answer, headers.get("Mesos-Stream-Id", ""))

    def _replay(self, handler: BaseHTTPRequestHandler, stream: Json, stream_id: str) -> None:
        data = (RECORDINGS / stream["recordio_file"]).read_bytes()
        index, offers = len(self.sent), b""
        self.sent.append(b"")
        for step in self._steps(stream):
            if isinstance(step, dict):
                if not self._await_call(step, handler, offers):
                    return
                continue
            number, read = step
            piece = data[read["offset"] : read["offset"] + read["length"]]
            event = stream["events"][number]["event"]  # each came as one piece
            offers = piece if event.get("type") == "OFFERS" else offers
            self._tell(event)
            _send(handler, piece)
            self.sent[index] += piece
        how, last = stream["closed"]["how"], stream["events"][-1]["event"]["type"]
        if how == "last chunk (0)" and last != "ERROR":
            self.is_replayed.set()
            if not self._await_call({"type": "TEARDOWN"}, handler, offers):
                return
        with self._changed:
            if self._stream_id == stream_id:
                self._stream_id = ""
        if how == "last chunk (0)":
            handler.wfile.write(b"0\r\n\r\n")
        else:
            handler.connection.shutdown(socket.SHUT_RDWR)

    def _steps(self, stream: Json) -> list[Any]:
        """Pieces of the stream, by their numbers, and the calls that came before them, by time."""
        pieces = enumerate(stream["reads"])
        steps: list[tuple[float, int, Any]] = [(read["t"], 1 + number, (number, read)) for number, read in pieces]
        for at, call in recorded_calls(self.recording):
            is_earlier = call["type"] == "RECONCILE" and at < stream["t_open"]
            if call["type"] in GATED and not (is_earlier or _is_about_nobody(call)):
                steps.append((at, 0, call))
        for number, other in enumerate(self.plan, len(self.subscribed) + 1):
            if other in self.recording["streams"] and other["t_open"] > stream["t_open"]:
                steps.append((other["t_open"], 0, {"type": "SUBSCRIBE", "number": number}))
        return [step for at, _, step in sorted(steps, key=lambda each: each[:2]) if at <= stream["closed"]["t"]]

    def _tell(self, event: Json) -> None:
        """Note what our pool is about to be told."""
        with self._changed:
            match event.get("type"):
                case "SUBSCRIBED":
                    self._framework_id = event["subscribed"]["framework_id"]["value"]
                case "OFFERS":
                    self._offered |= {each["id"]["value"]: each for each in event["offers"]["offers"]}
                case "UPDATE":
                    status = event["update"]["status"]
                    task_id = status["task_id"]["value"]
                    self.last_said[task_id] = status["state"]
                    if status.get("uuid"):
                        # Seen by this listing or the next, and committed when the one after that begins.
                        committed = self.listings + (1 if self._is_listing else 2)
                        self._told.setdefault((task_id, status["uuid"]), (status, committed))
                        self._statuses.setdefault(task_id, []).append(status)

    def _await_call(self, wanted: Json, handler: BaseHTTPRequestHandler, offers: bytes) -> bool:
        """False when the other side has hung up, or the call does not come. Offers are made anew when asked for."""
        with self._changed:
            self.wanted = wanted
            waited = 0.0
            while not self._has_come(wanted):
                if self._stopped or select.select([handler.connection], [], [], 0)[0]:
                    return False
                if self._revived and offers:
                    self._revived = False
                    made = _offers_in(offers)
                    if not any(each["id"]["value"] in self._offered for each in made["offers"]):
                        self._tell({"type": "OFFERS", "offers": made})
                        _send(handler, offers)
                waited = 0.0 if self._changed.wait(LOOK_SECONDS) else waited + LOOK_SECONDS
                if waited > GATE_SECONDS and wanted["type"] != "TEARDOWN":
                    self.problems.append(f"this call never came: {json.dumps(wanted)[:300]}")
                    return False
            self.wanted = None
        return True

    def _has_come(self, wanted: Json) -> bool:
        if wanted in self._passed:
            return True
        if wanted["type"] == "SUBSCRIBE":
            return len(self.subscribed) >= wanted["number"]
        if wanted["type"] == "ACCEPT" and task_ids(wanted):
            return task_ids(wanted) <= set(self._launched)
        # A new subscription has everything reconciled, so it is asked anew on each stream.
        calls = self.calls[self._first_call :] if wanted["type"] == "RECONCILE" else self.calls
        return any(_is_alike(wanted, call) for call in calls)

    # ------------------------------------------------------------------------------------------------- checks

    def _check(self, handler: BaseHTTPRequestHandler, body: Json) -> None:
        if handler.headers.get("Content-Type") != "application/json":
            self.problems.append(f"Content-Type {handler.headers.get('Content-Type')}: Mesos answers 415")
        if handler.headers.get("Accept-Encoding", "identity") != "identity":
            self.problems.append("a compressed answer is asked for, and nobody unpacks it")
        self.problems += sorted(set(fields_of(body)) - known_fields().get(body["type"], frozenset()))
        if body["type"] == "SUBSCRIBE":
            if body.get("framework_id") != body["subscribe"]["framework_info"].get("id"):
                self.problems.append("framework_id differs from framework_info.id: Mesos answers 400")
            if "Mesos-Stream-Id" in handler.headers:
                self.problems.append("SUBSCRIBE with a Mesos-Stream-Id: Mesos answers 400")

    def _check_meaning(self, body: Json) -> None:
        if body["framework_id"]["value"] != self._framework_id:
            self.problems.append(f"{body['type']} of framework {body['framework_id']['value']}")
        match body["type"]:
            case "ACCEPT":
                self._check_launch(body)
            case "DECLINE":
                self._use(body["decline"]["offer_ids"])
            case "ACKNOWLEDGE":
                self._check_acknowledgement(body["acknowledge"])
            case "KILL" if "agent_id" not in body["kill"]:
                self.problems.append(
                    "KILL without the agent: of an agent that is away Mesos says that it knows nothing"
                )
            case "RECONCILE":
                if any("agent_id" not in each for each in body["reconcile"]["tasks"]):
                    self.problems.append("RECONCILE of a task without its agent")

    def _check_launch(self, body: Json) -> None:
        (offer,) = self._use(body["accept"]["offer_ids"])
        for info in launched_in(body):
            task_id = info["task_id"]["value"]
            if info["agent_id"] != offer.get("agent_id"):
                self.problems.append(f"{task_id} is launched on another agent than the offer's")
            missing = [lacks(recorded, info) for recorded in self._recorded.get(task_id, [])]
            if missing and all(missing):
                self.problems += [f"{task_id}: {each}" for each in missing[0]]
            self._launched[task_id] = info

    def _use(self, offer_ids: list[Json]) -> list[Json]:
        used = [self._offered.pop(each["value"], {}) for each in offer_ids]
        if not all(used):
            self.problems.append(f"an offer that was not made, or was used already: {offer_ids}")
        return used

    def _check_acknowledgement(self, given: Json) -> None:
        task_id = given["task_id"]["value"]
        told = self._told.get((task_id, given["uuid"]))
        if told is None or told[0]["agent_id"] != given["agent_id"]:
            self.problems.append(f"an acknowledgement of what was not told: {given}")
            return
        status, committed = told
        is_committed = status["state"] not in ENDS and self.listings >= committed
        if not (is_committed or task_id in self.settled):
            self.problems.append(
                f"{status['state']} of {task_id} is acknowledged before anybody can have committed it"
            )


def _is_about_nobody(call: Json) -> bool:
    """Whether the recorded client asked of a task that it never launched, or of an offer that was never made."""
    if call["type"] == "KILL":
        return any(word in call["kill"]["task_id"]["value"] for word in ("never", "unknown"))
    return call["type"] == "DECLINE" and call["decline"]["offer_ids"] in ([], [{"value": "no-such-offer"}])


def _is_alike(recorded: Json, ours: Json) -> bool:
    """Whether our call is the recorded one, as far as what it is about."""
    if recorded["type"] == "DECLINE":  # an offer that was used is no offer any more, either
        used = ours.get("decline") or ours.get("accept") or {}
        return recorded["decline"]["offer_ids"][0] in used.get("offer_ids", [])
    if recorded["type"] != ours["type"]:
        return False
    match recorded["type"]:
        case "ACKNOWLEDGE":
            return bool(recorded["acknowledge"] == ours["acknowledge"])
        case "KILL":
            return bool(recorded["kill"]["task_id"] == ours["kill"]["task_id"])
    return recorded["type"] in ("RECONCILE", "SUPPRESS", "REVIVE", "TEARDOWN")


def _offers_in(piece: bytes) -> Json:
    found: Json = json.loads(piece.split(b"\n", 1)[1])["offers"]
    return found


def _refusal(words: str) -> Json:
    """A recorded answer by its words."""
    for exchange in read_recording("12")["exchanges"]:
        answer = exchange["response"]
        if answer and words in (answer["body"] or ""):
            found: Json = answer
            return found
    raise AssertionError(words)


def _recorded_answer(kind: str) -> bytes:
    for exchange in read_recording("15")["exchanges"]:
        if body_of(exchange).get("type") == kind:
            body: str = exchange["response"]["body"]
            return body.encode()
    raise AssertionError(kind)


def _send(handler: BaseHTTPRequestHandler, piece: bytes) -> None:
    handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    handler.wfile.flush()


def _say(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
