"""The agent's part of the double that runs tasks: not Mesos, but what the recordings show of its agent.

Sandboxes, what is fetched into them, the users that tasks run as, and the files that are read from there. What the
recordings do not have is told where it is done.
"""

from __future__ import annotations

import base64
import gzip
import os
import pwd
import re
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

Json = dict[str, Any]
MOST_AT_ONCE = 65_536
TARS = (".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")
_LATEST = re.compile(r"/frameworks/(?P<framework>[^/]+)/executors/(?P<executor>.+?)/runs/latest(?:/(?P<file>.*))?")


@dataclass
class NotLaunched(Exception):
    """Why a task never began, in the agent's words."""

    state: str
    reason: str
    message: str


@dataclass
class BadRequest(Exception):
    """What the agent answers to a question about a file."""

    status: int
    words: str = ""


class Sandboxes:
    """The agent's folder of all tasks, each run in one of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._latest: dict[tuple[str, str], Path] = {}
        self._cache: dict[tuple[str, str], bytes] = {}

    def make(self, framework_id: str, info: Json) -> Path:
        """A new one. Raises NotLaunched."""
        task_id = info["task_id"]["value"]
        runs = self._folder / framework_id / task_id
        runs.mkdir(parents=True, exist_ok=True)
        folder = runs / f"{len(list(runs.iterdir()))}"
        folder.mkdir()
        self._latest[framework_id, task_id] = folder
        for parent in (runs, runs.parent, self._folder):
            parent.chmod(0o711)
        user = info["command"].get("user", "")
        if user:
            try:
                shutil.chown(folder, pwd.getpwnam(user).pw_uid)
            except KeyError as error:
                words = f"Failed to chown directory to '{user}': No such user '{user}'"
                message = f"Failed to create executor directory '{folder}': {words}"
                raise NotLaunched("TASK_DROPPED", "REASON_EXECUTOR_TERMINATED", message) from error
        for name in ("stdout", "stderr"):
            (folder / name).touch()
        return folder

    # ----------------------------------------------------------------------------------------------- fetching

    def fetch(self, command: Json, folder: Path, is_killed: Callable[[], bool]) -> None:
        """All that a task asks for. Raises NotLaunched, without a word of what went wrong, as recorded."""
        user = command.get("user", "")
        try:
            for uri in command.get("uris", []):
                self._fetch(uri, user, folder, is_killed)
            if user:
                for found in folder.rglob("*"):
                    os.lchown(found, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        except (OSError, ValueError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
            words = f"Failed to fetch all URIs for container '{folder.name}': exited with status 1"
            raise NotLaunched(
                "TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED", f"Failed to launch container: {words}"
            ) from error

    def _fetch(self, uri: Json, user: str, folder: Path, is_killed: Callable[[], bool]) -> None:
        """The name is all behind the last slash, a query too, and archives are known by small letters: so Mesos."""
        place = folder / (uri.get("output_file") or uri["value"].rpartition("/")[2])
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(self._content(uri, user, is_killed))
        if uri.get("executable"):
            place.chmod(0o755)
        elif not uri.get("extract", True):
            return
        elif place.name.endswith(TARS):
            with tarfile.open(place) as tar:
                for link in filter(tarfile.TarInfo.islnk, tar):
                    link.mode = tar.getmember(link.linkname).mode
                tar.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        elif place.name.endswith(".gz"):
            (folder / place.stem).write_bytes(gzip.decompress(place.read_bytes()))
        elif place.name.endswith(".zip"):
            with zipfile.ZipFile(place) as archive:
                archive.extractall(folder)

    def _content(self, uri: Json, user: str, is_killed: Callable[[], bool]) -> bytes:
        """A copy in the cache is used without a look at the server, and kept if its size can be asked for."""
        value = uri["value"]
        if value.startswith(("/", "file://")):
            return Path(value.removeprefix("file://")).read_bytes()
        if not value.startswith(("http://", "https://")):
            raise ValueError("there is no hadoop client")
        if not uri.get("cache"):
            return _download(value, is_killed)
        if (user, value) not in self._cache:
            content = _download(value, is_killed)
            if not requests.head(value, timeout=10).ok:
                return content
            self._cache[user, value] = content
        return self._cache[user, value]

    # -------------------------------------------------------------------------------------------------- files

    def read_file(self, wanted: Json) -> Json:
        """The answer to READ_FILE. Raises BadRequest."""
        file = self._resolve(wanted["path"])
        if file.is_dir():
            raise BadRequest(400, "Cannot read from a directory.\n")
        if not file.is_file():
            raise BadRequest(500, "An agent opens it and waits for a writer, and reads no other file meanwhile.")
        with file.open("rb") as content:
            size = content.seek(0, os.SEEK_END)
            content.seek(wanted["offset"])
            data = content.read(min(wanted.get("length", MOST_AT_ONCE), MOST_AT_ONCE))
        return {"size": size, "data": base64.b64encode(data).decode()}

    def list_files(self, wanted: Json) -> Json:
        """The answer to LIST_FILES. Raises BadRequest. Of a link it tells what is behind it."""
        infos = []
        for found in sorted(self._resolve(wanted["path"]).iterdir()):
            try:
                status = found.stat()
            except OSError:  # a link to nothing, or to itself
                continue
            infos.append(
                {
                    "path": f"{wanted['path']}/{found.name}",
                    "nlink": status.st_nlink,
                    "size": status.st_size,
                    "mtime": {"nanoseconds": int(status.st_mtime) * 10**9},
                    "mode": status.st_mode,
                    "uid": str(status.st_uid),
                    "gid": str(status.st_gid),
                }
            )
        return {"file_infos": infos}

    def _resolve(self, path: str) -> Path:
        """The file that a virtual path means, never one outside of the sandbox. Raises BadRequest."""
        found = _LATEST.fullmatch(path)
        folder = self._latest.get((found["framework"], found["executor"])) if found else None
        if found is None or folder is None:
            raise BadRequest(404)
        try:
            real = (folder / (found["file"] or "")).resolve(strict=True)
        except FileNotFoundError as error:
            raise BadRequest(404) from error
        except (OSError, RuntimeError) as error:  # a link to itself
            raise BadRequest(400, f"Failed to determine canonical path of '{path}'.\n") from error
        if real != folder.resolve() and folder.resolve() not in real.parents:
            raise BadRequest(400, f"'{path}' is inaccessible.\n")
        return real


def _download(url: str, is_killed: Callable[[], bool]) -> bytes:
    content = bytearray()
    with requests.get(url, stream=True, timeout=30, headers={"Accept-Encoding": "identity"}) as answer:
        if not answer.ok:
            raise ValueError(f"{urlsplit(url).path}: {answer.status_code}")
        while piece := answer.raw.read1(MOST_AT_ONCE):
            content += piece
            if is_killed():
                raise ValueError("killed")
        if len(content) < int(answer.headers.get("Content-Length", 0)):
            raise ValueError("it broke off")
    return bytes(content)
