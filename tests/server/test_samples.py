"""The sample chain fails where it should, and a retry of any step does no harm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "sample_jobs"
CHAIN = ("extract_orders", "transform_products", "transform_customers", "load_warehouse", "report_sales")
BUSYBOX = shutil.which("busybox")

Step = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture(params=["sh", "busybox"])
def step(request: pytest.FixtureRequest, tmp_path: Path) -> Step:
    """Runs a job's command as the pools do: in this machine's shell, and in that of the image busybox:1."""
    shell, path = ["/bin/sh"], os.defpath
    if request.param == "busybox":
        if BUSYBOX is None:
            pytest.skip("no busybox on this machine; the pools' tests run the samples in its image")
        programs = tmp_path / "bin"
        programs.mkdir()
        subprocess.run([BUSYBOX, "--install", "-s", programs], check=True)
        shell, path = [BUSYBOX, "sh"], str(programs)
    environment = {
        "PATH": path,
        "CHRONOS_SHARED_DIR": str(tmp_path / "shared"),
        "CHRONOS_ROOT_RUN_ID": "7",
        "CHRONOS_SCHEDULED_TIME": "2026-11-21T05:00:00+00:00",
        "CHRONOS_ATTEMPT": "1",
    }
    (tmp_path / "shared").mkdir()

    def run(name: str) -> subprocess.CompletedProcess[str]:
        command: str = json.loads((SAMPLES / f"{name}.json").read_text())["command"]
        return subprocess.run([*shell, "-c", command], env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize("name", CHAIN[1:])
def test_a_step_without_the_one_before_it_fails(step: Step, name: str, tmp_path: Path) -> None:
    (tmp_path / "shared" / "sales" / "7").mkdir(parents=True)
    assert step(name).returncode != 0
    left = [file.name for file in (tmp_path / "shared").rglob("*.csv")]
    assert left == []


def contents(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*.csv")}


def test_every_step_may_be_run_again(step: Step, tmp_path: Path) -> None:
    once = {name: step(name) for name in CHAIN}
    assert {name: done.returncode for name, done in once.items()} == dict.fromkeys(CHAIN, 0)
    before = contents(tmp_path / "shared")
    twice = {name: step(name) for name in CHAIN}
    assert {name: done.stdout for name, done in twice.items()} == {name: done.stdout for name, done in once.items()}
    assert contents(tmp_path / "shared") == before
    assert not list((tmp_path / "shared").rglob("*.part"))


def test_the_sums_are_those_of_the_orders(step: Step, tmp_path: Path) -> None:
    """The same figures, reckoned in another way."""
    for name in CHAIN[:-1]:
        assert step(name).returncode == 0
    lines = (tmp_path / "shared/sales/7/orders.csv").read_text().splitlines()[1:]
    orders = [line.split(",") for line in lines]
    good = [order for order in orders if order[3].isdigit()]
    total = sum(int(quantity) * round(float(price) * 100) for *_, quantity, price in good)
    report = step("report_sales").stdout
    assert f"{total / 100:.2f}" in report
    assert f"{len(good)} orders of {len({order[1] for order in good})} customers" in report
    assert len((tmp_path / "shared/sales/7/rejects.csv").read_text().splitlines()) - 1 == len(orders) - len(good)


def test_the_report_fails_when_the_sums_differ(step: Step, tmp_path: Path) -> None:
    for name in CHAIN[:-1]:
        assert step(name).returncode == 0
    warehouse = tmp_path / "shared/warehouse/2026-11-21/7.csv"
    rows = warehouse.read_text().splitlines()
    warehouse.write_text("\n".join(rows[:-1]) + "\n")
    done = step("report_sales")
    assert done.returncode == 1
    assert "differ" in done.stderr
    warehouse.write_text("")
    assert "nothing in the warehouse" in step("report_sales").stderr


def test_the_cleanup_removes_old_waves_only(step: Step, tmp_path: Path) -> None:
    sales = tmp_path / "shared" / "sales"
    for wave in ("old", "new"):
        (sales / wave).mkdir(parents=True)
        (sales / wave / "orders.csv").write_text("order\n")
    three_days_ago = (sales / "new").stat().st_mtime - 3 * 86400
    os.utime(sales / "old", (three_days_ago, three_days_ago))
    assert step("nightly_cleanup").stdout == "removed 1 of 2 folders\n"
    assert [folder.name for folder in sales.iterdir()] == ["new"]
