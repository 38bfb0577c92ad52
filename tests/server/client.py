"""A client of the application without a socket, whose answers are typed."""

from __future__ import annotations

from typing import Any, cast

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse


class Answer(TestResponse):
    """An answer; ``json`` may be taken for whatever the test expects of it."""

    @property
    def json(self) -> Any:
        return super().json


class Client(FlaskClient):
    def open(self, *args: Any, **options: Any) -> Answer:
        return cast(Answer, super().open(*args, **options))

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
