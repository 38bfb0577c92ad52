"""/api/jobs: define, look at, change, delete."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.client import Answer, Client

NAMES = ["plain", "with blank", "a#b", "a.b-c_d", "100 #1", "x" * 200]


def put(client: Client, name: str, headers: dict[str, str] | None = None, **fields: Any) -> Answer:
    return client.put(f"/api/jobs/{_escaped(name)}", json={"command": "true", **fields}, headers=headers)


def _escaped(name: str) -> str:
    return name.replace("%", "%25").replace(" ", "%20").replace("#", "%23")


def test_create_replace_and_read(client: Client) -> None:
    created = put(client, "nightly", schedule="R/2030-01-01T03:00:00Z/P1D", scheduleTimeZone="Europe/Berlin")
    assert created.status_code == 201
    assert created.headers["ETag"] == '"1"'
    assert created.json["nextRun"] == "2030-01-01T02:00:00Z"
    replaced = put(client, "nightly", schedule="0 3 * * *", retries=0)
    assert replaced.status_code == 200
    assert replaced.headers["ETag"] == '"2"'
    job = client.get("/api/jobs/nightly").json
    assert job == replaced.json
    assert (job["schedule"], job["retries"], job["revision"]) == ("0 3 * * *", 0, 2)
    assert (job["state"], job["lastOutcome"], job["children"], job["lastRuns"]) == ("idle", "fresh", [], [])
    assert (job["successCount"], job["errorCount"], job["errorsSinceLastSuccess"]) == (0, 0, 0)
    assert (job["lastSuccess"], job["lastError"]) == (None, None)
    assert job["scheduleDescription"]
    assert job["createdAt"].endswith("Z")


@pytest.mark.parametrize("name", NAMES)
def test_names_are_escaped_in_the_address(client: Client, name: str) -> None:
    assert put(client, name).status_code == 201
    assert client.get(f"/api/jobs/{_escaped(name)}").json["name"] == name
    assert client.post(f"/api/jobs/{_escaped(name)}/runs").status_code == 202
    assert client.get(f"/api/jobs/{_escaped(name)}/runs").json["runs"][0]["job"] == name
    assert client.delete(f"/api/jobs/{_escaped(name)}").status_code == 204


@pytest.mark.parametrize("name", ["100%", "a/b", " lead", "<b>", "new", "..", "ümlaut", "x" * 201])
def test_names_that_cannot_be(client: Client, name: str) -> None:
    answer = client.put(f"/api/jobs/{_escaped(name)}", json={"command": "true"})
    assert answer.status_code in (400, 404)
    assert answer.content_type == "application/problem+json"
    assert client.get("/api/jobs").json["jobs"] == []


def test_what_get_shows_may_be_put_back_and_changes_nothing(client: Client) -> None:
    put(client, "parent")
    put(
        client,
        "child",
        parents=["parent"],
        container={"image": "busybox:1", "volumes": [{"containerPath": "/data"}]},
        environmentVariables=[{"name": "A", "value": "ä"}],
        theirs={"kept": [1, None, {"as": "it is"}]},
    )
    for name in ("parent", "child"):
        shown = client.get(f"/api/jobs/{name}").json
        again = client.put(f"/api/jobs/{name}", json=shown)
        assert (again.status_code, again.json) == (200, shown)
    assert shown["theirs"] == {"kept": [1, None, {"as": "it is"}]}


def test_a_document_keeps_the_order_of_its_fields(client: Client) -> None:
    put(client, "a", zebra=1, apple=2)
    names = list(client.get("/api/jobs/a").json)
    assert names[0] == "name"
    assert names.index("zebra") < names.index("apple")
    assert b'"zebra":1,"apple":2' in client.get("/api/jobs/a").data


def test_html_in_values_stays_data(client: Client) -> None:
    text = "<script>alert(1)</script> & \"ü\" 'x'"
    put(client, "a", command=text, description=text, owner=text)
    answer = client.get("/api/jobs/a")
    assert answer.json["command"] == answer.json["owner"] == text
    assert answer.content_type == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    refused = client.get("/api/jobs/%3Cscript%3E")
    assert refused.status_code == 404
    assert refused.content_type == "application/problem+json"


def test_if_match(client: Client) -> None:
    put(client, "a")
    assert put(client, "a", {"If-Match": '"1"'}, retries=1).status_code == 200
    stale = put(client, "a", {"If-Match": '"1"'}, retries=2)
    assert stale.status_code == 412
    assert "changed by someone else" in stale.json["detail"]
    for method in (client.patch, client.delete):
        assert method("/api/jobs/a", json={}, headers={"If-Match": '"1"'}).status_code == 412
    assert put(client, "a", {"If-Match": "*"}, retries=3).status_code == 200
    assert put(client, "a", {"If-Match": '"somebody else\'s"'}).status_code == 412
    assert put(client, "b", {"If-Match": "*"}).status_code == 412
    assert put(client, "b", {"If-Match": '"1"'}).status_code == 412
    assert [job["name"] for job in client.get("/api/jobs").json["jobs"]] == ["a"]
    assert client.get("/api/jobs/a").json["retries"] == 3


def test_if_none_match_creates_only(client: Client) -> None:
    assert put(client, "a", {"If-None-Match": "*"}).status_code == 201
    refused = put(client, "a", {"If-None-Match": "*"}, retries=7)
    assert refused.status_code == 412
    assert "exists already" in refused.json["detail"]
    assert client.get("/api/jobs/a").json["retries"] == 2


def test_patch(client: Client) -> None:
    put(client, "a", retries=5, owner="me", container={"image": "busybox:1", "network": "NONE"}, theirs=1)
    changed = client.patch("/api/jobs/a", json={"retries": None, "container": {"image": "busybox:2"}, "owner": "you"})
    assert changed.status_code == 200
    assert (changed.json["retries"], changed.json["owner"], changed.json["theirs"]) == (2, "you", 1)
    assert changed.json["container"] == {"image": "busybox:2", "network": "NONE"}
    assert client.patch("/api/jobs/a", json={"container": None}).json["container"] is None
    assert client.patch("/api/jobs/a", json={"name": "b"}).json["name"] == "b"
    assert client.patch("/api/jobs/none", json={}).status_code == 404


def test_patch_changes_what_makes_a_job_run(client: Client) -> None:
    put(client, "parent")
    put(client, "a", schedule="@daily")
    assert client.patch("/api/jobs/a", json={"parents": ["parent"]}).json["field"] == "schedule"
    changed = client.patch("/api/jobs/a", json={"parents": ["parent"], "schedule": None}).json
    assert (changed["parents"], "schedule" in changed, changed["nextRun"]) == (["parent"], False, None)
    assert client.get("/api/jobs/parent").json["children"] == ["a"]


def test_delete_and_children(client: Client) -> None:
    put(client, "parent", schedule="@daily")
    put(client, "child", parents=["parent"])
    refused = client.delete("/api/jobs/parent")
    assert refused.status_code == 409
    assert "child" in refused.json["detail"]
    assert client.delete("/api/jobs/parent?children=maybe").status_code == 400
    gone = client.delete("/api/jobs/parent?children=detach")
    assert (gone.status_code, gone.data) == (204, b"")
    assert "parents" not in client.get("/api/jobs/child").json
    missing = client.get("/api/jobs/parent")
    assert missing.status_code == 404
    assert missing.json == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": 'Job "parent" not found.',
    }
    assert client.delete("/api/jobs/parent").status_code == 404


def test_list_filters_and_pages(client: Client) -> None:
    put(client, "b-cron", schedule="@daily", command="backup --all")
    put(client, "a-manual", disabled=True)
    put(client, "c-child", parents=["a-manual"])

    def names(query: str) -> list[str]:
        answer = client.get(f"/api/jobs?{query}")
        assert answer.status_code == 200, answer.json
        return [job["name"] for job in answer.json["jobs"]]

    assert names("") == names("sort=name") == ["a-manual", "b-cron", "c-child"]
    assert names("q=BACKUP") == ["b-cron"]
    assert names("q=%25") == []
    assert names("disabled=true") == ["a-manual"]
    assert names("disabled=false&q=c") == ["b-cron", "c-child"]
    for kind, expected in {"schedule": "b-cron", "dependency": "c-child", "manual": "a-manual"}.items():
        assert names(f"kind={kind}") == [expected]
    page = client.get("/api/jobs?limit=2").json
    assert ([job["name"] for job in page["jobs"]], page["next"]) == (["a-manual", "b-cron"], "b-cron")
    page = client.get("/api/jobs?limit=2&cursor=b-cron").json
    assert ([job["name"] for job in page["jobs"]], page["next"]) == (["c-child"], None)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=0", 'limit is "0" but must be a whole number from 1 to 500.'),
        ("limit=many", 'limit is "many"'),
        ("limit=" + "9" * 5000, "limit is"),
        ("disabled=perhaps", 'disabled is "perhaps" but must be one of true, false.'),
        ("kind=cron", 'kind is "cron"'),
        ("sort=-name", 'sort is "-name" but must be one of name.'),
        (
            "disable=true",
            'There is no query parameter "disable" here; known: cursor, disabled, kind, label, limit, q, sort.',
        ),
        ("q=%00", "NUL"),
    ],
)
def test_unknown_query_values_are_named(client: Client, query: str, words: str) -> None:
    answer = client.get(f"/api/jobs?{query}")
    assert answer.status_code == 400
    assert words in answer.json["detail"]


def test_save_several_at_once(client: Client) -> None:
    chain = [{"name": "b", "command": "true", "parents": ["a"]}, {"name": "a", "command": "true"}]
    saved = client.post("/api/jobs", json={"jobs": chain})
    assert saved.status_code == 200
    assert {each["name"]: each["change"] for each in saved.json["jobs"]} == {"a": "created", "b": "created"}
    again = client.post("/api/jobs", json=client.get("/api/jobs").json)
    assert [each["change"] for each in again.json["jobs"]] == ["unchanged", "unchanged"]
    twice = client.post("/api/jobs", json={"jobs": [chain[1], chain[1]]})
    assert (twice.status_code, twice.json["field"]) == (400, "name")
    bodies: list[dict[str, Any]] = [{"jobs": "a"}, {"jobs": ["a"]}, {"job": []}]
    for body in bodies:
        assert client.post("/api/jobs", json=body).status_code == 400
