"""A folder that is filled from files and archives of strangers: nothing is ever written outside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path


class Unfit(Exception):
    """What somebody sent can't be kept, for the reason in the words."""


class FileTree:
    """One folder that nobody else writes to meanwhile. Names are relative paths with slashes.

    Every method may raise OSError, and :class:`Unfit` for a name that leads out of the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def place(self, name: str) -> Path:
        """Where a name leads to, its folder made."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if not parts or name.startswith("/") or ".." in parts or "\x00" in name:
            raise Unfit(f"the name {name!r} leads out of the folder")
        folder = self.root.joinpath(*parts[:-1])
        if not folder.resolve().is_relative_to(self.root):  # through a link
            raise Unfit(f"the name {name!r} leads out of the folder")
        folder.mkdir(parents=True, exist_ok=True)
        return folder / parts[-1]

    def folder(self, name: str) -> None:
        if name.strip("./"):
            place = self.place(name)
            if place.is_symlink() or not place.is_dir():
                place.unlink(missing_ok=True)
                place.mkdir()

    def write(self, name: str, chunks: Iterable[bytes], mode: int = 0o644) -> Path:
        """A regular file, in the place of what is there under the name."""
        place = self._free(name)
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(handle, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            os.fchmod(handle, mode)
        return place

    def copy(self, name: str, source: Path) -> Path:
        place = self._free(name)
        shutil.copyfile(source, place)
        place.chmod(0o644)
        return place

    def symlink(self, name: str, target: str) -> None:
        place = self._free(name)
        if target.startswith("/") or not (place.parent / target).resolve().is_relative_to(self.root):
            raise Unfit(f"the link {name!r} leads out of the folder, to {target!r}")
        place.symlink_to(target)

    def hard_link(self, name: str, target: str) -> None:
        other = self.place(target)
        if other.is_symlink() or not other.is_file():
            raise Unfit(f"the link {name!r} leads to {target!r}, which is no file before it")
        if other != self.place(name):
            os.link(other, self._free(name))

    def _free(self, name: str) -> Path:
        place = self.place(name)
        if place.is_dir() and not place.is_symlink():
            raise Unfit(f"{name!r} is a folder already")
        place.unlink(missing_ok=True)
        return place
