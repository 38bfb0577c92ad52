"""Unpacking archives of strangers: no way out of the folder, no devices, no more than was allowed.

Python's own filters came with 3.11.4 and hold no sizes, so the entries are written here, one by one.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from chronos_py.pools.fetch.file_tree import FileTree, Unfit

CHUNK_BYTES = 1 << 20
Spend = Callable[[int], None]  # told the bytes of each piece before it is written; raises when they are too many

_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
# What the standard library raises for archives that are damaged or not what their names say.
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


def is_archive(name: str) -> bool:
    return name.lower().endswith((*_TARS, ".zip", ".gz"))


def unpack(archive: Path, tree: FileTree, spend: Spend, most_entries: int) -> None:
    """Unpack an archive, by its name, into a tree.

    Raises :class:`Unfit` for one that is damaged or holds what must not be, OSError, and what ``spend`` raises.
    """
    name = archive.name.lower()
    try:
        if name.endswith(_TARS):
            _unpack_tar(archive, tree, spend, most_entries)
        elif name.endswith(".zip"):
            _unpack_zip(archive, tree, spend, most_entries)
        else:
            beside = archive.relative_to(tree.root).as_posix()[: -len(".gz")]
            with _opened(archive) as file:
                tree.write(beside, _pieces(file, spend))
    except _DAMAGE as error:
        raise Unfit(f"it cannot be unpacked: {error or 'it is damaged'}") from error


def _unpack_tar(archive: Path, tree: FileTree, spend: Spend, most_entries: int) -> None:
    with _opened(archive) as file, tarfile.open(fileobj=file, mode="r|") as tar:
        for count, entry in enumerate(tar, 1):
            _count(count, most_entries)
            if entry.isdir():
                tree.folder(entry.name)
            elif entry.issym():
                tree.symlink(entry.name, entry.linkname)
            elif entry.islnk():
                tree.hard_link(entry.name, entry.linkname)
            elif entry.isreg():
                content = tar.extractfile(entry)
                if content is not None:
                    tree.write(entry.name, _pieces(content, spend), _mode(entry.mode))
            else:
                raise Unfit(f"{entry.name!r} in it is a device or the like, which no task gets")


def _opened(archive: Path) -> IO[bytes]:
    name = archive.name.lower()
    if name.endswith("gz"):
        return cast(IO[bytes], gzip.open(archive))
    if name.endswith("bz2"):
        return bz2.open(archive)
    return lzma.open(archive) if name.endswith("xz") else open(archive, "rb")


def _unpack_zip(archive: Path, tree: FileTree, spend: Spend, most_entries: int) -> None:
    with zipfile.ZipFile(archive) as zipped:
        for count, entry in enumerate(zipped.infolist(), 1):
            _count(count, most_entries)
            mode = entry.external_attr >> 16
            if entry.is_dir():
                tree.folder(entry.filename)
                continue
            with zipped.open(entry) as content:
                if stat.S_ISLNK(mode):
                    tree.symlink(entry.filename, content.read(4096).decode("utf-8", "surrogateescape"))
                else:
                    tree.write(entry.filename, _pieces(content, spend), _mode(mode or 0o644))


def _count(count: int, most_entries: int) -> None:
    if count > most_entries:
        raise Unfit(f"it has more than {most_entries} entries")


def _mode(mode: int) -> int:
    """Its user may always read and write; no other may write; no special bits."""
    return (mode & 0o755) | 0o600


def _pieces(content: IO[bytes], spend: Spend) -> Iterator[bytes]:
    while piece := content.read(CHUNK_BYTES):
        spend(len(piece))
        yield piece
