"""The pages of calendars: define, look at, change, delete."""

from __future__ import annotations

import re
from typing import Any

import pytest

from chronos_py.services import Application, calendars, jobs
from tests.server.client import Client
from tests.server.html_form import read_form

EVIL = "<script>alert(1)</script>"
PLANT: dict[str, Any] = {
    "name": "plant",
    "description": "when the plant is closed",
    "dates": ["2026-08-14", {"date": "12-24", "name": "Christmas Eve"}, {"date": "2026-12-31", "name": "two\nlines"}],
    "weekdays": ["sunday"],
    "includes": ["DE-BY"],
    "exceptDates": ["2026-11-01"],
}


@pytest.fixture
def plant(application: Application) -> None:
    calendars.save_calendar(application, "plant", PLANT)


@pytest.fixture
def obeying(application: Application, plant: None) -> None:
    jobs.save_job(
        application,
        {"name": "night shift", "command": "true", "schedule": "0 3 * * *", "excludeCalendars": ["plant"]},
    )


def test_the_pages_work_while_there_is_nothing(client: Client) -> None:
    page = client.get("/calendars").text
    assert "No calendars of your own yet" in page
    assert "DE-BY" in page
    assert re.search('<a href="/calendars"[^>]*>Calendars</a>', client.get("/").text)
    assert client.get("/calendars/new").status_code == 200


def test_the_list_says_what_there_is_and_who_obeys(client: Client, obeying: None) -> None:
    page = client.get("/calendars").text
    assert "when the plant is closed" in page
    assert '<a href="/jobs/night%20shift">night shift</a>' in page


def test_the_days_of_a_year_are_shown_with_their_names(client: Client, obeying: None) -> None:
    page = client.get("/calendars/plant?year=2026").text
    assert re.search(r'<td class="in" title="Christmas Eve">24<span class="hidden"> Christmas Eve</span></td>', page)
    assert "Thu 2026-12-24</time> Christmas Eve" in page
    assert "Sun 2026-11-01" not in page  # its exceptDates say so
    assert "Thu 2026-01-01" in page  # its includes do
    assert '<a href="/jobs/night%20shift">night shift</a>' in page
    assert 'href="/calendars/plant?year=2025"' in page
    assert 'href="/calendars/plant?year=2027"' in page


def test_the_form_defines_a_calendar(client: Client, application: Application) -> None:
    form = {
        "name": "plant",
        "description": "when the plant is closed",
        "includes": "DE-BY",
        "weekdays": ["saturday", "sunday"],
        "dates": "2026-08-14\r\n\r\n12-24 Christmas Eve",
        "exceptDates": "2026-11-01",
    }
    answer = client.post("/calendars/new", data=form)
    assert (answer.status_code, answer.location) == (303, "/calendars/plant")
    assert calendars.list_calendars(application)[0].document == {
        "name": "plant",
        "description": "when the plant is closed",
        "dates": ["2026-08-14", {"date": "12-24", "name": "Christmas Eve"}],
        "weekdays": ["saturday", "sunday"],
        "includes": ["DE-BY"],
        "exceptDates": ["2026-11-01"],
    }


def test_saving_an_untouched_form_changes_nothing(client: Client, application: Application, plant: None) -> None:
    form = read_form(client.get("/calendars/plant/edit").text)
    assert client.post("/calendars/plant/edit", data=form).status_code == 303
    stored = calendars.list_calendars(application)[0]
    assert (stored.document, stored.revision) == (PLANT, 1)


@pytest.mark.parametrize(
    ("fields", "at", "sentence"),
    [
        ({"name": ""}, "name", "is not allowed for a calendar"),
        ({"name": "a/b"}, "name", "is not allowed for a calendar"),
        ({"name": "new"}, "name", "choose another one"),
        ({"name": "DE"}, "name", "that of a built-in calendar"),
        ({"name": "plant"}, "name", "There is a calendar &#34;plant&#34; already"),
        ({"dates": "", "weekdays": []}, "dates", "has no day"),
        ({"dates": "2026-12-24\r\n\r\n2026-13-01 no month"}, "dates", "Line 3: dates[1] is &#34;2026-13-01&#34;"),
        ({"exceptDates": "\r\nChristmas"}, "exceptDates", "Line 2: exceptDates[0] is"),
        ({"includes": "DE, Mars"}, "includes", "includes[1] is &#34;Mars&#34;"),
        ({"weekdays": "someday"}, "weekdays", "the English name of a weekday"),
    ],
)
def test_an_error_stands_at_its_field_and_keeps_what_was_typed(
    client: Client, application: Application, plant: None, fields: dict[str, Any], at: str, sentence: str
) -> None:
    typed: dict[str, Any] = {
        "name": "mine",
        "description": "typed",
        "dates": "12-24",
        "weekdays": ["monday"],
        **fields,
    }
    answer = client.post("/calendars/new", data=typed)
    assert answer.status_code in (400, 412)
    assert sentence in answer.text[answer.text.index(f'id="{at}-wrong"') :].partition("</p>")[0]
    form = read_form(answer.text)
    assert (form["name"], form["description"], form["dates"]) == (typed["name"], "typed", typed["dates"])
    assert form.get("weekdays", []) == (typed["weekdays"] if at != "weekdays" else [])
    assert [calendar.name for calendar in calendars.list_calendars(application)] == ["plant"]


def test_an_edit_on_top_of_another_is_refused_with_what_was_typed(
    client: Client, application: Application, plant: None
) -> None:
    form = read_form(client.get("/calendars/plant/edit").text)
    calendars.save_calendar(application, "plant", {"dates": ["2027-01-02"]})
    answer = client.post("/calendars/plant/edit", data={**form, "dates": "2026-02-03 mine"})
    assert answer.status_code == 412
    assert "changed by someone else" in answer.text
    assert read_form(answer.text)["dates"] == "2026-02-03 mine"
    assert calendars.list_calendars(application)[0].document["dates"] == ["2027-01-02"]


def test_deleting_asks_first_and_is_refused_while_a_job_obeys(
    client: Client, application: Application, obeying: None
) -> None:
    assert "Delete plant?" in client.get("/calendars/plant/delete").text
    answer = client.post("/calendars/plant/delete")
    assert answer.status_code == 409
    assert "is obeyed by night shift" in answer.text
    jobs.delete_job(application, "night shift")
    answer = client.post("/calendars/plant/delete")
    assert (answer.status_code, answer.location) == (303, "/calendars")
    assert calendars.list_calendars(application) == []


def test_built_in_calendars_are_looked_up_and_stay_as_they_are(client: Client) -> None:
    found = client.get("/calendars?name=DE-BY&year=2026")
    assert (found.status_code, found.location) == (303, "/calendars/DE-BY?year=2026")
    page = client.get(found.location).text
    assert "Tue 2026-01-06" in page
    assert "/calendars/DE-BY/edit" not in page
    assert client.get("/calendars/DE-BY/edit").status_code == 409
    assert client.post("/calendars/DE-BY/edit", data={"dates": "12-24"}).status_code == 409
    assert client.post("/calendars/DE-BY/delete").status_code == 409


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("name=Mars&year=2026", 404, "Calendar &#34;Mars&#34; not found"),
        ("name=DE&year=soon", 400, "year is &#34;soon&#34;"),
        ("name=DE&year=0", 400, "from 1 to 9999"),
        ("name=DE&year=99999999999999999999999", 400, "from 1 to 9999"),
        ("name=a/b", 404, "not found"),
    ],
)
def test_a_wrong_look_up_says_so_at_the_form(client: Client, query: str, status: int, sentence: str) -> None:
    answer = client.get(f"/calendars?{query}")
    assert answer.status_code == status
    assert sentence in answer.text
    assert "Show its days" in answer.text


@pytest.mark.parametrize("path", ["/calendars/nothing", "/calendars/nothing/edit", "/calendars/nothing/delete"])
def test_what_is_not_there_is_a_page_that_says_so(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404
    assert client.post("/calendars/nothing/delete").status_code == 404


@pytest.mark.parametrize("year", ["1", "9999", "٢٠٢٦", "²"])
def test_years_at_the_edges_and_other_digits_do_no_harm(client: Client, year: str) -> None:
    assert client.get(f"/calendars/weekends?year={year}").status_code == (200 if year.isascii() else 400)


def test_what_calendars_say_stays_text(client: Client, application: Application) -> None:
    calendars.save_calendar(
        application, "evil", {"description": EVIL, "dates": [{"date": "2026-12-24", "name": EVIL}]}, EVIL
    )
    for path in ("/calendars", "/calendars/evil?year=2026", "/calendars/evil/edit", "/calendars/evil/delete"):
        assert EVIL not in client.get(path).text
