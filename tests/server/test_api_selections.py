"""Labels, and pausing and resuming several jobs at once: all or none."""

from __future__ import annotations

from typing import Any

import pytest

from chronos_py.services import selections
from tests.server.client import Client


def put(client: Client, name: str, **fields: Any) -> None:
    answer = client.put(f"/api/jobs/{name}", json={"command": "true", **fields})
    assert answer.status_code in (200, 201), answer.json


def names(client: Client, query: str) -> list[str]:
    answer = client.get(f"/api/jobs?{query}")
    assert answer.status_code == 200, answer.json
    return [job["name"] for job in answer.json["jobs"]]


def paused(client: Client) -> list[str]:
    return names(client, "disabled=true")


@pytest.fixture
def three(client: Client) -> None:
    put(client, "extract", labels={"team": "etl", "tier": "1"}, schedule="@daily")
    put(client, "load", labels={"team": "etl"}, parents=["extract"], command="echo sales")
    put(client, "report", labels={"team": "bi"}, disabled=True)
    put(client, "plain")


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("label=team", ["extract", "load", "report"]),
        ("label=team=etl", ["extract", "load"]),
        ("label=team%3Detl", ["extract", "load"]),
        ("label=team=etl&label=tier", ["extract"]),
        ("label=team=etl&label=team=bi", []),
        ("label=team=ET", []),
        ("label=Team", []),
        ("label=team=", []),
        ("label=team=etl&q=LOAD", ["load"]),
        ("label=team&disabled=true", ["report"]),
        ("label=team&kind=dependency", ["load"]),
        ("label=team&limit=1&cursor=extract", ["load"]),
    ],
)
def test_jobs_by_label(client: Client, query: str, found: list[str]) -> None:
    assert names(client, query) == found


@pytest.mark.parametrize("label", ["", "=x", "a b", "a%00", "é", "a=x%0Ay", "a=" + "x" * 201, "k" * 101])
def test_what_is_no_label_is_named(client: Client, label: str) -> None:
    answer = client.get(f"/api/jobs?label={label}")
    assert answer.status_code == 400
    assert label == "a%00" or answer.json["field"] == "labels"


def test_labels_follow_the_document(client: Client) -> None:
    put(client, "a", labels={"x": "1", "y": "2"})
    client.patch("/api/jobs/a", json={"labels": {"x": None, "y": "3", "z/1.a_b-C": "ü = 4"}})
    assert client.get("/api/jobs/a").json["labels"] == {"y": "3", "z/1.a_b-C": "ü = 4"}
    assert (names(client, "label=x"), names(client, "label=y=3"), names(client, "label=y=2")) == ([], ["a"], [])
    assert names(client, "label=z/1.a_b-C=%C3%BC = 4") == ["a"]
    client.post("/api/jobs/a/revisions/1/restore")
    assert (names(client, "label=x=1"), names(client, "label=z/1.a_b-C")) == (["a"], [])
    client.delete("/api/jobs/a")
    assert names(client, "label=x") == []
    put(client, "a")
    assert client.get("/api/jobs/a").json["labels"] == {}


@pytest.mark.parametrize(
    "labels",
    [
        [],
        "team=etl",
        ["team"],
        {"": "x"},
        {"a b": "x"},
        {"a=b": "x"},
        {"a": 1},
        {"a": None},
        {"a": ["x"]},
        {"a": "x\ny"},
        {"a": " x"},
        {"a": "x" * 201},
        {"k" * 101: "x"},
        {"a": "\u0000"},
    ],
)
def test_labels_that_cannot_be(client: Client, labels: object) -> None:
    answer = client.put("/api/jobs/a", json={"command": "true", "labels": labels})
    if labels == []:
        assert answer.status_code == 400
    assert (answer.status_code, answer.json["field"]) == (400, "labels")
    assert client.get("/api/jobs/a").status_code == 404


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("selection", "changed", "unchanged"),
    [
        ({"labels": {"team": "etl"}}, ["extract", "load"], []),
        ({"labels": {"team": None}}, ["extract", "load"], ["report"]),
        ({"labels": {"team": "etl", "tier": "1"}}, ["extract"], []),
        ({"labels": {"team": "nobody"}}, [], []),
        ({"names": ["plain", "report", "plain"]}, ["plain"], ["report"]),
        ({"text": "SALES"}, ["load"], []),
        ({"text": "rep", "names": None, "labels": None}, [], ["report"]),
    ],
)
def test_pause_and_resume(
    client: Client, selection: dict[str, Any], changed: list[str], unchanged: list[str]
) -> None:
    answer = client.post("/api/jobs/pause", json=selection)
    assert (answer.status_code, answer.json) == (200, {"changed": changed, "unchanged": unchanged})
    assert paused(client) == sorted({*changed, "report"})
    answer = client.post("/api/jobs/resume", json=selection)
    both = sorted(changed + unchanged)
    assert (answer.status_code, answer.json) == (200, {"changed": both, "unchanged": []})
    assert paused(client) == ([] if "report" in both else ["report"])


@pytest.mark.usefixtures("three")
def test_it_stands_in_the_history(client: Client) -> None:
    client.post("/api/jobs/pause", json={"labels": {"team": "etl", "tier": None}})
    revision = client.get("/api/jobs/extract/revisions/2").json
    assert revision["note"] == "with all jobs labelled team=etl, tier"
    assert revision["summary"] == "disabled: false -> true"
    assert client.get("/api/jobs/extract").json["nextRun"] is None
    client.post("/api/jobs/resume", json={"names": ["extract"], "catchUp": True})
    assert client.get("/api/jobs/extract/revisions/3").json["note"] == ""
    assert client.get("/api/jobs/extract").json["nextRun"] is not None


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_one_unknown_name_changes_none(client: Client, verb: str) -> None:
    client.post("/api/jobs/pause", json={"names": ["load"]})
    before = client.get("/api/jobs").json
    answer = client.post(f"/api/jobs/{verb}", json={"names": ["extract", "load", "nobody", "plain"]})
    assert answer.status_code == 404
    assert '"nobody" not found' in answer.json["detail"]
    assert client.get("/api/jobs").json == before


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"names": []},
        {"labels": {}},
        {"text": ""},
        {"text": "  "},
        {"names": ["plain"], "labels": {"team": "etl"}},
        {"names": ["plain"], "text": ""},
        {"names": "plain"},
        {"names": [1]},
        {"labels": ["team"]},
        {"labels": {"te am": "x"}},
        {"labels": {"team": 1}},
        {"text": 1},
        {"name": "plain"},
        {"names": ["plain"], "catchUp": True},
    ],
)
def test_a_selection_that_cannot_be(client: Client, body: dict[str, Any]) -> None:
    answer = client.post("/api/jobs/pause", json=body)
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert paused(client) == ["report"]
    if "catchUp" not in body:
        assert client.post("/api/jobs/resume", json=body).status_code == 400
    assert client.post("/api/jobs/resume", json={"names": ["report"], "catchUp": "yes"}).status_code == 400
    assert paused(client) == ["report"]


def test_jobs_may_be_called_like_what_is_done_with_them(client: Client) -> None:
    put(client, "pause")
    assert client.get("/api/jobs/pause").json["name"] == "pause"
    assert client.patch("/api/jobs/pause", json={"retries": 1}).status_code == 200
    assert client.post("/api/jobs/pause", json={"names": ["pause"]}).json["changed"] == ["pause"]


def test_more_than_one_batch(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selections, "_BATCH", 7)
    documents = [{"name": "root", "command": "true", "labels": {"of": "many"}}]
    documents += [
        {"name": f"job-{number:02}", "command": "true", "parents": ["root"], "labels": {"of": "many"}}
        for number in range(30)
    ]
    client.post("/api/jobs", json={"jobs": documents[::-1]})
    answer = client.post("/api/jobs/pause", json={"labels": {"of": "many"}})
    assert len(answer.json["changed"]) == 31
    assert names(client, "disabled=false") == []
    assert len(client.post("/api/jobs/resume", json={"text": "job-"}).json["changed"]) == 30
