"""What old clients use as the status API: csv, dot, summary and search."""

from __future__ import annotations

import pytest

from chronos_py.services import Application
from chronos_py.store import jobs as job_store
from chronos_py.store.database import Database
from tests.server.client import Client


@pytest.fixture(autouse=True)
def jobs(client: Client) -> None:
    for name, schedule in {"Extract": "R/2030-01-01T03:00:00Z/P1D", "cron": "0 3 * * *"}.items():
        document = {"name": name, "command": "fetch --all", "schedule": schedule}
        assert client.post("/v1/scheduler/iso8601", json=document).status_code == 204
    child = {"name": "load", "command": "true", "parents": ["Extract", "cron"]}
    assert client.post("/v1/scheduler/dependency", json=child).status_code == 204


def test_csv(client: Client, prefix: str, database: Database, application: Application) -> None:
    client.put(f"{prefix}/job/cron")
    with database.write() as connection:
        job = job_store.find_job(connection, "load")
        assert job is not None
        job_store.count_error(connection, job.id, application.clock.now())
    answer = client.get(f"{prefix}/graph/csv", headers={"Accept": "application/json"})
    assert answer.content_type.startswith("text/plain")
    assert sorted(answer.get_data(as_text=True).splitlines()) == [
        "link,Extract,load",
        "link,cron,load",
        "node,Extract,fresh,idle",
        "node,cron,fresh,queued",
        "node,load,failure,idle",
    ]


def test_dot(client: Client, prefix: str) -> None:
    lines = client.get(f"{prefix}/graph/dot").get_data(as_text=True).splitlines()
    assert (lines[0], lines[-1]) == ("digraph G {", "}")
    numbers = {line.split('"')[1]: line.split()[0] for line in lines if "label" in line}
    assert sorted(numbers) == ["Extract", "cron", "load"]
    edges = {line.strip() for line in lines if "->" in line}
    assert edges == {f"{numbers[parent]} -> {numbers['load']};" for parent in ("Extract", "cron")}


def test_summary(client: Client, prefix: str) -> None:
    found = {job["name"]: job for job in client.get(f"{prefix}/jobs/summary").json["jobs"]}
    assert found["Extract"] == {
        "name": "Extract",
        "status": "fresh",
        "state": "idle",
        "schedule": "R/2030-01-01T03:00:00.000Z/P1D",
        "parents": [],
        "disabled": False,
    }
    assert found["cron"]["schedule"] == "0 3 * * *"
    assert (found["load"]["schedule"], sorted(found["load"]["parents"])) == ("", ["Extract", "cron"])


def test_search(client: Client, prefix: str) -> None:
    def found(query: str) -> list[str]:
        answer = client.get(f"{prefix}/jobs/search?{query}")
        assert answer.status_code == 200, answer.data
        return [job["name"] for job in answer.json]

    everything = found("")
    assert sorted(everything) == ["Extract", "cron", "load"]
    assert found("name=EXTR") == ["Extract"]
    assert sorted(found("command=fetch")) == ["Extract", "cron"]
    assert found("name=cr&command=fetch") == ["cron"]
    assert found("any=true") == ["load"]
    assert found("any=nowhere") == []
    assert sorted(found("name=cron&any=true")) == ["cron", "load"]
    assert found("name=cron&any=nowhere") == ["cron"]
    assert found("name=nothing&any=LOAD") == ["load"]
    assert found("name=nothing") == []
    assert found("limit=2") == everything[:2]
    assert found("limit=2&offset=2") == everything[2:]
    assert found("limit=2147483647") == everything  # Java's way to ask for all
    for query in ("limit=many", "offset=-1", "limit=2147483648", "limit=" + "9" * 5000):
        answer = client.get(f"{prefix}/jobs/search?{query}")
        assert (answer.status_code, answer.content_type) == (404, "application/json")
        assert query.partition("=")[0] in answer.json["message"]
