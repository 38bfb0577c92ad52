"""A double of a Mesos master and its agent that runs tasks: not Mesos, but what the recordings show of its behaviour.

It speaks the v1 HTTP scheduler API as far as the pool does, on one loopback port, and runs commands as processes of
this machine. Updates come again until they are acknowledged, one after the other for each task, and to whoever
subscribes next; a call with an older stream's id is refused; ids of active tasks are not given twice.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pwd
import queue
import select
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .mesos_agent_double import BadRequest, NotLaunched, Sandboxes

Json = dict[str, Any]
AGENT_ID = "double-S0"
RESOURCES = {"cpus": 64.0, "mem": 65536.0, "disk": 65536.0}
TERMINAL = ("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR")
NOISE = "I1121 03:57:55.638761  8697 exec.cpp:164] Version: 1.12.0\n"


@dataclass
class RunningTask:
    info: Json
    framework_id: str
    process: subprocess.Popen[bytes] | None = None
    is_delivered: bool = False  # to its executor
    is_killed: bool = False
    updates: list[Json] = field(default_factory=list)  # not acknowledged
    told: list[Json] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return any(update["state"] in TERMINAL for update in self.told) and not self.updates

    @property
    def has_ended(self) -> bool:
        return any(update["state"] in TERMINAL for update in [*self.told, *self.updates])


@dataclass
class KnownFramework:
    id: str
    stream_id: str = ""
    events: queue.SimpleQueue[Json | None] = field(default_factory=queue.SimpleQueue)
    is_connected: bool = False
    is_suppressed: bool = False
    is_removed: bool = False
    refuse_until: float = 0.0
    offer_id: str = ""


class LiveDouble:
    """Starts at once; ``url`` is where the master listens."""

    def __init__(self, folder: Path) -> None:
        self.sandboxes = Sandboxes(folder)
        self.lock = threading.RLock()
        self.frameworks: dict[str, KnownFramework] = {}
        self.tasks: dict[str, RunningTask] = {}
        self.past: list[RunningTask] = []
        self.calls: list[Json] = []
        self.authorizations: set[str] = set()
        self.recovered_agents: list[Json] = []
        self.heartbeat_seconds = 15.0
        self.answers: list[Callable[[Json], tuple[int, str] | None]] = []  # what a test wants answered instead
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                double.answer(self, body)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.stopped = threading.Event()
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        threading.Thread(target=self._allocate, daemon=True).start()

    def stop(self) -> None:
        self.stopped.set()
        self.cut_streams()
        for task in [*self.tasks.values(), *self.past]:
            if task.process is not None and task.process.poll() is None:
                _signal(task.process, signal.SIGKILL)
        self.server.shutdown()
        self.server.server_close()

    def cut_streams(self) -> None:
        with self.lock:
            for framework in self.frameworks.values():
                framework.events.put(None)

    def called(self, kind: str) -> list[Json]:
        with self.lock:
            return [call for call in self.calls if call["type"] == kind]

    # ------------------------------------------------------------------------------------------------- HTTP

    def answer(self, handler: BaseHTTPRequestHandler, body: Json) -> None:
        self.authorizations.add(handler.headers.get("Authorization", ""))
        for special in self.answers:
            found = special(body)
            if found:
                return self._say(handler, *found)
        if handler.path == "/api/v1":
            return self._operator(handler, body)
        if body["type"] == "SUBSCRIBE":
            return self._subscribe(handler, body)
        with self.lock:
            framework = self.frameworks.get(body["framework_id"]["value"])
            if framework is None or framework.is_removed:
                return self._say(handler, 400, "Framework cannot be found")
            if not framework.is_connected:
                return self._say(handler, 403, "Framework is not subscribed")
            if handler.headers.get("Mesos-Stream-Id") != framework.stream_id:
                return self._say(handler, 400, "The stream ID included in this request didn't match the stream ID")
            self.calls.append(body)
            self._call(framework, body)
        return self._say(handler, 202, "")

    def _say(self, handler: BaseHTTPRequestHandler, status: int, words: str) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(words.encode())))
        handler.end_headers()
        handler.wfile.write(words.encode())

    def _subscribe(self, handler: BaseHTTPRequestHandler, body: Json) -> None:
        given = body.get("framework_id", {}).get("value", "")
        with self.lock:
            self.calls.append(body)
            framework = self.frameworks.get(given) or KnownFramework(given or f"double-{uuid.uuid4()}")
            self.frameworks[framework.id] = framework
            if framework.is_connected:
                framework.events.put({"type": "ERROR", "error": {"message": "Framework failed over"}})
                framework.events.put(None)
            events: queue.SimpleQueue[Json | None] = queue.SimpleQueue()
            framework.events, framework.stream_id = events, str(uuid.uuid4())
            framework.is_connected, framework.is_suppressed, framework.offer_id = True, False, ""
            framework.refuse_until = 0.0
            stream_id = framework.stream_id
            for role in body["subscribe"]["framework_info"]["roles"]:
                if " " in role:
                    words = f"Role component '{role}' is invalid because it contains backspace or whitespace"
                    message = f"'FrameworkInfo.roles' contains invalid role: {words}"
                    events.put({"type": "ERROR", "error": {"message": message}})
                    events.put(None)
            if framework.is_removed:
                events.put({"type": "ERROR", "error": {"message": "Framework has been removed"}})
                events.put(None)
            else:
                subscribed = {
                    "framework_id": {"value": framework.id},
                    "heartbeat_interval_seconds": self.heartbeat_seconds,
                }
                events.put({"type": "SUBSCRIBED", "subscribed": subscribed})
                events.put({"type": "HEARTBEAT"})
                for task in self.tasks.values():
                    if task.framework_id == framework.id and task.updates:
                        self._tell(task, task.updates[0])
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.send_header("Mesos-Stream-Id", stream_id)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        self._stream(handler, events)
        with self.lock:
            if framework.stream_id == stream_id:
                framework.is_connected = False
        handler.close_connection = True

    def _stream(self, handler: BaseHTTPRequestHandler, events: queue.SimpleQueue[Json | None]) -> None:
        try:
            while (event := self._next_event(handler, events)) is not None:
                record = json.dumps(event, ensure_ascii=False).encode()
                framed = b"%d\n%b" % (len(record), record)
                handler.wfile.write(b"%x\r\n%b\r\n" % (len(framed), framed))
                handler.wfile.flush()
            handler.wfile.write(b"0\r\n\r\n")
        except OSError:
            return

    @staticmethod
    def _next_event(handler: BaseHTTPRequestHandler, events: queue.SimpleQueue[Json | None]) -> Json | None:
        """None when the stream is to end, or the other side has hung up."""
        while True:
            with contextlib.suppress(queue.Empty):
                return events.get(timeout=0.1)
            if select.select([handler.connection], [], [], 0)[0]:
                return None

    def _operator(self, handler: BaseHTTPRequestHandler, body: Json) -> None:
        kind = body["type"]
        if kind in ("READ_FILE", "LIST_FILES"):
            return self._file(handler, body)
        with self.lock:
            if kind == "GET_CONTAINERS":
                found: Json = {"containers": [_container(task) for task in self.tasks.values() if task.process]}
                return self._say(handler, 200, json.dumps({"type": kind, "get_containers": found}))
            found = {"recovered_agents": self.recovered_agents, "agents": [self._agent()]}
            if kind == "GET_TASKS":
                active = [self._task(task) for task in self.tasks.values()]
                found = {"tasks": active, "completed_tasks": [self._task(task) for task in self.past]}
        return self._say(handler, 200, json.dumps({"type": kind, kind.lower(): found}))

    def _agent(self) -> Json:
        info = {"hostname": "localhost", "id": {"value": AGENT_ID}, "port": self.port, "attributes": ATTRIBUTES}
        return {
            "agent_info": info,
            "active": True,
            "pid": f"slave(1)@127.0.0.1:{self.port}",
            "version": "1.12.0",
            "total_resources": _scalars(RESOURCES),
        }

    def _task(self, task: RunningTask) -> Json:
        return {
            **{key: task.info[key] for key in ("task_id", "agent_id", "labels")},
            "framework_id": {"value": task.framework_id},
            "statuses": [*task.told, *task.updates[:1]],
        }

    def _file(self, handler: BaseHTTPRequestHandler, body: Json) -> None:
        kind = body["type"].lower()
        try:
            found = (
                self.sandboxes.read_file(body[kind]) if kind == "read_file" else self.sandboxes.list_files(body[kind])
            )
        except BadRequest as refusal:
            return self._say(handler, refusal.status, refusal.words)
        return self._say(handler, 200, json.dumps({"type": body["type"], kind: found}))

    # ------------------------------------------------------------------------------------------------ calls

    def _call(self, framework: KnownFramework, body: Json) -> None:
        match body["type"]:
            case "ACCEPT":
                self._accept(framework, body["accept"])
            case "DECLINE":
                framework.offer_id = ""
                framework.refuse_until = time.monotonic() + body["decline"]["filters"]["refuse_seconds"]
            case "SUPPRESS":
                framework.is_suppressed = True
            case "REVIVE":
                framework.is_suppressed, framework.refuse_until = False, 0.0
            case "ACKNOWLEDGE":
                self._acknowledged(body["acknowledge"])
            case "KILL":
                self._kill(framework, body["kill"])
            case "RECONCILE":
                self._reconcile(framework, body["reconcile"]["tasks"])
            case "TEARDOWN":
                framework.is_removed = True
                framework.events.put(None)
                for task_id, task in list(self.tasks.items()):
                    if task.framework_id == framework.id:
                        self.past.append(self.tasks.pop(task_id))
                        if task.process and task.process.poll() is None:
                            _signal(task.process, signal.SIGKILL)

    def _accept(self, framework: KnownFramework, accept: Json) -> None:
        valid = accept["offer_ids"][0]["value"] == framework.offer_id
        framework.offer_id = ""
        for info in accept["operations"][0]["launch"]["task_infos"]:
            task_id = info["task_id"]["value"]
            if not valid:
                self._master_says(framework, task_id, "TASK_DROPPED", "REASON_INVALID_OFFERS", "no longer valid")
            elif task_id in self.tasks:
                words = f"Task has duplicate ID: {task_id}"
                self._master_says(framework, task_id, "TASK_ERROR", "REASON_TASK_INVALID", words)
            else:
                self._launch(framework, info)

    def _launch(self, framework: KnownFramework, info: Json) -> None:
        task = RunningTask(info, framework.id)
        self.tasks[info["task_id"]["value"]] = task
        threading.Thread(target=self._run, args=(task,), daemon=True).start()

    def _run(self, task: RunningTask) -> None:
        """Updates before the first of the executor are the agent's own."""
        try:
            folder = self.sandboxes.make(task.framework_id, task.info)
            if "container" in task.info:
                raise NotLaunched("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED", "This double runs no containers")
            self.sandboxes.fetch(task.info["command"], folder, lambda: task.is_killed)
        except NotLaunched as why:
            if not task.is_killed:
                self._update(task, why.state, why.message, reason=why.reason, source="SOURCE_AGENT")
                return
        with self.lock:
            task.is_delivered = not task.is_killed
        if not task.is_delivered:
            words, reason = "Killed before delivery to the executor", "REASON_TASK_KILLED_DURING_LAUNCH"
            self._update(task, "TASK_KILLED", words, reason=reason, source="SOURCE_AGENT")
            return
        self._update(task, "TASK_STARTING")
        self._execute(task, folder)

    def _execute(self, task: RunningTask, folder: Path) -> None:
        command = task.info["command"]
        given = command["environment"]["variables"]
        environment = {"PATH": os.environ["PATH"], **{each["name"]: each["value"] for each in given}}
        argv = ["/bin/sh", "-c", command["value"]] if command["shell"] else command["arguments"]
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            err.write(NOISE.encode())
            err.flush()
            try:
                task.process = subprocess.Popen(
                    argv,
                    cwd=folder,
                    env=environment,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                    **_identity(command.get("user", "")),
                )
            except OSError:
                self._update(task, "TASK_FAILED", "Command exited with status 1")
                return
        self._update(task, "TASK_RUNNING")
        code = task.process.wait()
        words = (
            f"Command exited with status {code}"
            if code >= 0
            else f"Command terminated with signal {signal.strsignal(-code)}"
        )
        state = "TASK_KILLED" if task.is_killed else "TASK_FAILED" if code else "TASK_FINISHED"
        self._update(task, state, words)

    def _kill(self, framework: KnownFramework, kill: Json) -> None:
        task = self.tasks.get(kill["task_id"]["value"])
        if task is None or task.has_ended:
            if task is None:
                reason = "REASON_RECONCILIATION"
                self._master_says(framework, kill["task_id"]["value"], "TASK_GONE", reason, "Task is unknown")
            return
        if task.is_killed:
            return
        task.is_killed = True
        if not task.is_delivered:
            return
        self._update(task, "TASK_KILLING")
        grace = kill["kill_policy"]["grace_period"]["nanoseconds"] / 1e9
        threading.Thread(target=self._end, args=(task, grace), daemon=True).start()

    def _end(self, task: RunningTask, grace: float) -> None:
        while task.process is None and not task.has_ended:
            self.stopped.wait(0.01)
        process = task.process
        if process is None or process.poll() is not None:
            return
        _signal(process, signal.SIGTERM if grace else signal.SIGKILL)
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            _signal(process, signal.SIGKILL)

    def _reconcile(self, framework: KnownFramework, wanted: list[Json]) -> None:
        ids = [each["task_id"]["value"] for each in wanted] or [
            task_id for task_id, task in self.tasks.items() if task.framework_id == framework.id
        ]
        for task_id in ids:
            task = self.tasks.get(task_id)
            if task is None:
                words = "Reconciliation: Task is unknown to the agent"
                self._master_says(framework, task_id, "TASK_GONE", "REASON_RECONCILIATION", words)
            else:
                state = [{"state": "TASK_STAGING"}, *task.told, *task.updates[:1]][-1]["state"]
                words = "Reconciliation: Latest task state"
                self._master_says(framework, task_id, state, "REASON_RECONCILIATION", words)

    def _acknowledged(self, given: Json) -> None:
        task = self.tasks.get(given["task_id"]["value"])
        if task is None or not task.updates or task.updates[0]["uuid"] != given["uuid"]:
            return
        task.told.append(task.updates.pop(0))
        if task.updates:
            self._tell(task, task.updates[0])
        elif task.is_over:
            self.past.append(self.tasks.pop(given["task_id"]["value"]))

    # --------------------------------------------------------------------------------------------- updates

    def _update(
        self, task: RunningTask, state: str, message: str = "", reason: str = "", source: str = "SOURCE_EXECUTOR"
    ) -> None:
        with self.lock:
            status = {
                "task_id": task.info["task_id"],
                "state": state,
                "source": source,
                "agent_id": {"value": AGENT_ID},
                "timestamp": time.time(),
                "uuid": base64.b64encode(uuid.uuid4().bytes).decode(),
            }
            status |= {key: words for key, words in (("message", message), ("reason", reason)) if words}
            task.updates.append(status)
            if len(task.updates) == 1:
                self._tell(task, status)

    def _tell(self, task: RunningTask, status: Json) -> None:
        framework = self.frameworks[task.framework_id]
        framework.events.put({"type": "UPDATE", "update": {"status": status}})

    def _master_says(self, framework: KnownFramework, task_id: str, state: str, reason: str, words: str) -> None:
        status = {
            "task_id": {"value": task_id},
            "state": state,
            "reason": reason,
            "message": words,
            "source": "SOURCE_MASTER",
            "timestamp": time.time(),
        }
        framework.events.put({"type": "UPDATE", "update": {"status": status}})

    def _allocate(self) -> None:
        number = 0
        while not self.stopped.wait(0.02):
            with self.lock:
                for framework in self.frameworks.values():
                    refuses = framework.is_suppressed or time.monotonic() < framework.refuse_until
                    if framework.is_connected and not framework.is_removed and not refuses and not framework.offer_id:
                        number += 1
                        framework.offer_id = f"double-O{number}"
                        framework.events.put({"type": "OFFERS", "offers": {"offers": [self._offer(framework)]}})

    def _offer(self, framework: KnownFramework) -> Json:
        return {
            "id": {"value": framework.offer_id},
            "framework_id": {"value": framework.id},
            "agent_id": {"value": AGENT_ID},
            "hostname": "localhost",
            "url": {"scheme": "http", "address": {"hostname": "localhost", "ip": "127.0.0.1", "port": self.port}},
            "resources": [{**each, "role": "*", "allocation_info": {"role": "*"}} for each in _scalars(RESOURCES)],
            "attributes": ATTRIBUTES,
        }


ATTRIBUTES = [{"name": "rack", "type": "TEXT", "text": {"value": "r1"}}]


def _scalars(amounts: dict[str, float]) -> list[Json]:
    return [{"name": name, "type": "SCALAR", "scalar": {"value": value}} for name, value in amounts.items()]


def _container(task: RunningTask) -> Json:
    """What an agent says of a container; here without an executor, and of the first process only."""
    assert task.process is not None
    found: Json = {"framework_id": {"value": task.framework_id}, "executor_id": task.info["task_id"]}
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{task.process.pid}/stat").read_text().rpartition(")")[2].split()
        user, system = (int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in fields[11:13])
        found["resource_statistics"] = {
            "timestamp": time.time(),
            "cpus_user_time_secs": user,
            "cpus_system_time_secs": system,
            "mem_rss_bytes": int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
        }
    return found


def _identity(user: str) -> dict[str, Any]:
    """What makes a process another user's."""
    if not user:
        return {}
    account = pwd.getpwnam(user)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": os.getgrouplist(user, account.pw_gid)}


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
