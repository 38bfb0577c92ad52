"""Fetching what a task wants to find in its working directory, before it is launched.

All of it is put together in a folder of its own first, so that a failed download leaves nothing behind, and the pool
moves it to where the task begins. A failure is a refused launch: it is certain that nothing was started.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chronos_py.model.fetch import Fetch
from chronos_py.model.task import Task
from chronos_py.pools import LaunchRefused, Permit
from chronos_py.pools.fetch.cache import FetchCache
from chronos_py.pools.fetch.file_tree import FileTree, Unfit
from chronos_py.pools.fetch.sources import LocalFiles, Validators, is_local, open_source
from chronos_py.pools.fetch.unpacking import is_archive, unpack
from chronos_py.pools.process.folder import remove_tree

MOST_BYTES = 4 << 30  # of one file
MOST_UNPACKED_BYTES = 16 << 30  # of all archives of a task
MOST_ENTRIES = 100_000  # of one archive
FETCH_SECONDS = 900.0  # for all files of a task, unpacking included
PERMIT_SECONDS = 1.0  # how often the permit is asked again meanwhile


class Fetching:
    """The downloads of one pool, in a folder that is private to it."""

    def __init__(self, data_dir: Path) -> None:
        self._stages = data_dir / "fetching"
        self._cache = FetchCache(data_dir / "fetched")

    @contextmanager
    def staged(self, task: Task, permit: Permit, local_files: LocalFiles) -> Iterator[Path | None]:
        """A folder with all that a task fetches, to be moved or copied from; None when it fetches nothing.

        Raises LaunchRefused when something cannot be had, and whatever ``permit`` raises.
        """
        if not task.fetch:
            yield None
            return
        stage = self._stages / uuid.uuid4().hex
        try:
            try:
                self._stages.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._sweep()
                stage.mkdir(mode=0o700)
            except OSError as error:
                raise LaunchRefused(f"There is no place for what it fetches: {error.strerror}.") from error
            self._fill(stage, task, permit, local_files)
            yield stage
        finally:
            remove_tree(stage)

    def _fill(self, stage: Path, task: Task, permit: Permit, local_files: LocalFiles) -> None:
        patience = _Patience(permit)
        tree = FileTree(stage)
        unpacked = _Budget(MOST_UNPACKED_BYTES, "it unpacks to", patience)
        for fetch in task.fetch:
            try:
                place = self._download(fetch, tree, patience, local_files)
                if fetch.executable:
                    place.chmod(0o755)
                elif fetch.extract and is_archive(place.name):
                    unpack(place, tree, unpacked.spend, MOST_ENTRIES)
            except Unfit as error:
                raise _refusal(fetch, str(error)) from error
            except OSError as error:
                raise _refusal(fetch, error.strerror or str(error)) from error

    def _download(self, fetch: Fetch, tree: FileTree, patience: _Patience, local_files: LocalFiles) -> Path:
        """The file in its place, from the cache where that is allowed and current."""
        uses_cache = fetch.cache and not is_local(fetch.uri)
        copy = self._cache.find(fetch.uri) if uses_cache else None
        if copy is not None and copy.is_fresh:
            with suppress(FileNotFoundError):  # somebody made room
                return tree.copy(fetch.path, copy.path)
        with open_source(fetch.uri, copy.validators if copy else Validators(), local_files) as source:
            if not (source.is_unchanged and copy):
                place = self._save(fetch, tree, patience, source.chunks)
                if uses_cache:
                    self._cache.keep(fetch.uri, place, source.validators)
                return place
        try:
            return tree.copy(fetch.path, copy.path)
        except FileNotFoundError:
            with open_source(fetch.uri, Validators(), local_files) as source:
                return self._save(fetch, tree, patience, source.chunks)

    def _save(self, fetch: Fetch, tree: FileTree, patience: _Patience, chunks: Iterator[bytes]) -> Path:
        budget = _Budget(MOST_BYTES, "it has", patience)

        def counted() -> Iterator[bytes]:
            for chunk in chunks:
                budget.spend(len(chunk))
                yield chunk

        return tree.write(fetch.path, counted())

    def _sweep(self) -> None:
        """Remove what servers left that were killed while they fetched."""
        for stage in self._stages.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - stage.stat().st_mtime > 2 * FETCH_SECONDS:
                    remove_tree(stage)


def _refusal(fetch: Fetch, reason: str) -> LaunchRefused:
    return LaunchRefused(f"The file {fetch.shown_uri} cannot be fetched: {reason.rstrip('.')}.")


class _Patience:
    """How long all downloads of a task may take, and that its leader still leads."""

    def __init__(self, permit: Permit) -> None:
        self._permit = permit
        self._until = time.monotonic() + FETCH_SECONDS
        self._ask_at = 0.0

    def check(self) -> None:
        now = time.monotonic()
        if now >= self._until:
            raise Unfit(f"all of the task's downloads together take longer than {FETCH_SECONDS:g} s")
        if now >= self._ask_at:
            self._permit()
            self._ask_at = now + PERMIT_SECONDS


class _Budget:
    """So many bytes and no more."""

    def __init__(self, most: int, words: str, patience: _Patience) -> None:
        self._most = most
        self._words = words
        self._patience = patience
        self._spent = 0

    def spend(self, size: int) -> None:
        self._patience.check()
        self._spent += size
        if self._spent > self._most:
            raise Unfit(f"{self._words} more than {self._most} bytes")
