"""The recipe for one machine, run by a real systemd as docs/deploy.md has it."""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chronos_py.store.restored import GAP
from tests.cluster.booted import SYSTEMD, Machine, booted
from tests.cluster.server import FINAL, wait_for
from tests.packaging.recipes import blocks, commands_of

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

CLIENT = "export CHRONOS_SERVER=http://admin:PASSWORD@127.0.0.1:4400\n/opt/chronos-py/bin/chronos "


def ask(machine: Machine, command: str) -> Any:
    return json.loads(machine.run(f"{CLIENT}{command} -o json"))


def wait_until_it_serves(machine: Machine) -> None:
    wait_for("the server", lambda: machine.attempt(f"{CLIENT}runs").returncode == 0, 60)


def main_process(machine: Machine) -> int:
    return int(machine.run("systemctl show -p MainPID --value chronos"))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which somebody has followed the recipe."""
    missing = [name for name in ("unshare", "nsenter", "ip", "sqlite3") if shutil.which(name) is None]
    missing += [] if SYSTEMD.exists() else ["systemd"]
    if os.geteuid() != 0 or missing:
        reason = f"no machine: {', '.join(missing)} missing" if missing else "no machine: it takes root"
        if os.environ.get("CHRONOS_TEST_ALLOW_SKIP") == "1":
            pytest.skip(reason)
        pytest.fail(reason, pytrace=False)
    with booted(tmp_path_factory.mktemp("machine")) as machine:
        install, look = blocks("One machine with systemd")
        # Nothing is downloaded: what the package needs is what runs this test.
        needed = sysconfig.get_path("purelib")
        for line in install.splitlines():
            machine.run(f"export PYTHONPATH={needed}\n{line}" if "pip install" in line else line)
            if line.startswith("python3 -m venv"):
                folder = f"/opt/chronos-py/lib/python{sysconfig.get_python_version()}/site-packages"
                machine.run(f"echo {needed} > {folder}/needed.pth")
        wait_for("the server to answer", lambda: machine.attempt(look).returncode == 0, 60)
        yield machine


def test_the_unit_is_without_fault(machine: Machine) -> None:
    done = machine.attempt("systemd-analyze verify /etc/systemd/system/chronos.service")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    owner = Path("proc", str(main_process(machine)), "status")
    assert machine.run(f"stat -c %U /{owner}") == "chronos\n"
    assert machine.run("stat -c '%U %a' /var/lib/chronos /etc/default/chronos") == "chronos 750\nroot 600\n"
    assert "Serving http://127.0.0.1:4400" in machine.run("journalctl -u chronos")
    machine.run("groupadd --force docker; usermod --append --groups docker chronos")


def test_a_task_outlives_a_crash_and_an_upgrade_of_the_server(machine: Machine) -> None:
    document = {"name": "long", "command": 'until [ -e "$CHRONOS_SHARED_DIR/go" ]; do sleep 0.2; done'}
    machine.run(
        f"echo '{json.dumps(document)}' > /tmp/long.json\n{CLIENT}job apply /tmp/long.json\n{CLIENT}job run long"
    )
    wait_for("the task", lambda: ask(machine, "runs")[0]["state"] == "running", 60)
    before = main_process(machine)
    machine.run(f"kill -9 {before}")
    wait_for("systemd to start it again", lambda: main_process(machine) not in (0, before), 60)
    wait_until_it_serves(machine)
    assert machine.run("systemctl show -p NRestarts --value chronos") == "1\n"
    (upgrade,) = commands_of("Upgrade", ("/opt/chronos-py/bin/pip",))
    machine.run(f"export PYTHONPATH={sysconfig.get_path('purelib')}\n{upgrade}")
    wait_until_it_serves(machine)
    machine.run("touch /var/lib/chronos/shared/go")
    run = wait_for("the end", lambda: [each for each in ask(machine, "runs") if each["state"] == "succeeded"], 60)[0]
    assert run["attemptCount"] == 1


def launches(machine: Machine) -> list[str]:
    """The scheduled times of the tasks of "tick" that began."""
    return machine.attempt("cat /tmp/launches").stdout.split()


def test_what_was_backed_up_comes_back_and_runs_on(machine: Machine) -> None:
    backup, restore = blocks("Backup and restore")[:2]
    tick = {"name": "tick", "command": "echo $CHRONOS_SCHEDULED_TIME >> /tmp/launches", "schedule": "R//PT1S"}
    machine.run(f"echo '{json.dumps(tick)}' > /tmp/tick.json\n{CLIENT}job apply /tmp/tick.json")
    wait_for("a launch", lambda: launches(machine), 60)
    machine.run(f"{CLIENT}job pause tick\n{CLIENT}job run long --wait")
    wait_for("rest", lambda: all(run["state"] in FINAL for run in ask(machine, "runs")), 60)
    known, launched = ask(machine, "runs"), launches(machine)
    machine.run(backup)
    machine.run(f"{CLIENT}job run long --wait")  # forgotten below
    machine.run("systemctl kill -s KILL chronos; rm -rf /var/lib/chronos/*")
    machine.run(restore)
    wait_until_it_serves(machine)
    assert ask(machine, "runs") == known
    machine.run(f"{CLIENT}job run long --wait")
    assert ask(machine, "runs")[0]["id"] == known[0]["id"] + GAP + 1
    machine.run(f"{CLIENT}job resume tick")
    wait_for("the schedule to go on", lambda: len(launches(machine)) > len(launched) + 1, 60)
    machine.run(f"{CLIENT}job pause tick")
    assert len(set(launches(machine))) == len(launches(machine))
    assert machine.run("systemctl stop chronos; systemctl show -p Result,ExecMainStatus chronos") == (
        "Result=success\nExecMainStatus=0\n"
    )
