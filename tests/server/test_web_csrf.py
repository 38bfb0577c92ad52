"""Forms are taken from our own pages only: the token of a form must be the one of the browser's cookie."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chronos_py.services import Application, jobs
from chronos_py.web import csrf
from tests.server.web import define, text_of


@pytest.fixture
def browser(wsgi: Flask) -> FlaskClient:
    """Sends what it is told and no more."""
    return FlaskClient(wsgi, response_wrapper=wsgi.response_class)


def token_in(page: str) -> str:
    found = re.search(f'<input type="hidden" name="{csrf.FIELD}" value="([^"]+)">', page)
    assert found is not None
    return found[1]


def is_paused(application: Application) -> bool:
    return jobs.get_job(application, "job").job.definition.disabled


def test_a_form_of_ours_is_taken_again_and_again(browser: FlaskClient, application: Application) -> None:
    define(application, "job")
    token = token_in(browser.get("/jobs/job").text)
    assert token_in(browser.get("/jobs/job").text) == token
    assert browser.post("/jobs/job/pause", data={csrf.FIELD: token}).status_code == 303
    assert browser.post("/jobs/job/resume", headers={csrf.HEADER: token}).status_code == 303
    assert not is_paused(application)


@pytest.mark.parametrize("token", ["", "another", "ä", "x" * 500])
@pytest.mark.parametrize("cookie", [None, "", "mine", "x" * 500])
def test_any_other_is_refused_with_what_was_typed(
    browser: FlaskClient, application: Application, token: str, cookie: str | None
) -> None:
    define(application, "job")
    if cookie is not None:
        browser.set_cookie(csrf.COOKIE, cookie)
    answer = browser.post("/jobs/job/pause", data={csrf.FIELD: token, "note": "long <b>text</b>"})
    assert answer.status_code == 403
    assert "This form is out of date" in text_of(answer.text)
    assert "long &lt;b&gt;text&lt;/b&gt;" in answer.text
    assert not is_paused(application)


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        ("http://localhost/jobs/job?a=b", "/jobs/job?a=b"),
        ("http://localhost//evil.example", "/evil.example"),
        ("http://evil.example/jobs/job", "/"),
        ("", "/"),
    ],
)
def test_the_way_back_is_a_page_of_ours(browser: FlaskClient, referer: str, back: str) -> None:
    answer = browser.post("/jobs/job/pause", headers={"Referer": referer})
    assert f'href="{back}">Load the page again' in answer.text


def test_the_cookie_is_for_the_server_alone(browser: FlaskClient, application: Application) -> None:
    define(application, "job")
    cookie = browser.get("/jobs/job").headers["Set-Cookie"]
    assert cookie.startswith(f"{csrf.COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_programs_need_no_token(browser: FlaskClient, application: Application) -> None:
    define(application, "job")
    assert browser.post("/api/jobs/job/runs", json={}).status_code == 202
    assert browser.put("/v1/scheduler/job/job").status_code == 204


def test_every_form_that_posts_carries_the_token(wsgi: Flask) -> None:
    loader = wsgi.jinja_env.loader
    assert loader is not None
    for name in loader.list_templates():
        source = loader.get_source(wsgi.jinja_env, name)[0]
        for form in re.findall(r'<form method="post".*?</form>', source, re.DOTALL):
            assert "{{ csrf() }}" in form, (name, form)
