"""A real browser in front of a real server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.patience import wait_for_scripts, wait_long
from tests.cluster.server import ServerProcess

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
)
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        if os.environ.get("CHRONOS_TEST_ALLOW_SKIP") == "1":
            pytest.skip("no Chromium")
        pytest.fail("no Chromium; run script/packages browser", pytrace=False)
    with sync_playwright() as playwright:
        # Days begin when the tests say, wherever the machine stands.
        environment: dict[str, str | float | bool] = {**os.environ, "TZ": "UTC"}
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS), env=environment)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("server"), "--pool", "process").start()
    server.wait_until_it_leads()
    yield server
    server.terminate()


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for_scripts(monkeypatch)
    wait_long(monkeypatch)


@pytest.fixture
def visit(chromium: Browser, server: ServerProcess) -> Iterator[Page]:
    """A page of the server; a mistake in the console fails the test."""
    context = chromium.new_context(base_url=server.url, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    mistakes: list[str] = []
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.on("console", lambda line: mistakes.append(line.text) if "Content Security Policy" in line.text else None)
    page.on("requestfailed", lambda request: print("not loaded:", request.url, request.failure))
    yield page
    context.close()
    assert mistakes == []


def define_calendar(server: ServerProcess, name: str, **document: Any) -> None:
    answer = requests.put(f"{server.url}/api/calendars/{name}", json=document, timeout=60)
    assert answer.status_code in (200, 201), answer.text


def backfill(server: ServerProcess, job: str) -> int:
    """The number of a backfill of the job's last hours, all of them again."""
    now = datetime.now(UTC)
    body = {"from": (now - timedelta(hours=3)).isoformat(), "to": now.isoformat(), "parallel": 4, "force": True}
    answer = requests.post(f"{server.url}/api/jobs/{job}/backfills", json=body, timeout=60)
    assert answer.status_code in (201, 202), answer.text
    backfill_id: int = answer.json()["id"]
    return backfill_id


def define_failed_chain(server: ServerProcess) -> int:
    """A job with limits and a policy of its own, and one after it; the number of its failed run."""
    answer = requests.put(
        f"{server.url}/api/limits/warehouse-db", json={"units": 3, "description": "At night"}, timeout=60
    )
    assert answer.status_code in (200, 201), answer.text
    server.define(
        name="pictured-load",
        command='printf "ROWS=1204\\nFILE=a-rather-long-name-of-a-file.csv\\n" > "$CHRONOS_OUTPUT_FILE"; exit 75',
        retries=1,
        retryDelay=0,
        retryBackoff={"factor": 2, "maximum": "PT1H", "jitter": 0.2},
        retryOn=[75, "lost"],
        concurrencyLimits=[{"name": "warehouse-db", "units": 2}],
        priority=5,
    )
    server.define(name="pictured-report", command="true", parents=["pictured-load"], triggerRule="any_success")
    run_id = server.run("pictured-load", environment={"WHO": "ann"})
    server.wait_for_end(run_id)
    return run_id
