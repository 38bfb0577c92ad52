"""What a task fetches, in its container: see docs/decisions/0016.

The files lie in the directory that the command begins in: the image's, or that of the parameter ``workdir``, or else
the original's sandbox, ``/mnt/mesos/sandbox``. That path always leads there, and ``$MESOS_SANDBOX`` names it.
"""

from __future__ import annotations

import tarfile
from pathlib import Path
from posixpath import normpath

from docker.errors import APIError, NotFound

from chronos_py.pools import LaunchRefused
from chronos_py.pools.docker.engine import Engine, is_verdict, words_of
from chronos_py.pools.docker.parameters import Request

SANDBOX = "/mnt/mesos/sandbox"


def begin_in_sandbox(request: Request, image_directory: str) -> None:
    """Let a container that fetches begin where its files will be; ``image_directory`` is its image's, or ""."""
    own = request.get("WorkingDir") or image_directory
    request["WorkingDir"] = SANDBOX if normpath(own or "/") == "/" else own
    request["Env"] = [entry for entry in request["Env"] if not entry.startswith("MESOS_SANDBOX=")]
    request["Env"].append(f"MESOS_SANDBOX={SANDBOX}")


def put_files(engine: Engine, handle: str, files: Path, directory: str) -> None:
    """Put all of a folder into a container that was not started yet.

    Any user of the container may read and change them: whom its image runs as is the image's affair. A container that
    a later leader removed meanwhile gets none, as its start will say. Raises LaunchRefused and PoolUnavailable.
    """
    archive = files.with_suffix(".tar")
    try:
        with tarfile.open(archive, "w") as tar:
            if normpath(directory) == SANDBOX:
                tar.add(files, arcname=SANDBOX[1:], filter=_for_everybody)
            else:
                link = tarfile.TarInfo(SANDBOX[1:])
                link.type, link.linkname = tarfile.SYMTYPE, directory
                tar.addfile(link)
        _put(engine, handle, "/", archive)
        if normpath(directory) != SANDBOX:
            with tarfile.open(archive, "w") as tar:
                for entry in sorted(files.iterdir()):
                    tar.add(entry, arcname=entry.name, filter=_for_everybody)
            _put(engine, handle, directory, archive)
    except OSError as error:
        raise LaunchRefused(f"What it fetches cannot be packed for its container: {error.strerror}.") from error
    finally:
        archive.unlink(missing_ok=True)


def _for_everybody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    is_for_running = entry.isdir() or entry.mode & 0o100
    entry.mode = 0o777 if is_for_running else 0o666
    return entry


def _put(engine: Engine, handle: str, place: str, archive: Path) -> None:
    with engine.answering(), open(archive, "rb") as data:
        try:
            engine.client.put_archive(handle, place, data)
        except NotFound as error:
            if "container" not in words_of(error).lower() or engine.inspect(handle) is not None:
                raise LaunchRefused(
                    f"What it fetches cannot be put into {place} of its container: {words_of(error)}."
                ) from error
        except APIError as error:
            if not is_verdict(error):
                raise
            raise LaunchRefused(
                f"What it fetches cannot be put into {place} of its container: {words_of(error)}."
            ) from error
