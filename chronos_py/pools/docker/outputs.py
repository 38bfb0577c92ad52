"""The file in a container that ``CHRONOS_OUTPUT_FILE`` names: where it comes from and how it is read.

Nothing of the host is mounted for it, so that any engine will do. It lies in the root folder: every image has that,
no volume can hide it, and the sticky bit of a /tmp, which keeps users from each other's files, does not reach it.

A program that begins as root makes the file itself. For all others an empty one that everybody may write is put into
the container before its start. Not for all, because of what that costs, measured on an engine 20.10: 60 ms where
creating and starting take 110 ms, since such an engine starts a process of its own for it. Learning whom the image
runs as takes 1.5 ms. Reading a written file takes 60 ms, too; learning that there is none, or an empty one, 4 ms.

A container with a read-only root file system has no outputs. Neither has a program that begins as root, but writes
as somebody else and did not make the file before.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import logging
import tarfile
from typing import IO, cast

import requests
from docker.errors import APIError, NotFound

from chronos_py.model.task import Task
from chronos_py.pools import PoolUnavailable
from chronos_py.pools.docker.engine import Engine, is_verdict, words_of
from chronos_py.pools.docker.parameters import Request
from chronos_py.pools.docker.request import OUTPUT_FILE, SHELL

logger = logging.getLogger(__name__)

_FACTS_HEADER = "X-Docker-Container-Path-Stat"
_ROOT_NAMES = ("", "0", "root")


def _empty_file() -> bytes:
    """What is unpacked in the root folder of a container."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        file = tarfile.TarInfo(OUTPUT_FILE.lstrip("/"))
        file.mode = 0o666
        tar.addfile(file)
    return archive.getvalue()


EMPTY_FILE = _empty_file()


class OutputFiles:
    """The output files of an engine's containers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._client = engine.client

    def give(self, handle: str, task: Task, request: Request) -> None:
        """Put the file into a container that was made from ``request`` and not started yet, if it needs that.

        A container that the engine does not put it into runs without. Raises PoolUnavailable.
        """
        if request["HostConfig"].get("ReadonlyRootfs") or self._makes_it_itself(handle, task, request):
            return
        with self._engine.answering():
            try:
                self._client.put_archive(handle, "/", EMPTY_FILE)
            except NotFound:
                pass  # a later leader removed the container, as the start will say
            except APIError as error:
                if not is_verdict(error):
                    raise
                logger.warning("The task %r gets no output file: %s.", task.name, words_of(error))

    def read(self, handle: str, limit: int) -> bytes:
        """The first ``limit`` bytes of the file in an ended container; b"" when there is none.."""
        if self._size(handle) == 0:
            return b""
        response = self._ask("GET", handle)
        if response is None:
            return b""
        with response, self._engine.answering():
            try:
                return _first_file(cast(IO[bytes], response.raw), limit)
            except tarfile.TarError as error:
                raise PoolUnavailable(
                    f"The Docker engine at {self._engine.url} sent an output file that breaks off."
                ) from error

    def _makes_it_itself(self, handle: str, task: Task, request: Request) -> bool:
        """Whether the program begins as root. An image's own does not count: it often gives that up at once."""
        if not task.command or request["Entrypoint"] not in (SHELL, [task.command]):
            return False
        if request["HostConfig"].get("CapDrop"):
            return False
        user = request["User"]
        if not user:
            found = self._engine.inspect(handle)
            user = found["Config"]["User"] if found else ""
        return str(user).partition(":")[0] in _ROOT_NAMES

    def _size(self, handle: str) -> int | None:
        """How large the file is, 0 when there is none; None when the engine does not tell."""
        response = self._ask("HEAD", handle)
        if response is None:
            return 0
        with response:
            try:
                return int(json.loads(base64.b64decode(response.headers[_FACTS_HEADER]))["size"])
            except (KeyError, TypeError, ValueError, binascii.Error):
                return None

    def _ask(self, method: str, handle: str) -> requests.Response | None:
        """The engine's answer about the file, unread; None when it has no such file or cannot get at it."""
        client = self._client
        with self._engine.answering():
            response = client.request(
                method,
                f"{client.base_url}/v{client.api_version}/containers/{handle}/archive",
                params={"path": OUTPUT_FILE},
                headers={"Accept-Encoding": "identity"},
                stream=True,
                timeout=client.timeout,
            )
            if response.ok:
                return response
            with response:
                status, words = response.status_code, " ".join(response.text.split())
        if status == requests.codes.not_found:
            return None
        if status < requests.codes.bad_gateway:
            # Its word on this container, one with a broken volume, say: asking again would hold up its run for ever.
            logger.warning("The outputs of the container %s cannot be read: %s", handle[:12], words or status)
            return None
        raise PoolUnavailable(f"The Docker engine at {self._engine.url} cannot read outputs: {words or status}.")


def _first_file(archive: IO[bytes], limit: int) -> bytes:
    """The beginning of the one file in an archive that is read as it comes; b"" when it is no regular file."""
    with tarfile.open(fileobj=archive, mode="r|") as tar:
        entry = tar.next()
        file = tar.extractfile(entry) if entry is not None and entry.isreg() else None
        return file.read(limit) if file else b""
