"""The sample jobs are what they say, and their commands run in any POSIX shell."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from chronos_py.model.chain import parents_first
from chronos_py.model.document import read_definition

SAMPLES = Path(__file__).parents[2] / "sample_jobs"
DEFINITIONS = {file.stem: read_definition(json.loads(file.read_text())) for file in sorted(SAMPLES.glob("*.json"))}
BUSYBOX = shutil.which("busybox")


@pytest.mark.parametrize("name", DEFINITIONS)
def test_each_is_named_like_its_file_and_told_of(name: str) -> None:
    assert DEFINITIONS[name].name == name
    assert f"`{name}`" in (SAMPLES / "README.md").read_text()


def run_in_order(shell: list[str], path: str, folder: Path) -> dict[str, str]:
    """What each prints; the chain in its order, in one shared folder."""
    environment = {
        "PATH": path,
        "CHRONOS_SHARED_DIR": str(folder),
        "CHRONOS_ROOT_RUN_ID": "7",
        "CHRONOS_RUN_ID": "7",
        "CHRONOS_SCHEDULED_TIME": "2026-11-21T05:00:00+00:00",
        "CHRONOS_ATTEMPT": "3",
        "CHRONOS_JOB_NAME": "sample",
        "HOST": "here",
    }
    printed = {}
    for name in parents_first({name: definition.parents for name, definition in DEFINITIONS.items()}):
        command = [*shell, "-c", DEFINITIONS[name].command]
        printed[name] = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return printed


def test_they_run_in_the_shell_of_this_machine(tmp_path: Path) -> None:
    printed = run_in_order(["/bin/sh"], os.defpath, tmp_path)
    assert "1980 orders of 150 customers" in printed["report_sales"]


@pytest.mark.skipif(BUSYBOX is None, reason="no busybox on this machine; the pools' tests run them in its image")
def test_they_run_in_busybox(tmp_path: Path) -> None:
    assert BUSYBOX is not None
    programs = tmp_path / "bin"
    programs.mkdir()
    subprocess.run([BUSYBOX, "--install", "-s", programs], check=True)
    printed = run_in_order([BUSYBOX, "sh"], str(programs), tmp_path)
    assert "1980 orders of 150 customers" in printed["report_sales"]
