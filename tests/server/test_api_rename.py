"""PATCH with another name: one transaction that keeps history and edges."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from chronos_py.model.chain import Mark
from chronos_py.services import Application, jobs
from chronos_py.store import chains
from tests.server.client import Client, client_of


def put(client: Client, name: str, **fields: Any) -> None:
    answer = client.put(f"/api/jobs/{name}", json={"command": "true", **fields})
    assert answer.status_code in (200, 201), answer.json


def rename(client: Client, old: str, new: str, **changes: Any) -> Any:
    answer = client.patch(f"/api/jobs/{old}", json={"name": new, **changes})
    assert answer.status_code == 200, answer.json
    return answer.json


def test_everything_stays_but_the_name(client: Client) -> None:
    put(client, "root")
    put(client, "old", schedule="R9/2030-01-01T00:00:00Z/P1D", excludeCalendars=["DE"], labels={"team": "etl"})
    put(client, "child", parents=["old", "root"])
    put(client, "grandchild", parents=["child"])
    run = client.post("/api/jobs/old/runs").json["id"]
    before = client.get("/api/jobs/old").json
    after = rename(client, "old", "new one")
    changed = {"name", "revision", "updatedAt"}
    assert {key: value for key, value in after.items() if key not in changed} == {
        key: value for key, value in before.items() if key not in changed
    }
    assert (after["name"], after["revision"], after["children"]) == ("new one", 2, ["child"])
    assert client.get("/api/jobs/old").status_code == 404
    assert client.get("/api/jobs/old/runs").status_code == 404
    assert [each["id"] for each in client.get("/api/jobs/new%20one/runs").json["runs"]] == [run]
    assert client.get(f"/api/runs/{run}").json["job"] == "new one"
    assert [job["name"] for job in client.get("/api/jobs?label=team").json["jobs"]] == ["new one"]
    newest, first = client.get("/api/jobs/new%20one/revisions").json["revisions"]
    assert (newest["note"], newest["summary"]) == ("renamed from old", "name: old -> new one")
    assert first["summary"] == "created"


def test_the_jobs_after_it_name_it_anew(client: Client, application: Application) -> None:
    put(client, "root")
    put(client, "old")
    put(client, "child", parents=["root", "old"], theirs=1)
    put(client, "other", parents=["old"])
    put(client, "far", parents=["child"])
    with application.database.write() as connection:
        parent = jobs.require_job(connection, "old")
        chains.mark(connection, parent.id, 77, True)
        edges = chains.edges_by_name(connection)
    rename(client, "old", "fresh")
    child = client.get("/api/jobs/child").json
    assert (child["parents"], child["revision"], child["theirs"]) == (["root", "fresh"], 2, 1)
    revision = client.get("/api/jobs/child/revisions/2").json
    assert revision["note"] == "its parent old was renamed to fresh"
    assert revision["summary"] == "parents: +fresh, -old"
    assert client.get("/api/jobs/other").json["parents"] == ["fresh"]
    assert (client.get("/api/jobs/far").json["revision"], client.get("/api/jobs/root").json["revision"]) == (1, 1)
    with application.database.write() as connection:
        renamed = [tuple("fresh" if name == "old" else name for name in edge) for edge in edges]
        assert chains.edges_by_name(connection) == sorted(renamed)
        found = jobs.require_job(connection, "child")
        assert chains.latest_marks(connection, [found.id]) == {found.id: [Mark(), Mark(success=77)]}
    assert client.get("/api/graph").json["edges"] == [
        {"parent": "child", "child": "far"},
        {"parent": "fresh", "child": "child"},
        {"parent": "fresh", "child": "other"},
        {"parent": "root", "child": "child"},
    ]


def test_other_changes_come_with_it_in_a_revision_of_their_own(client: Client) -> None:
    put(client, "root")
    put(client, "old", retries=1)
    after = rename(client, "old", "fresh", retries=7, parents=["root"])
    assert (after["retries"], after["revision"], after["parents"]) == (7, 3, ["root"])
    assert client.get("/api/jobs/fresh/revisions/2").json["summary"] == "name: old -> fresh"
    assert client.get("/api/jobs/root").json["children"] == ["fresh"]


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"name": "taken"}, 409, '"taken" exists already'),
        ({"name": "child"}, 409, '"child" exists already'),
        ({"name": "a/b"}, 400, "is not allowed"),
        ({"name": "new"}, 400, "is not allowed"),
        ({"name": ""}, 400, "name is missing"),
        ({"name": None}, 400, "name is missing"),
        ({"name": 7}, 400, "name is 7"),
        ({"name": "x" * 201}, 400, "201 characters"),
        ({"name": "fresh", "retries": -1}, 400, "retries is -1"),
        ({"name": "fresh", "parents": ["old"]}, 400, '"old", which is not found'),
        ({"name": "fresh", "parents": ["fresh"]}, 400, '"fresh" itself'),
        ({"name": "fresh", "parents": ["child"]}, 400, "cycle"),
    ],
)
def test_what_is_refused_changes_nothing(client: Client, changes: dict[str, Any], status: int, words: str) -> None:
    for name in ("taken", "old"):
        put(client, name)
    put(client, "child", parents=["old"])
    before = client.get("/api/jobs").json
    answer = client.patch("/api/jobs/old", json=changes)
    assert (answer.status_code, words in answer.json["detail"]) == (status, True), answer.json
    assert client.get("/api/jobs").json == before


def test_a_put_does_not_rename(client: Client) -> None:
    put(client, "old")
    answer = client.put("/api/jobs/old", json={"name": "fresh", "command": "true"})
    assert (answer.status_code, answer.json["field"]) == (400, "name")
    assert client.patch("/api/jobs/old", json={"name": "fresh"}, headers={"If-Match": '"9"'}).status_code == 412
    assert client.get("/api/jobs/fresh").status_code == 404


def test_the_old_name_is_free(client: Client) -> None:
    put(client, "a", labels={"is": "first"})
    put(client, "b", parents=["a"])
    rename(client, "a", "c")
    put(client, "a", labels={"is": "second"})
    assert client.get("/api/jobs/b").json["parents"] == ["c"]
    rename(client, "c", "d")
    rename(client, "a", "c")
    assert client.get("/api/jobs/b").json["parents"] == ["d"]
    assert client.get("/api/jobs/d").json["labels"] == {"is": "first"}


def test_going_back_keeps_the_present_name(client: Client) -> None:
    put(client, "old", retries=1)
    rename(client, "old", "fresh", retries=5)
    back = client.post("/api/jobs/fresh/revisions/1/restore").json
    assert (back["name"], back["retries"], back["revision"]) == ("fresh", 1, 4)
    assert client.get("/api/jobs/old").status_code == 404


def test_h_is_drawn_from_the_name(client: Client) -> None:
    schedule = "H H H H *"  # once a year, so hardly between two questions
    put(client, "old", schedule=schedule)
    after = rename(client, "old", "fresh")
    put(client, "other", schedule=schedule)
    preview = client.post("/api/schedules/preview", json={"schedule": schedule, "name": "fresh", "count": 1}).json
    assert after["nextRun"] == preview["next"][0]
    put(client, "same", schedule="17 4 1 1 *")
    before = client.get("/api/jobs/same").json["nextRun"]
    assert rename(client, "same", "same 2")["nextRun"] == before


def test_old_clients_see_the_new_name(client: Client) -> None:
    put(client, "old", schedule="R/2030-01-01T00:00:00Z/P1D")
    put(client, "child", parents=["old"])
    rename(client, "old", "fresh")
    found = {job["name"]: job for job in client.get("/v1/scheduler/jobs").json}
    assert set(found) == {"fresh", "child"}
    assert found["child"]["parents"] == ["fresh"]


def test_of_two_who_want_one_name_one_gets_it(wsgi: Flask, client: Client) -> None:
    for name in ("a", "b"):
        put(client, name)
        put(client, f"after {name}", parents=[name])
    start = threading.Barrier(2)

    def ask(name: str) -> int:
        own = client_of(wsgi)
        start.wait(60)
        return own.patch(f"/api/jobs/{name}", json={"name": "wanted"}).status_code

    with ThreadPoolExecutor(2) as people:
        assert sorted(people.map(ask, "ab")) == [200, 409]
    names = {job["name"] for job in client.get("/api/jobs").json["jobs"]}
    assert names in ({"wanted", "a", "after a", "after b"}, {"wanted", "b", "after a", "after b"})
