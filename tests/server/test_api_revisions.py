"""/api/jobs/{name}/revisions: who changed what, and going back."""

from __future__ import annotations

from typing import Any

import pytest

from chronos_py.services import Application, jobs
from chronos_py.services.revisions import difference
from tests.server.client import Client


def put(client: Client, name: str, **fields: Any) -> None:
    answer = client.put(f"/api/jobs/{name}", json={"command": "true", **fields})
    assert answer.status_code in (200, 201), answer.json


def history(client: Client, name: str, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/api/jobs/{name}/revisions{query}")
    assert answer.status_code == 200, answer.json
    found: list[dict[str, Any]] = answer.json["revisions"]
    return found


def changes(old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    base = {"name": "a", "command": "true"}
    return {each.field: (each.before, each.after) for each in difference({**base, **old}, {**base, **new})}


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({}, {}, {}),
        ({}, {"retries": 2, "shell": True, "labels": {}, "parents": [], "schedule": ""}, {}),
        ({"retries": 5}, {}, {"retries": (5, 2)}),
        ({"schedule": "@daily"}, {"parents": ["p"]}, {"schedule": ("@daily", ""), "parents": ([], ["p"])}),
        ({}, {"container": {"image": "x:1"}}, {"container.image": (None, "x:1")}),
        (
            {"container": {"image": "x:1", "network": "NONE"}},
            {"container": {"image": "x:2", "network": "NONE"}},
            {"container.image": ("x:1", "x:2")},
        ),
        ({"container": {"image": "x:1"}}, {}, {"container.image": ("x:1", None)}),
        (
            {"labels": {"team": "etl"}},
            {"labels": {"tier": ""}},
            {"labels.team": ("etl", None), "labels.tier": (None, "")},
        ),
        ({"theirs": {"deep": {"a": [1]}}}, {"theirs": {"deep": {"a": [1], "b": 0}}}, {"theirs.deep.b": (None, 0)}),
        ({"concurrent": True}, {"overlap": "allow"}, {"concurrent": (True, None)}),
    ],
)
def test_what_two_documents_say_differently(
    old: dict[str, Any], new: dict[str, Any], found: dict[str, tuple[Any, Any]]
) -> None:
    assert changes(old, new) == found
    assert changes(new, old) == {field: (after, before) for field, (before, after) in found.items()}


def test_of_lists_what_came_and_what_went() -> None:
    (change,) = difference({"name": "a", "parents": ["x", "y"]}, {"name": "a", "parents": ["y", "z"]})
    assert (change.before, change.after, change.added, change.removed) == (["x", "y"], ["y", "z"], ["z"], ["x"])
    assert change.in_words == "parents: +z, -x"
    old, new = ([{"name": "A", "value": value}, {"name": "B", "value": ""}] for value in "12")
    (change,) = difference({"environmentVariables": old}, {"environmentVariables": new})
    assert (change.added, change.removed) == ([new[0]], [old[0]])
    assert change.in_words == "environmentVariables: +A=2, -A=1"
    (change,) = difference({"arguments": ["a", "b"]}, {"arguments": ["b", "a"]})
    assert change.in_words == "arguments: other order"


def test_every_change_is_told_and_saving_the_same_is_none(client: Client) -> None:
    put(client, "a", retries=5)
    put(client, "a", retries=5)
    put(client, "a", retries=0, command="one\ntwo")
    client.patch("/api/jobs/a", json={"owner": "ann@example.com"})
    third, second, first = history(client, "a")
    assert [each["revision"] for each in (first, second, third)] == [1, 2, 3]
    assert (first["summary"], first["changes"], first["against"]) == ("created", [], None)
    assert second["summary"] == "command changed; retries: 5 -> 0"
    assert second["changes"][1] == {"field": "retries", "before": 5, "after": 0}
    assert third["summary"] == "owner: nothing -> ann@example.com"
    assert first["createdAt"] < second["createdAt"] < third["createdAt"]
    run = client.post("/api/jobs/a/runs").json
    assert run["revision"] == 3


def test_pages(client: Client) -> None:
    for retries in range(5):
        put(client, "a", retries=retries)
    page = client.get("/api/jobs/a/revisions?limit=2").json
    assert ([each["revision"] for each in page["revisions"]], page["next"]) == ([5, 4], "4")
    assert page["revisions"][1]["changes"] == [{"field": "retries", "before": 2, "after": 3}]
    page = client.get("/api/jobs/a/revisions?limit=3&cursor=4").json
    assert ([each["revision"] for each in page["revisions"]], page["next"]) == ([3, 2, 1], None)
    assert len(history(client, "a", f"?cursor={2**62}")) == 5


def test_one_revision_against_the_one_before_or_another(client: Client) -> None:
    put(client, "a", retries=1)
    put(client, "a", retries=5)
    put(client, "a", retries=5, owner="ann")
    found = client.get("/api/jobs/a/revisions/3").json
    assert (found["against"], [each["field"] for each in found["changes"]]) == (2, ["owner"])
    assert (found["document"]["retries"], found["document"]["mem"]) == (5, 128)
    found = client.get("/api/jobs/a/revisions/3?against=1").json
    assert (found["against"], [each["field"] for each in found["changes"]]) == (1, ["retries", "owner"])
    assert client.get("/api/jobs/a/revisions/1?against=3").json["changes"][0]["after"] == 1
    assert client.get("/api/jobs/a/revisions/1").json["against"] is None


@pytest.mark.parametrize(
    "path",
    [
        "b/revisions",
        "b/revisions/1",
        "a/revisions/9",
        "a/revisions/0",
        "a/revisions/1?against=7",
        f"a/revisions/{2**62}",
    ],
)
def test_what_there_is_not(client: Client, path: str) -> None:
    put(client, "a")
    answer = client.get(f"/api/jobs/{path}")
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert "a/revisions" not in path or "its newest one is 1" in answer.json["detail"]


@pytest.mark.parametrize("query", ["against=0", "against=x", "limit=0", "cursor=-1", "from=1"])
def test_what_cannot_be_asked(client: Client, query: str) -> None:
    put(client, "a")
    path = "a/revisions/1" if query.startswith("against") else "a/revisions"
    assert client.get(f"/api/jobs/{path}?{query}").status_code == 400


def test_going_back_is_a_new_revision(client: Client, application: Application) -> None:
    jobs.save_job(application, {"name": "a", "command": "old", "theirs": [1]}, "ann")
    jobs.save_job(application, {"name": "a", "command": "new"}, "bob")
    answer = client.post("/api/jobs/a/revisions/1/restore")
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"3"')
    assert (answer.json["command"], answer.json["theirs"]) == ("old", [1])
    newest, second, first = history(client, "a")
    assert (newest["note"], newest["author"]) == ("went back to revision 1", "")
    assert (second["author"], first["author"]) == ("bob", "ann")
    assert client.get("/api/jobs/a/revisions/3?against=1").json["changes"] == []
    assert client.post("/api/jobs/a/revisions/3/restore").headers["ETag"] == '"3"', "it says that already"


def test_going_back_brings_schedule_edges_and_pause_back(client: Client) -> None:
    put(client, "p")
    put(client, "a", schedule="@daily", disabled=True)
    put(client, "a", parents=["p"])
    back = client.post("/api/jobs/a/revisions/1/restore").json
    assert (back["schedule"], back["disabled"], back["nextRun"]) == ("@daily", True, None)
    assert client.get("/api/jobs/p").json["children"] == []
    client.post("/api/jobs/a/revisions/2/restore")
    assert client.get("/api/jobs/p").json["children"] == ["a"]


def test_going_back_to_what_cannot_be_any_more_changes_nothing(client: Client) -> None:
    put(client, "p")
    put(client, "a", parents=["p"])
    put(client, "a")
    client.delete("/api/jobs/p")
    refused = client.post("/api/jobs/a/revisions/1/restore")
    assert (refused.status_code, refused.json["field"]) == (400, "parents")
    assert '"p", which is not found' in refused.json["detail"]
    assert client.get("/api/jobs/a").json["revision"] == 2
    put(client, "b", parents=["a"])
    put(client, "p", parents=["b"])
    cycle = client.post("/api/jobs/a/revisions/1/restore")
    assert cycle.status_code == 400
    assert "cycle" in cycle.json["detail"]


def test_going_back_minds_what_was_seen(client: Client) -> None:
    put(client, "a", retries=1)
    put(client, "a", retries=2)
    path = "/api/jobs/a/revisions/1/restore"
    assert client.post(path, headers={"If-Match": '"1"'}).status_code == 412
    assert client.get("/api/jobs/a").json["retries"] == 2
    assert client.post(path, headers={"If-Match": '"2"'}).json["retries"] == 1
    assert client.post(path, json={"why": "so"}).status_code == 400
    assert client.post("/api/jobs/a/revisions/9/restore").status_code == 404
    assert client.post("/api/jobs/b/revisions/1/restore").status_code == 404


def test_a_job_of_the_same_name_has_its_own_history(client: Client) -> None:
    put(client, "a", retries=1)
    put(client, "a", retries=2)
    client.delete("/api/jobs/a")
    assert client.get("/api/jobs/a/revisions").status_code == 404
    put(client, "a", retries=3)
    assert [each["revision"] for each in history(client, "a")] == [1]
