"""Two people edit a job, a job goes away, a page gets too old: nothing is overwritten, nothing typed is lost."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chronos_py.services import Application, jobs
from chronos_py.web.form.merging import differences, merge
from tests.server.client import Client
from tests.server.html_form import Fields, read_form
from tests.server.web import define, text_of


def edit(client: Client, **changes: str) -> Fields:
    """The form of the job, with changes typed into it."""
    return {**read_form(client.get("/jobs/job/edit").text), **changes}


def document_of(application: Application, name: str = "job") -> dict[str, Any]:
    return dict(jobs.get_job(application, name).job.document)


def test_changes_of_other_fields_go_together(client: Client, application: Application) -> None:
    define(application, "job", labels={"team": "etl"}, rack={"x": 1})
    mine = edit(client, command="mine", **{"labels.7.key": "tier", "labels.7.value": "1"})
    jobs.patch_job(application, "job", {"retries": 7, "labels": {"of": "them"}}, "ann")
    answer = client.post("/jobs/job/edit", data=mine)
    assert answer.status_code == 412
    page = text_of(answer.text)
    assert "ann saved revision 2" in page
    assert "there is no field that you both changed" in page
    assert document_of(application)["command"] == "true"
    saved = client.post("/jobs/job/edit", data=read_form(answer.text))
    assert saved.status_code == 303
    assert document_of(application) == {
        "name": "job",
        "command": "mine",
        "retries": 7,
        "labels": {"team": "etl", "of": "them", "tier": "1"},
        "rack": {"x": 1},
    }


@pytest.mark.parametrize(("side", "command"), [("yours", "mine"), ("theirs", "theirs")])
def test_of_what_both_changed_one_is_chosen(
    client: Client, application: Application, side: str, command: str
) -> None:
    define(application, "job", retries=1)
    mine = edit(client, command="mine", retries="3")
    jobs.patch_job(application, "job", {"command": "theirs"})
    answer = client.post("/jobs/job/edit", data=mine)
    row = answer.text[answer.text.index('<tr class="conflict">') :].partition("</tr>")[0]
    assert re.findall("<pre>(.*?)</pre>", row) == ["true", "mine", "theirs"]
    undecided = client.post("/jobs/job/edit", data=read_form(answer.text))
    assert undecided.status_code == 412
    assert "Choose whose value goes on of command." in undecided.text
    chosen = {**read_form(answer.text), 'pick:["command"]': side}
    in_the_form = client.post("/jobs/job/edit", data={**chosen, "back": "on"})
    assert in_the_form.status_code == 200
    assert read_form(in_the_form.text)["command"] == command
    assert read_form(in_the_form.text)["revision"] == "2"
    assert client.post("/jobs/job/edit", data=chosen).status_code == 303
    assert document_of(application) == {"name": "job", "command": command, "retries": 3}


def test_secrets_are_not_shown_to_who_compares(client: Client, application: Application) -> None:
    define(application, "job", environmentVariables=[{"name": "API_TOKEN", "value": "one"}])
    mine = edit(client, **{"environmentVariables.0.value": "two"})
    jobs.patch_job(application, "job", {"environmentVariables": [{"name": "API_TOKEN", "value": "three"}]})
    answer = client.post("/jobs/job/edit", data=mine)
    table = answer.text[answer.text.index("<table") :].partition("</table>")[0]
    assert "API_TOKEN" in table
    assert not re.search("one|two|three", table)
    chosen = {**read_form(answer.text), 'pick:["environmentVariables"]': "yours"}
    assert client.post("/jobs/job/edit", data=chosen).status_code == 303
    assert document_of(application)["environmentVariables"][0]["value"] == "two"


def test_a_third_edit_meanwhile_is_shown_too(client: Client, application: Application) -> None:
    define(application, "job")
    mine = edit(client, command="mine")
    jobs.patch_job(application, "job", {"retries": 7})
    first = client.post("/jobs/job/edit", data=mine)
    jobs.patch_job(application, "job", {"owner": "ann@example.com"})
    second = client.post("/jobs/job/edit", data=read_form(first.text))
    assert second.status_code == 412
    assert "ann@example.com" in second.text
    assert client.post("/jobs/job/edit", data=read_form(second.text)).status_code == 303
    assert document_of(application) == {
        "name": "job",
        "command": "mine",
        "retries": 7,
        "owner": "ann@example.com",
    }


def test_the_page_of_json_finds_the_same_conflict(client: Client, application: Application) -> None:
    define(application, "job")
    form = edit(client)
    page = read_form(client.post("/jobs/job/edit", data={**form, "show": "json"}).text)
    jobs.patch_job(application, "job", {"retries": 7})
    mine = json.dumps({"name": "job", "command": "mine", "rack": 1})
    answer = client.post("/jobs/job/edit", data={**page, "json": mine})
    assert answer.status_code == 412
    assert client.post("/jobs/job/edit", data=read_form(answer.text)).status_code == 303
    assert document_of(application) == {"name": "job", "command": "mine", "retries": 7, "rack": 1}


def test_what_was_typed_for_a_job_that_is_gone_makes_a_new_one(client: Client, application: Application) -> None:
    define(application, "job", rack=1)
    mine = edit(client, command="mine")
    jobs.delete_job(application, "job")
    answer = client.post("/jobs/job/edit", data=mine)
    assert answer.status_code == 404
    assert "was deleted or renamed meanwhile" in answer.text
    assert 'action="/jobs/new"' in answer.text
    assert client.post("/jobs/new", data=read_form(answer.text)).status_code == 303
    assert document_of(application) == {"name": "job", "command": "mine", "rack": 1}


def test_a_name_that_is_taken_is_told_at_its_field(client: Client, application: Application) -> None:
    define(application, "job")
    define(application, "other")
    typed = {"name": "other", "command": "mine", "kind": "manual"}
    for answer in (
        client.post("/jobs/new", data=typed),
        client.post("/jobs/job/edit", data=edit(client, name="other")),
    ):
        assert answer.status_code == 409
        assert 'id="name-wrong"' in answer.text
        assert "exists already" in answer.text


@pytest.mark.parametrize("path", ["/jobs/new", "/jobs/job/edit"])
def test_a_page_without_its_token_keeps_what_was_typed(
    wsgi: Flask, client: Client, application: Application, path: str
) -> None:
    define(application, "job", rack=1)
    typed = {**read_form(client.get(path).text), "name": "job 2", "command": "typed <b>", "kind": "manual"}
    stranger = FlaskClient(wsgi, response_wrapper=wsgi.response_class)
    answer = stranger.post(path, data=typed)
    assert answer.status_code == 403
    assert "Nothing was saved yet" in answer.text
    assert document_of(application) == {"name": "job", "command": "true", "rack": 1}
    again = read_form(answer.text)
    assert again["command"] == "typed <b>"
    assert client.post(path, data=again).status_code == 303
    assert document_of(application, "job 2")["command"] == "typed <b>"


def test_pages_of_json_and_of_two_versions_keep_what_was_typed_too(
    wsgi: Flask, client: Client, application: Application
) -> None:
    define(application, "job", rack=1)
    mine = edit(client, command="mine")
    as_json = read_form(client.post("/jobs/job/edit", data={**mine, "show": "json"}).text)
    stranger = FlaskClient(wsgi, response_wrapper=wsgi.response_class)
    typed = {**as_json, "json": '{"name": "job", "command": "typed'}
    answer = stranger.post("/jobs/job/edit", data=typed)
    assert answer.status_code == 403
    assert read_form(answer.text) == typed
    jobs.patch_job(application, "job", {"retries": 7})
    versions = read_form(client.post("/jobs/job/edit", data=mine).text)
    answer = stranger.post("/jobs/job/edit", data=versions)
    assert answer.status_code == 403
    assert read_form(answer.text)["command"] == "mine"
    assert client.post("/jobs/job/edit", data=read_form(answer.text)).status_code == 412
    jobs.delete_job(application, "job")
    answer = client.post("/jobs/job/edit", data=typed)
    assert answer.status_code == 404
    assert read_form(answer.text)["json"] == typed["json"]
    assert 'action="/jobs/new"' in answer.text


def test_without_the_version_that_was_seen_every_difference_is_a_choice() -> None:
    yours, theirs = {"name": "job", "command": "a", "retries": 2}, {"name": "job", "command": "b"}
    found = differences(None, yours, theirs, {})
    assert [(each.field, each.is_conflict, each.saw) for each in found] == [("command", True, None)]
    chosen = differences(None, yours, theirs, {found[0].key: "yours"})
    assert merge(chosen, yours, theirs) == {"name": "job", "command": "a"}


def test_a_default_that_is_written_out_is_no_difference() -> None:
    saw = {"name": "job", "command": "a"}
    assert differences(saw, saw, {**saw, "retries": 2, "container": None, "labels": {}}, {}) == []


def test_a_container_that_one_takes_away_and_the_other_changes() -> None:
    saw = {"name": "job", "container": {"image": "a", "network": "HOST"}}
    yours, theirs = {"name": "job"}, {"name": "job", "container": {"image": "b", "network": "HOST"}}
    found = differences(saw, yours, theirs, {})
    assert {each.field: each.is_conflict for each in found} == {"container.image": True, "container.network": False}
    found = differences(saw, yours, theirs, {found[0].key: "yours"})
    assert merge(found, yours, theirs) == {"name": "job"}
