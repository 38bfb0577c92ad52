"""A client of the application without a socket, whose answers are typed."""

from __future__ import annotations

import getpass
import os
from typing import Any, cast

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from chronos_py.web import csrf


class Answer(TestResponse):
    """An answer; ``json`` may be taken for whatever the test expects of it."""

    @property
    def json(self) -> Any:
        return super().json


TOKEN = "token-of-this-browser"
# Whom the tests run as, by name and by number: a server that is not root cannot run tasks as anybody else.
OWN_USER, OWN_NUMBER = getpass.getuser(), str(os.geteuid())


class Client(FlaskClient):
    """A browser that has seen a page, so that its forms carry the token of its cookie."""

    last: Answer | None = None

    def open(self, *args: Any, **options: Any) -> Answer:
        if options.get("method") == "POST":
            if self.get_cookie(csrf.COOKIE) is None:
                self.set_cookie(csrf.COOKIE, TOKEN)
            given = Headers(options.pop("headers", None))
            given.setdefault(csrf.HEADER, self._token())
            options["headers"] = given
        self.last = cast(Answer, super().open(*args, **options))
        return self.last

    @property
    def last_words(self) -> str:
        """What it was told last, so that a test that fails shows why."""
        if self.last is None:
            return ""
        text = self.last.data.decode("utf-8", "replace")  # which may be compressed
        return f"{self.last.request.method} {self.last.request.full_path}: {self.last.status}\n{text}"

    def _token(self) -> str:
        cookie = self.get_cookie(csrf.COOKIE)
        return cookie.value if cookie else ""

    def get(self, *args: Any, **options: Any) -> Answer:
        return self.open(*args, method="GET", **options)

    def put(self, *args: Any, **options: Any) -> Answer:
        return self.open(*args, method="PUT", **options)

    def post(self, *args: Any, **options: Any) -> Answer:
        return self.open(*args, method="POST", **options)

    def patch(self, *args: Any, **options: Any) -> Answer:
        return self.open(*args, method="PATCH", **options)

    def delete(self, *args: Any, **options: Any) -> Answer:
        return self.open(*args, method="DELETE", **options)


def client_of(wsgi: Flask) -> Client:
    wsgi.test_client_class = Client
    return cast(Client, wsgi.test_client())
