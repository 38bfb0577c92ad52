"""The page of the limits: what is taken, who shares them, and the form."""

from __future__ import annotations

import re

import pytest

from chronos_py.model.run import RunState
from chronos_py.services import Application, limits, runs
from chronos_py.store import runs as stored
from tests.server.client import Client
from tests.server.html_form import read_form
from tests.server.web import define, text_of

EVIL = "<b onclick=alert(1)>"
TYPED = {"name": "warehouse-db", "units": "3", "description": "at night"}


def test_without_limits_the_page_says_what_they_are_for(client: Client) -> None:
    page = client.get("/limits").text
    assert "No limit yet" in page
    assert 'href="/limits/new"' in page
    for path in ("/cluster", "/jobs/new"):
        assert 'href="/limits"' in client.get(path).text


def test_a_limit_is_created_changed_and_deleted(client: Client, application: Application) -> None:
    answer = client.post("/limits/new", data=TYPED)
    assert (answer.status_code, answer.location) == (303, "/limits#warehouse-db")
    limit = limits.get_limit(application, "warehouse-db").limit
    assert (limit.units, limit.description) == (3, "at night")
    form = read_form(client.get("/limits/warehouse-db/edit").text)
    assert form == {"units": "3", "description": "at night"}
    assert client.post("/limits/warehouse-db/edit", data={**form, "units": " 5 "}).status_code == 303
    assert limits.get_limit(application, "warehouse-db").limit.units == 5
    assert "No job shares it." in client.get("/limits/warehouse-db/delete").text
    assert client.post("/limits/warehouse-db/delete").location == "/limits"
    assert limits.list_limits(application) == []


def test_the_table_shows_what_is_taken_and_who_shares_it(client: Client, application: Application) -> None:
    limits.set_limit(application, "slots", 4, EVIL, "ann")
    for name in ("load data", "other"):
        define(application, name, concurrencyLimits=[{"name": "slots", "units": 3}])
    run = runs.run_now(application, "other")
    with application.database.write() as connection:
        assert stored.start_run(connection, run.id, 1, run.revision)
    assert runs.get_run(application, run.id).run.state is RunState.STARTING
    page = client.get("/limits").text
    assert re.search(r'<meter max="4" value="3" aria-label="Taken of slots"', page)
    assert "3 of 4" in text_of(page)
    assert '<a href="/jobs/load%20data">load data</a>, <a href="/jobs/other">other</a>' in page
    assert "by ann" in page
    assert EVIL not in page
    waiting = runs.run_now(application, "load data")
    assert "Waits for limit slots: 3 of 4 are taken, and it needs 3." in client.get(f"/runs/{waiting.id}").text
    assert "<code>slots</code>" in client.get("/jobs/new").text


def test_a_shared_limit_is_not_deleted_and_names_the_jobs(client: Client, application: Application) -> None:
    limits.set_limit(application, "slots", 1)
    define(application, "load", concurrencyLimits=["slots"])
    assert '<a href="/jobs/load/edit">load</a>' in client.get("/limits/slots/delete").text
    answer = client.post("/limits/slots/delete")
    assert answer.status_code == 409
    assert "is shared by load" in answer.text
    assert len(limits.list_limits(application)) == 1


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("name", "", "is not allowed for a limit"),
        ("name", "a b", "is not allowed for a limit"),
        ("name", "x" * 101, "is not allowed for a limit"),
        ("units", "", "must be a whole number such as 3"),
        ("units", "0", "must be from 1 to"),
        ("units", "1.5", "must be a whole number such as 3"),
        ("units", "9" * 30, "must be from 1 to"),
        ("units", "9" * 5000, "must be a whole number such as 3"),
        ("description", "a\0b", "NUL character"),
    ],
)
def test_a_wrong_limit_comes_back_with_the_reason(
    client: Client, application: Application, field: str, text: str, sentence: str
) -> None:
    answer = client.post("/limits/new", data={**TYPED, field: text})
    assert answer.status_code == 400
    assert sentence in answer.text[answer.text.index(f'id="{field}-wrong"') :].partition("</p>")[0]
    assert read_form(answer.text)["description" if field != "description" else "units"] in ("at night", "3")
    assert limits.list_limits(application) == []


def test_a_new_limit_takes_no_name_that_is_in_use(client: Client, application: Application) -> None:
    limits.set_limit(application, "warehouse-db", 1)
    answer = client.post("/limits/new", data=TYPED)
    assert answer.status_code == 409
    assert "already" in answer.text
    assert limits.get_limit(application, "warehouse-db").limit.units == 1


@pytest.mark.parametrize("path", ["/limits/nobody/edit", "/limits/nobody/delete"])
def test_a_limit_that_is_not_there_is_not_found(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404
    assert client.post(path, data={"units": "1"}).status_code == 404
