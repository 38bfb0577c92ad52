"""Long texts are compressed for those who take it, and caches can tell both forms apart."""

from __future__ import annotations

import gzip

import pytest
import requests
from flask import Flask

from chronos_py.http import bind, create_wsgi_app
from chronos_py.services import Application
from tests.server.client import Client, client_of
from tests.server.web import define

GZIP = {"Accept-Encoding": "deflate, gzip;q=0.5"}


@pytest.fixture
def large(application: Application, client: Client) -> Client:
    define(application, "large", description="x" * 5000)
    return client


@pytest.mark.parametrize(
    "address",
    ["/api/jobs", "/api/jobs/large", "/v1/scheduler/jobs", "/", "/static/style.css", "/api/openapi.json"],
)
def test_long_answers(large: Client, address: str) -> None:
    plain, packed = large.get(address), large.get(address, headers=GZIP)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.content_length == len(packed.data) < len(plain.data)
    for answer in (plain, packed):
        assert "Accept-Encoding" in answer.vary
    assert gzip.decompress(packed.data) == plain.data


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "*;q=0", "deflate"])
def test_those_who_do_not_take_it(large: Client, accepted: str) -> None:
    assert "Content-Encoding" not in large.get("/api/jobs", headers={"Accept-Encoding": accepted}).headers


def test_short_and_empty_answers_stay_as_they_are(large: Client) -> None:
    for answer in (
        large.get("/ping", headers=GZIP),
        large.get("/api/leader", headers=GZIP),
        large.put("/scheduler/job/large", headers=GZIP),
        large.get("/api/nothing", headers=GZIP),
    ):
        assert "Content-Encoding" not in answer.headers
    head = large.open("/api/jobs", method="HEAD", headers=GZIP)
    assert "Content-Encoding" not in head.headers
    assert "Accept-Encoding" in head.vary


def test_tags_of_compressed_answers_are_weak_and_still_good(large: Client) -> None:
    shown = large.get("/api/jobs/large", headers=GZIP)
    tag = shown.headers["ETag"]
    assert tag == 'W/"1"'
    assert large.patch("/api/jobs/large", json={"retries": 1}, headers={"If-Match": tag}).status_code == 200
    assert large.patch("/api/jobs/large", json={"retries": 0}, headers={"If-Match": tag}).status_code == 412
    page = large.get("/", headers=GZIP)
    assert page.headers["ETag"].startswith("W/")
    again = large.get("/", headers={**GZIP, "If-None-Match": page.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    style = large.get("/static/style.css", headers=GZIP)
    assert large.get("/static/style.css", headers={"If-None-Match": style.headers["ETag"]}).status_code == 304


def test_parts_of_files_are_not_compressed(large: Client) -> None:
    part = large.get("/static/style.css", headers={**GZIP, "Range": "bytes=0-2000"})
    assert part.status_code == 206
    assert "Content-Encoding" not in part.headers
    assert len(part.data) == 2001


def test_it_can_be_turned_off(large: Client, application: Application) -> None:
    client = client_of(create_wsgi_app(application, compression=False))
    assert "Content-Encoding" not in client.get("/api/jobs", headers=GZIP).headers


def test_over_the_wire(large: Client, wsgi: Flask) -> None:
    server = bind("127.0.0.1:0")
    server.start(wsgi)
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(f"http://{server.address}/scheduler/jobs", timeout=60)
    server.close()
    assert answer.headers["Content-Encoding"] == "gzip"
    assert int(answer.headers["Content-Length"]) < 5000 < len(answer.content)
    assert answer.json()[0]["name"] == "large"
