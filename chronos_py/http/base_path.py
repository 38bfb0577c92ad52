"""A path before all addresses, for a proxy that serves this site below one of its own.

The server answers with the path and without it: some proxies keep it, some take it away. Every address that it gives
away begins with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response, request

from chronos_py.errors import ConfigurationError

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class _BelowPath:
    def __init__(self, wsgi: Wsgi, base_path: str) -> None:
        self._wsgi = wsgi
        self._base_path = base_path

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == self._base_path or path.startswith(f"{self._base_path}/"):
            environ["PATH_INFO"] = path[len(self._base_path) :] or "/"
        environ["SCRIPT_NAME"] = self._base_path
        return self._wsgi(environ, start_response)


def serve_below(flask: Flask, base_path: str) -> None:
    """Let the site live below ``base_path``, such as ``/chronos``. Call it when all routes are known.

    Raises ConfigurationError where one of the site's own addresses begins like that.
    """
    own = {rule.rule.split("/")[1] for rule in flask.url_map.iter_rules()} - {""}
    if base_path.split("/")[1] in own:
        raise ConfigurationError(f"base-path {base_path} is an address of this server itself; choose another one.")
    flask.wsgi_app = _BelowPath(flask.wsgi_app, base_path)  # type: ignore[method-assign]
    segments = "|".join(sorted(map(re.escape, own)))
    # In text a quotation mark is always escaped, so this can only be an attribute of the page's own.
    link = re.compile(rf'((?:href|src|action|data-[\w-]+)=")(?=/(?:{segments})[/?#"])|((?:href|action)=")(?=/["?#])')

    def add_path(answer: Response) -> Response:
        location = answer.headers.get("Location", "")
        if location.startswith("/") and not location.startswith(("//", f"{base_path}/")):
            answer.headers["Location"] = base_path + location
        if answer.mimetype == "text/html" and not answer.is_streamed and request.script_root:
            answer.set_data(link.sub(lambda match: match[0] + base_path, answer.get_data(as_text=True)))
        return answer

    flask.after_request(add_path)
