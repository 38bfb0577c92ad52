"""Define by form, force a run, watch its output live, see it succeed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import SCREENSHOTS, backfill, define_calendar, define_failed_chain
from tests.cluster.server import ServerProcess

pytestmark = pytest.mark.browser

SLOW = 'echo line 1; until [ -e "$CHRONOS_SHARED_DIR/seen" ]; do sleep 0.1; done; echo line 2; echo line 3'


def test_from_the_form_to_success(visit: Page, server: ServerProcess) -> None:
    visit.goto("/")
    visit.get_by_role("link", name="New job", exact=True).click()
    visit.get_by_label("Name", exact=True).fill("browsed")
    visit.get_by_label("Command", exact=True).fill(SLOW)
    visit.get_by_label("Schedule", exact=True).fill("0 3 * * 1-5")
    expect(visit.locator("[data-preview]")).to_contain_text("At 03:00, Monday through Friday")
    visit.get_by_role("button", name="Create").click()
    expect(visit.get_by_role("heading", name="browsed")).to_be_visible()
    visit.get_by_role("button", name="Force run").click()
    output = visit.locator('[data-log*="stdout"]')
    expect(output).to_contain_text("line 1")
    expect(visit.get_by_role("status")).to_contain_text("running")
    (server.shared_dir / "seen").touch()
    expect(output).to_contain_text("line 3")
    expect(visit.get_by_role("status")).to_contain_text("succeeded")
    expect(visit.get_by_role("button", name="Run again", exact=True)).to_be_visible()


def test_a_running_job_is_killed_by_a_button(visit: Page, server: ServerProcess) -> None:
    server.define(name="endless", command="while :; do echo alive; sleep 0.2; done", gracePeriod=1)
    visit.goto(f"/runs/{server.run('endless')}")
    expect(visit.get_by_role("status")).to_contain_text("running")
    visit.get_by_role("button", name="Kill").click()
    expect(visit.get_by_role("status")).to_contain_text("killed")


def test_a_wrong_schedule_is_told_while_typing_and_after(visit: Page) -> None:
    visit.goto("/jobs/new")
    visit.get_by_label("Name", exact=True).fill("wrong")
    visit.get_by_label("Command", exact=True).fill("true")
    visit.get_by_label("Schedule", exact=True).fill("61 * * * *")
    expect(visit.locator("[id=schedule-wrong]")).to_contain_text("minute is")
    visit.get_by_role("button", name="Create").click()
    expect(visit.get_by_role("alert")).to_contain_text("minute is")
    expect(visit.get_by_label("Command", exact=True)).to_have_value("true")


def test_output_with_markup_is_text(visit: Page, server: ServerProcess) -> None:
    server.define(name="markup", command="echo '<img src=x onerror=alert(1)>'")
    run_id = server.run("markup")
    server.wait_for_end(run_id)
    visit.goto(f"/runs/{run_id}")
    expect(visit.locator('[data-log*="stdout"]')).to_have_text("<img src=x onerror=alert(1)>\n")
    expect(visit.locator("pre img")).to_have_count(0)


@pytest.fixture(scope="module")
def pictured(server: ServerProcess) -> tuple[int, int, int]:
    """The numbers of a run, of a backfill, and of a run that failed."""
    server.define(name="pictured", command="echo picture", schedule="*/5 * * * *")
    run_id = server.run("pictured")
    server.wait_for_end(run_id)
    define_calendar(server, "pictured", dates=["12-24"], includes=["DE-BY"], weekdays=["sunday"])
    return run_id, backfill(server, "pictured"), define_failed_chain(server)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_pages_fit_and_are_pictured(
    chromium: Browser, server: ServerProcess, pictured: tuple[int, int, int], scheme: str, width: int
) -> None:
    run_id, backfill_id, failed_id = pictured
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    context = chromium.new_context(
        base_url=server.url,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    for name, path in {
        "jobs": "/",
        "job": "/jobs/pictured",
        "run": f"/runs/{run_id}",
        "new": "/jobs/new",
        "runs": "/runs",
        "chains": "/chains",
        "cluster": "/cluster",
        "job-policies": "/jobs/pictured-load",
        "job-policies-form": "/jobs/pictured-load/edit",
        "run-failed": f"/runs/{failed_id}",
        "limits": "/limits",
        "limit-form": "/limits/warehouse-db/edit",
        "calendars": "/calendars",
        "calendar": "/calendars/pictured?year=2026",
        "calendar-form": "/calendars/pictured/edit",
        "backfill-form": "/jobs/pictured/backfill",
        "backfill": f"/backfills/{backfill_id}",
        "backfills": "/backfills",
    }.items():
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        for summary in page.locator("details.ask > summary").all():
            summary.click()
        page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}-{width}.png", full_page="form" in name)
        if path != "/runs":  # the widest table scrolls inside itself at phone width
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (name, width)
    context.close()


def test_the_main_path_without_javascript(chromium: Browser, server: ServerProcess) -> None:
    context = chromium.new_context(base_url=server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/jobs/new")
    page.get_by_label("Name", exact=True).fill("plain")
    page.get_by_label("Command", exact=True).fill("echo plain output")
    page.get_by_label("Only by hand").check()
    page.get_by_role("button", name="Create").click()
    page.get_by_role("button", name="Force run").click()
    expect(page).to_have_url(re.compile(r"/runs/\d+$"))
    server.wait_for_end(int(page.url.rsplit("/", 1)[1]))
    page.reload()
    expect(page.get_by_role("status")).to_contain_text("succeeded")
    expect(page.locator("pre").first).to_have_text("plain output\n")
    context.close()
