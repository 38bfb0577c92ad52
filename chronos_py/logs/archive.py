"""The archive of ended tasks' output: one object per stream, on any file system fsspec knows."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

import fsspec

from chronos_py.errors import ChronosError, ConfigurationError
from chronos_py.pools import Stream


class LogArchive:
    """Output by run, attempt and stream below a URL: a folder, ``s3://bucket/logs``, ...

    Raises OSError where the file system fails, in whatever words.
    """

    def __init__(self, url: str) -> None:
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise ConfigurationError(f'log-archive "{url}" cannot be used: {error}.') from error

    def _path(self, run_id: int, number: int, stream: Stream) -> str:
        # A thousand runs to a folder: no file system likes a million entries in one.
        return f"{self._root}/{run_id // 1000:06d}/{run_id}/{number}.{stream}"

    def store(self, run_id: int, number: int, stream: Stream, chunks: Iterator[bytes]) -> None:
        """Keep a stream. It appears as a whole or not at all; storing again replaces it.

        Raises what ``chunks`` raise of ours, too.
        """
        path = self._path(run_id, number, stream)
        partial = f"{path}.{secrets.token_hex(4)}.partial"
        try:
            self._files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            with self._files.open(partial, "wb") as file:
                for chunk in chunks:
                    file.write(chunk)
            self._files.mv(partial, path)
        except Exception as error:
            with contextlib.suppress(Exception):  # it would take the room that there is too little of
                self._files.rm_file(partial)
            if isinstance(error, OSError | ChronosError):
                raise
            raise OSError(str(error)) from error  # buckets' clients have errors of their own

    def size(self, run_id: int, number: int, stream: Stream) -> int | None:
        """The length of a kept stream in bytes; None when it is not kept."""
        try:
            return int(self._files.info(self._path(run_id, number, stream))["size"])
        except FileNotFoundError:
            return None

    def read(self, run_id: int, number: int, stream: Stream, offset: int, limit: int) -> bytes:
        """At most ``limit`` bytes from ``offset``. Raises FileNotFoundError when the stream is not kept."""
        with self._files.open(self._path(run_id, number, stream), "rb") as file:
            file.seek(offset)
            data: bytes = file.read(limit)
            return data
