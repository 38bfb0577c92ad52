"""The recipe for three nodes, run as docs/deploy.md has it: its commands, and the stack that they deploy."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml  # type: ignore[import-untyped]

from chronos_py.store.restored import GAP
from tests.cluster.server import FINAL, wait_for
from tests.cluster.stack_hosts import changes, three_managers
from tests.packaging.recipes import commands_of
from tests.pools.swarm_fixtures import fail_without_tools
from tests.pools.swarm_hosts import Host

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
CHAIN = ("extract_orders", "transform_products", "transform_customers", "load_warehouse", "report_sales")
# The first attempt of this one goes on until the test lets it.
HELD = 'until [ -e "$CHRONOS_SHARED_DIR/go" ]; do sleep 0.2; done\n'


class Stack:
    """What was deployed: three nodes, each reached at its host's address."""

    def __init__(self, hosts: list[Host], folder: Path) -> None:
        self.hosts = hosts
        self.shared = folder / "srv" / "shared"
        self._folder = folder

    def run(self, command: str) -> str:
        """A shell's commands as somebody gives them on node1, in a checkout; what they print."""
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", command],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={
                **os.environ,
                "DOCKER_HOST": self.hosts[0].url,
                "CHRONOS_SHARED": str(self._folder / "srv"),
                "CHRONOS_DOCKER_SOCKET": str(self._folder / "here" / "docker.sock"),
            },
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, host: Host, method: str, path: str, **options: Any) -> requests.Response:
        url = f"http://{host.address}:4400{path}"
        return requests.request(method, url, auth=("admin", "secret"), timeout=30, **options)

    def get(self, path: str) -> Any:
        """What the first node says that answers."""
        for host in self.hosts:
            try:
                answer = self.ask(host, "GET", path)
            except requests.RequestException:
                continue
            if answer.status_code == 200:
                return answer.json()
        return None

    def is_ready(self, host: Host) -> bool:
        try:
            return self.ask(host, "GET", "/readyz").status_code == 200
        except requests.RequestException:
            return False

    def leader(self) -> tuple[Host, int] | None:
        """Who leads, and the number of the term."""
        standing = self.get("/api/leader") or {}
        found = (host for host in self.hosts if standing.get("leader") == f"{host.name}:4400")
        return next(((host, standing["epoch"]) for host in found), None)

    def run_of(self, job: str) -> dict[str, Any] | None:
        """The only run of a job, with its attempts; None before there is one."""
        runs = (self.get(f"/api/jobs/{job}/runs") or {}).get("runs")
        if not runs:
            return None
        assert len(runs) == 1
        run: dict[str, Any] | None = self.get(f"/api/runs/{runs[0]['id']}")
        return run

    def ended(self, job: str) -> dict[str, Any] | None:
        run = self.run_of(job)
        return run if run and run["state"] in FINAL else None


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    fail_without_tools()
    with tempfile.TemporaryDirectory(prefix="stack", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "deploy").symlink_to(ROOT / "deploy")
        (folder / "here.yaml").write_text(yaml.safe_dump(changes()))
        with three_managers(folder) as hosts:
            stack = Stack(hosts, folder)
            assert "docker swarm join --token" in stack.run("docker swarm join-token manager")
            for command in commands_of("Three nodes", ("mkdir", "docker node", "password=", "docker stack")):
                command = command.replace("/srv/chronos", "$CHRONOS_SHARED").replace("PASSWORD", "secret")
                deploy = "docker stack deploy -c deploy/stack.yaml"
                stack.run(command.replace(deploy, f"{deploy} -c here.yaml --resolve-image never"))
            for host in hosts:
                wait_for(f"{host.name} to be ready", lambda host=host: stack.is_ready(host), 150)
            yield stack


def test_a_chain_goes_on_when_the_leader_is_killed_and_swarm_starts_it_again(stack: Stack) -> None:
    for name in CHAIN:
        document = json.loads((ROOT / "sample_jobs" / f"{name}.json").read_text())
        document.pop("schedule", None)
        if name == "transform_customers":
            document["command"] = HELD + document["command"]
        answer = stack.ask(stack.hosts[1], "PUT", f"/api/jobs/{name}", json=document)
        assert answer.status_code == 201, answer.text
    assert stack.ask(stack.hosts[2], "POST", "/api/jobs/extract_orders/runs", json={}).status_code == 202
    wait_for("the second step", lambda: (stack.run_of("transform_customers") or {}).get("state") == "running", 90)
    first, epoch = wait_for("a leader", stack.leader)
    (container,) = first.client.containers(filters={"label": "com.docker.swarm.service.name=chronos_chronos"})
    first.client.kill(container["Id"])
    wait_for("the next term", lambda: (stack.get("/api/leader") or {}).get("epoch", 0) > epoch, 60)
    (stack.shared / "go").touch()
    runs = {job: wait_for(f"{job} to end", lambda job=job: stack.ended(job), 120) for job in CHAIN}
    assert {job: run["state"] for job, run in runs.items()} == dict.fromkeys(CHAIN, "succeeded")
    assert {job: len(run["attempts"]) for job, run in runs.items()} == dict.fromkeys(CHAIN, 1)
    wait_for(f"{first.name} to be ready again", lambda: stack.is_ready(first), 90)


def test_the_health_check_asks_with_what_the_server_asks_for(stack: Stack) -> None:
    (container,) = stack.hosts[0].client.containers(
        filters={"label": "com.docker.swarm.service.name=chronos_chronos"}
    )

    def is_healthy() -> bool:
        state = stack.hosts[0].client.inspect_container(container["Id"])["State"]
        return bool(state["Health"]["Status"] == "healthy")

    wait_for("the health check", is_healthy, 90)
    assert stack.run(f"docker exec {container['Id']} chronos ready") == "ready\n"


def test_a_dump_is_taken_and_taken_for_restored_as_the_page_says(stack: Stack) -> None:
    (dump,) = commands_of("Backup and restore", ("docker exec",))
    stack.run(dump.replace("/backup/", "./"))
    assert "extract_orders" in stack.run("pg_restore --data-only --table=jobs -f - ./chronos.dump")
    (restore,) = commands_of("Backup and restore", ("docker service scale",))
    created = restore[restore.index("docker service create") : restore.index("docker service logs")]
    node = changes()["services"]["chronos"]
    places = [volume.split(":") for volume in node["volumes"]]
    mounts = [f"--mount type=bind,src={source},dst={target},ro" for source, target, _ in places]
    variables = [f"--env {name}={value}" for name, value in node["environment"].items()]
    stack.run(created.replace(" chronos-py ", f" {' '.join(mounts + variables)} --no-resolve-image busybox:1 "))
    wait_for("the database", lambda: "goes on with run ids" in stack.run("docker service logs restored"), 60)
    run = stack.ask(stack.hosts[0], "POST", "/api/jobs/report_sales/runs", json={})
    assert run.json()["id"] > GAP
