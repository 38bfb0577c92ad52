"""An image with this machine's Python and what our package needs, made without pulling anything."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import sysconfig
import tarfile
from importlib import metadata
from pathlib import Path

from tests.pools.swarm_hosts import busybox_image

NEEDED = "/needed"
SETTINGS = [f"ENV PYTHONPATH={NEEDED}", f"ENV PATH={sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin"]
# What a Python that may be installed into has not, and what nothing of ours imports.
_LEFT_OUT = {
    "EXTERNALLY-MANAGED",
    "__pycache__",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "site-packages",
    "dist-packages",
}


def python_image() -> bytes:
    """A root folder: busybox, Python where it is here, and the needed distributions, pip too, in ``/needed``."""
    archive = io.BytesIO(busybox_image())
    archive.seek(0)
    with tarfile.open(fileobj=archive, mode="a") as tar:
        program = Path(sys.executable).resolve()
        library = Path(sysconfig.get_path("stdlib"))
        tar.add(program, str(program).lstrip("/"))
        tar.add(library, str(library).lstrip("/"), filter=_wanted)
        link = tarfile.TarInfo("bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, str(program)
        tar.addfile(link)
        modules = list(library.glob("lib-dynload/*.so"))
        for name in sorted(_closure("chronos-py", set()) | {"pip", "setuptools"} - {"chronos-py"}):
            for file in metadata.distribution(name).files or ():
                path = Path(str(metadata.distribution(name).locate_file(file)))
                if ".." not in file.parts and path.suffix != ".pyc" and path.is_file():
                    tar.add(path, f"{NEEDED}/{file}".lstrip("/"))
                    modules += [path] if ".so" in path.suffixes and ".libs" not in str(file) else []
        for place in _libraries([program, *modules]):
            tar.add(place.resolve(), str(place).lstrip("/"))
    return archive.getvalue()


def _wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if Path(entry.name).name in _LEFT_OUT else entry


def _libraries(programs: list[Path]) -> set[Path]:
    """The shared libraries that programs are linked against, by the paths that they are looked for."""
    shown = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    found = {Path(place) for place in re.findall(r"(/\S+)(?= \(0x)", shown)}
    return {place for place in found if ".libs" not in str(place)}  # which a distribution brings


def _closure(name: str, seen: set[str]) -> set[str]:
    """A distribution and all that it needs here."""
    plain = re.sub(r"[-_.]+", "-", name).lower()
    if plain in seen:
        return seen
    try:
        requirements = metadata.distribution(plain).requires or []
    except metadata.PackageNotFoundError:  # one for another kind of machine
        return seen
    seen.add(plain)
    for requirement in requirements:
        if "extra ==" not in requirement or "binary" in requirement:
            _closure(re.split(r"[^\w.-]", requirement, maxsplit=1)[0], seen)
    return seen
