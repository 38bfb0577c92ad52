"""A web server on loopback whose files a test makes, and what it was asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """``files`` by path; ``etags`` for those that have one; ``endless`` paths send a byte at a time for ever."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    endless: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    requests: list[tuple[str, int]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    on_request: Callable[[], None] = lambda: None

    def url(self, path: str) -> str:
        return f"http://{self.address}{path}"


@contextmanager
def serving() -> Iterator[FileServer]:
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            content = served.files.get(self.path.partition("?")[0])
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            served.on_request()
            served.authorizations.append(self.headers.get("Authorization", ""))
            etag = served.etags.get(path)
            if path in served.endless:
                return self.trickle(path)
            content = served.files.get(path)
            status = 404 if content is None else 200
            if etag is not None and self.headers.get("If-None-Match") == etag:
                status, content = 304, b""
            served.requests.append((path, status))
            self.send_response(status)
            if etag is not None:
                self.send_header("ETag", etag)
            if status == 200:
                self.send_header("Content-Length", str(len(content or b"") + 10 * (path in served.broken)))
            self.end_headers()
            self.wfile.write(content or b"")
            return None

        def trickle(self, path: str) -> None:
            served.requests.append((path, 200))
            self.send_response(200)
            self.end_headers()
            while not stop.is_set():
                try:
                    self.wfile.write(b".")
                    self.wfile.flush()
                except OSError:
                    return
                time.sleep(0.05)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = FileServer(f"127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
