"""The site below a path of another one: with the path and without it, and every address begins with it."""

from __future__ import annotations

import re

import pytest

from chronos_py.errors import ConfigurationError
from chronos_py.http import create_wsgi_app
from chronos_py.services import Application
from tests.server.client import Client, client_of
from tests.server.web import define

BASE = "/service/chronos"


@pytest.fixture
def below(application: Application) -> Client:
    define(application, "a b")
    return client_of(create_wsgi_app(application, base_path=BASE))


@pytest.mark.parametrize("path", [BASE, ""])
def test_with_the_path_and_without_it(below: Client, path: str) -> None:
    assert below.get(f"{path}/api/jobs").json["jobs"][0]["name"] == "a b"
    assert below.get(f"{path}/v1/scheduler/jobs").json[0]["name"] == "a b"
    assert below.get(f"{path}/ping").text == "pong\n"
    assert below.put(f"{path}/scheduler/job/a%20b").status_code == 204
    assert below.get(f"{path}/nothing").status_code == 404
    other = below.post(f"{path}/scheduler/iso8601", json={}, headers={"Origin": "http://evil.example"})
    assert other.status_code == 403


@pytest.mark.parametrize("path", ["/", "/jobs/new", "/jobs/a%20b", "/cluster", "/limits", "/calendars", "/api/docs"])
def test_every_address_in_a_page_begins_with_it(below: Client, path: str) -> None:
    for prefix in (BASE, ""):
        page = below.get(prefix + path, follow_redirects=True).text
        links = re.findall(r'(?:href|src|action)="(/[^"]*)"', page)
        assert links
        assert [link for link in links if not link.startswith(BASE + "/")] == []
        assert f"{BASE}{BASE}" not in page
        for link in links:
            if "/static/" in link:
                assert below.get(link).status_code == 200, link


def test_text_is_left_alone(below: Client, application: Application) -> None:
    define(application, "quoted", command='<a href="/jobs/x">', description='href="/jobs/y"')
    page = below.get(f"{BASE}/jobs/quoted").text
    assert "/jobs/x" in page
    assert f"{BASE}/jobs/x" not in page
    assert f"{BASE}/jobs/y" not in page


def test_redirects(below: Client) -> None:
    made = below.post(f"{BASE}/jobs/new", data={"name": "made", "command": "true", "kind": "manual"})
    assert (made.status_code, made.headers["Location"]) == (303, f"{BASE}/jobs/made")


@pytest.mark.parametrize("base_path", ["/jobs", "/api", "/scheduler/x", "/static"])
def test_an_address_of_our_own_is_no_base_path(application: Application, base_path: str) -> None:
    with pytest.raises(ConfigurationError, match=f"base-path {base_path} is an address of this server itself"):
        create_wsgi_app(application, base_path=base_path)
