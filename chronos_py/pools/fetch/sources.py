"""Where the files come from that tasks fetch: web servers, this machine, and whatever fsspec opens."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

import fsspec
import requests
import urllib3

from chronos_py.pools.fetch.file_tree import Unfit
from chronos_py.pools.process.documents import Account

CHUNK_BYTES = 1 << 18
CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 60.0  # a server that sends nothing for so long has stopped


@dataclass(frozen=True, slots=True)
class Validators:
    """By what a server tells whether a copy is still what it has."""

    etag: str = ""
    last_modified: str = ""

    @property
    def headers(self) -> dict[str, str]:
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in headers.items() if value}


@dataclass(frozen=True, slots=True)
class Source:
    """An open file; ``is_unchanged``: the copy that the validators stand for is current, and nothing is sent."""

    chunks: Iterator[bytes]
    validators: Validators = Validators()
    is_unchanged: bool = False


# Opens a file of this machine by its path. Raises Unfit.
LocalFiles = Callable[[str], AbstractContextManager[Iterator[bytes]]]


def is_local(uri: str) -> bool:
    return uri.startswith(("/", "file:", "local:"))


@contextmanager
def open_source(uri: str, known: Validators, local_files: LocalFiles) -> Iterator[Source]:
    """Open what a URI names. Raises Unfit in words for what goes wrong, also while it is read within."""
    if is_local(uri):
        with local_files(uri if uri.startswith("/") else unquote(urlsplit(uri).path)) as chunks:
            yield Source(chunks)
    elif uri.lower().startswith(("http:", "https:")):
        with _web(uri, known) as source:
            yield source
    else:
        with _other(uri) as source:
            yield source


@contextmanager
def _web(uri: str, known: Validators) -> Iterator[Source]:
    try:
        with (
            _session(uri) as session,
            session.get(
                uri,
                headers={"Accept-Encoding": "identity", **known.headers},
                stream=True,
                timeout=(CONNECT_SECONDS, SILENCE_SECONDS),
            ) as answer,
        ):
            is_unchanged = answer.status_code == requests.codes.not_modified and bool(known.headers)
            if not is_unchanged and answer.status_code != requests.codes.ok:
                raise Unfit(f"the server answers {answer.status_code} {answer.reason or ''}".rstrip())
            validators = Validators(answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", ""))
            yield Source(_as_it_comes(answer.raw), validators, is_unchanged)
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise Unfit("the server does not answer in time") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise Unfit(f"the transfer failed ({_kind(error)})") from error
    except UnicodeError as error:
        raise Unfit("its host is no name that can be looked up") from error


def _session(uri: str) -> requests.Session:
    """With the proxies and certificates that the server's environment names, but not the passwords in its .netrc."""
    session = requests.Session()
    session.trust_env = False
    session.proxies.update(requests.utils.get_environ_proxies(uri))
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    return session


def _as_it_comes(body: urllib3.HTTPResponse) -> Iterator[bytes]:
    """What has arrived, piece by piece: whoever waits for full ones can't see that a trickle takes too long."""
    while chunk := body.read1(CHUNK_BYTES, decode_content=False):
        yield chunk


def _kind(error: BaseException) -> str:
    """What kind of failure it was, in words. Its own text is no use: it repeats the URI with its secrets."""
    words = {"ConnectionError": "no connection", "IncompleteRead": "it broke off", "ProtocolError": "it broke off"}
    name = type(error).__name__
    return words.get(name, name)


@contextmanager
def _other(uri: str) -> Iterator[Source]:
    scheme = uri.partition(":")[0]
    if "://" not in uri or "::" in uri:
        raise Unfit("it is neither a path nor a URI with one scheme, such as https://")
    try:
        files, path = fsspec.core.url_to_fs(uri)
        file = files.open(path, "rb")
    except ImportError as error:
        raise Unfit(f"{scheme} needs a package that is not installed here: {error}") from error
    except Exception as error:  # file systems of many authors raise what they like
        raise Unfit(f"{scheme} cannot open it ({_words(error, uri)})") from error
    with file:
        yield Source(_read_through(file, scheme, uri))


def _read_through(file: BinaryIO, scheme: str, uri: str) -> Iterator[bytes]:
    try:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
    except Exception as error:  # see above
        raise Unfit(f"{scheme} cannot read it ({_words(error, uri)})") from error


def _words(error: BaseException, uri: str) -> str:
    """An error's own words, unless they quote the URI, in which there may be secrets."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    own = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = " ".join(own.split()).rstrip(".")
    secret = urlsplit(uri).password or uri
    return text[:200] if text and uri not in text and secret not in text else type(error).__name__


# ---------------------------------------------------------------------------------------------- this machine


@contextmanager
def own_files(path: str) -> Iterator[Iterator[bytes]]:
    """A regular file of this machine, as the server's own user."""
    _require_file(path)
    try:
        with open(path, "rb") as file:
            yield iter(lambda: file.read(CHUNK_BYTES), b"")
    except OSError as error:
        raise Unfit(error.strerror or str(error)) from error


def files_of(account: Account | None) -> LocalFiles:
    """Files of this machine that another user may read: a job gets at nothing that its own user could not."""
    if account is None:
        return own_files

    @contextmanager
    def read_as(path: str) -> Iterator[Iterator[bytes]]:
        _require_file(path)
        with subprocess.Popen(
            ["/bin/cat", "--", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"LC_ALL": "C"},
            cwd="/",
            user=account["uid"],
            group=account["gid"],
            extra_groups=account["groups"],
        ) as reader:
            try:
                yield _output_of(reader)
            finally:
                reader.kill()

    return read_as


def _output_of(reader: subprocess.Popen[bytes]) -> Iterator[bytes]:
    assert reader.stdout is not None
    assert reader.stderr is not None
    while chunk := reader.stdout.read(CHUNK_BYTES):
        yield chunk
    words = reader.stderr.read(1000).decode("utf-8", "replace").strip()
    if reader.wait() != 0:
        raise Unfit(words.rpartition(": ")[2] or "it cannot be read")


def _require_file(path: str) -> None:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Unfit("it is no regular file")
    except (OSError, ValueError) as error:
        raise Unfit(getattr(error, "strerror", None) or str(error)) from error
