"""Copies of fetched files, for tasks that allow them: by URI, of bounded size, the least used go first.

A copy has a record, ``<digest of the URI>.json``, which names the file with the data. The record is replaced at
once, so that several servers may use one folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from chronos_py.pools.fetch.sources import Validators

CACHE_BYTES = 2 << 30
FRESH_SECONDS = 300.0  # of copies that no server vouches for
ORPHAN_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Copy:
    path: Path
    validators: Validators
    fetched_at: float

    @property
    def is_fresh(self) -> bool:
        """Whether it may be used without asking; a copy that the server can vouch for is always asked about."""
        return not self.validators.headers and 0 <= time.time() - self.fetched_at < FRESH_SECONDS


class FetchCache:
    """The copies of one pool's folder. Errors of the disk only cost the copies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, uri: str) -> Copy | None:
        record = self._record(uri)
        try:
            found = json.loads(record.read_bytes())
            validators = Validators(str(found["etag"]), str(found["last_modified"]))
            copy = Copy(self._folder / Path(found["file"]).name, validators, float(found["fetched_at"]))
            os.utime(record)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return copy if copy.path.exists() else None

    def keep(self, uri: str, source: Path, validators: Validators) -> None:
        """Copy a file that was just fetched."""
        size = source.stat().st_size
        if size > CACHE_BYTES:
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_room(size, self._record(uri))
            data = self._folder / f"{uuid.uuid4().hex}.data"
            shutil.copyfile(source, data)
            draft = data.with_suffix(".new")
            found = {
                "file": data.name,
                "etag": validators.etag,
                "last_modified": validators.last_modified,
                "fetched_at": time.time(),
            }
            draft.write_text(json.dumps(found))
            draft.replace(self._record(uri))

    def _record(self, uri: str) -> Path:
        return self._folder / f"{hashlib.sha256(uri.encode('utf-8', 'surrogatepass')).hexdigest()}.json"

    def _make_room(self, size: int, replaced: Path) -> None:
        """Remove what would be too much with ``size`` more, the record that is replaced, and what nobody names."""
        records = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        named = set()
        for record in records:
            found = json.loads(record.read_bytes())
            data = self._folder / Path(found["file"]).name
            size += data.stat().st_size if data.exists() else 0
            if record == replaced or size > CACHE_BYTES or not data.exists():
                record.unlink(missing_ok=True)
                data.unlink(missing_ok=True)
            else:
                named.add(data.name)
        for data in (*self._folder.glob("*.data"), *self._folder.glob("*.new")):
            if data.name not in named and time.time() - data.stat().st_mtime > ORPHAN_SECONDS:
                data.unlink(missing_ok=True)
