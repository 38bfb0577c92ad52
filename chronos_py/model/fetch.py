"""Files that a task finds in its working directory when it begins."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from posixpath import basename, isabs
from urllib.parse import unquote, urlsplit

from chronos_py.model.reader import Reader

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".zip", ".gz")
MOST_FILES = 100
MOST_CHARACTERS = 4096

_COMMAND_URI = re.compile(r"(https?|ftp)://\S+")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*(?=@)")


@dataclass(frozen=True, slots=True)
class Fetch:
    """One file. What is ``executable`` is not unpacked; ``output_file`` is a path in the working directory.

    ``extract`` unpacks an archive there, by the ending of the name it gets; the archive stays beside it. ``cache``
    lets a pool use a copy that it knows to be current.
    """

    uri: str
    extract: bool = True
    executable: bool = False
    cache: bool = False
    output_file: str = ""

    @property
    def path(self) -> str:
        """Where it goes in the working directory: the last part of the URI's path, unless it is told otherwise."""
        return self.output_file or file_name(self.uri)

    @property
    def shown_uri(self) -> str:
        """The URI without what may be secret in it: a user's password, and a query."""
        before, question, _ = self.uri.partition("?")
        return _CREDENTIALS.sub("***", before) + ("?..." if question else "")


def file_name(uri: str) -> str:
    """The last part of a URI's path, "" when it has none that could name a file."""
    try:
        name = basename(unquote(urlsplit(uri).path))
    except ValueError:  # no URI at all
        return ""
    return "" if name in (".", "..") or "\x00" in name else name


def command_fetch(command: str) -> Fetch | None:
    """The program that a command means which is nothing but a URI of http, https or ftp; else None."""
    if not _COMMAND_URI.fullmatch(command):
        return None
    return Fetch(command, extract=False, executable=True)


def read_fetch(read: Reader) -> tuple[Fetch, ...]:
    """What ``fetch``, and ``uris`` beside it, ask for. Raises InvalidDefinition."""
    wanted = [_read_entry(entry) for entry in read.objects("fetch")]
    for index, uri in enumerate(read.texts("uris")):
        wanted.append(_checked(Fetch(uri.strip()), Reader({f"uris[{index}]": uri}), f"uris[{index}]"))
    _refuse_crowds(wanted, read)
    return tuple(dict.fromkeys(wanted))


def _read_entry(read: Reader) -> Fetch:
    fetch = Fetch(
        uri=read.text("uri").strip(),
        extract=read.boolean("extract", True),
        executable=read.boolean("executable", False),
        cache=read.boolean("cache", False),
        output_file=read.text("output_file"),
    )
    parts = fetch.output_file.split("/")
    if isabs(fetch.output_file) or ".." in parts or (fetch.output_file and parts[-1] in ("", ".")):
        read.refuse("output_file", 'a path in the working directory, without a leading / and without ".."')
    return _checked(fetch, read, "uri")


def _checked(fetch: Fetch, read: Reader, field: str) -> Fetch:
    has_blank = any(character.isspace() for character in fetch.uri)
    if not fetch.uri or has_blank or len(fetch.uri) > MOST_CHARACTERS or "\x00" in fetch.uri:
        read.refuse(field, f"a URI without blanks, of at most {MOST_CHARACTERS} characters")
    if not fetch.path:
        read.refuse(field, "a URI whose path ends with the name of a file, or output_file must give one")
    return fetch


def _refuse_crowds(wanted: Sequence[Fetch], read: Reader) -> None:
    if len(wanted) > MOST_FILES:
        read.refuse("fetch" if read.document.get("fetch") else "uris", f"at most {MOST_FILES} files")
